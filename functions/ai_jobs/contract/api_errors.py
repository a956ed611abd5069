"""How the HTTP API reports errors: the only list of its codes."""

from __future__ import annotations

from typing import Any

from ai_jobs.contract.errors import AIJobsError, JobError, error_body

API_CODES: dict[str, int] = {
    "BAD_REQUEST": 400,
    "INVALID_JOB_ID": 400,
    "MESSAGE_REFUSED": 400,
    "INVALID_INPUT": 400,
    "UNKNOWN_JOB_TYPE": 400,
    "UNDEFINED_FIELD": 400,
    "INVALID_ATTACHMENT": 400,
    "ATTACHMENT_NOT_FOUND": 400,
    "UNAUTHORIZED": 401,
    "FORBIDDEN": 403,
    "JOB_NOT_FOUND": 404,
    "NOT_FOUND": 404,
    "METHOD_NOT_ALLOWED": 405,
    "JOB_ID_CONFLICT": 409,
    "JOB_ENDED": 409,
    "REQUEST_TOO_LARGE": 413,
    "UNSUPPORTED_MEDIA_TYPE": 415,
    "THROTTLED": 429,
    "QUOTA_EXCEEDED": 429,
    "INTERNAL_ERROR": 500,
    "QUEUE_UNAVAILABLE": 503,
    "STORE_UNAVAILABLE": 503,
    "TIMEOUT": 504,
}
"""Every error code of the API, and its HTTP status (`INTERNAL_ERROR` is 502 when the gateway can't use the function's
response). Some are the gateway's own (modules/api). A job's own failures have other codes (ai_jobs.contract.errors)."""

RETRY_AFTER_SECONDS = 2
"""When to ask again about a job that is still open, or a service that is busy."""

_RETRIED = (503,)


class RequestError(AIJobsError):
    """A request that fails, with what its caller is told.

    Args:
        code: a key of `API_CODES`; it decides the status.
        message: says what is wrong, the rule, and what to do.
        field: the field or parameter at fault, such as `input.bedrooms`.

    Raises:
        KeyError: when the code is not in the table.
    """

    def __init__(self, code: str, message: str, field: str | None = None) -> None:
        super().__init__(message, code)
        self.status = API_CODES[code]
        self._body = error_body(code, message, field)

    def headers(self) -> dict[str, str]:
        """The headers that go with it."""
        return {"Retry-After": str(RETRY_AFTER_SECONDS)} if self.status in _RETRIED else {}

    def to_body(self) -> dict[str, Any]:
        """The response's JSON, which has the same shape for every error: `{"error": {code, message, field?}}`."""
        return {"error": self._body}


def of_job_error(error: JobError) -> RequestError:
    """What the caller is told when a job breaks a rule: a job type's codes stay, a malformed field is a bad request."""
    code = error.code if error.code in API_CODES else "BAD_REQUEST"
    return RequestError(code, error.message, error.field)
