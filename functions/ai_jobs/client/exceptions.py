"""What the client raises. Everything is an `AIJobsError`, so one `except` is enough if you want only one.

The errors that carry a job (it failed, it was cancelled, it has not ended) are in `ai_jobs.client.job`.
"""

from __future__ import annotations

from typing import Any

from ai_jobs.contract.errors import AIJobsError


class InvalidArgumentError(AIJobsError, ValueError, TypeError):
    """An argument is invalid, so nothing was sent. It is also both of Python's own errors for that."""

    def __init__(self, message: str, job_id: str | None = None) -> None:
        super().__init__(message, "INVALID_ARGUMENT", job_id)


class AuthError(AIJobsError):
    """`auth` could not authorize a request: it has no credentials, region, or token. Nothing was sent."""


class ClientClosedError(AIJobsError):
    """The client was closed before this request. Create a new one."""

    def __init__(self, job_id: str | None = None) -> None:
        super().__init__("the client is closed: create a new one, or close it later", "CLIENT_CLOSED", job_id)


class ApiError(AIJobsError):
    """The API responded with an error.

    Attributes:
        status: the HTTP status.
        code: the API's own code, such as `JOB_NOT_FOUND`.
        message: the API's words.
        field: the field or parameter at fault, as a dotted path.
        request_id: `x-amzn-RequestId`, by which the service's operators can find the call.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        field: str | None = None,
        request_id: str | None = None,
        job_id: str | None = None,
    ) -> None:
        place = f" (field {field})" if field else ""
        trace = f" [request {request_id}]" if request_id else ""
        super().__init__(f"{status} {code}: {message}{place}{trace}", code, job_id)
        self.status = status
        self.message = message
        self.field = field
        self.request_id = request_id

    def __reduce__(self) -> tuple[type[ApiError], tuple[Any, ...]]:
        # Between processes (multiprocessing, task queues), an exception travels as its arguments, not as its text.
        return type(self), (self.status, self.code, self.message, self.field, self.request_id, self.job_id)


class BadRequestError(ApiError):
    """400, 405, 413, 415: the request is wrong, and retrying does not help. Fix it; `field` says where."""


class NotAllowedError(ApiError):
    """401, 403: the caller is unknown, or is not allowed to do this. Check `auth`, the clock, and the permissions."""


class NotFoundError(ApiError):
    """404: no such job, or it is another user's (`JOB_NOT_FOUND`); or no such path (`NOT_FOUND`: check the URL)."""


class ConflictError(ApiError):
    """409: the id belongs to another job (`JOB_ID_CONFLICT`), or the job has already ended (`JOB_ENDED`)."""


class ThrottledError(ApiError):
    """429: too many requests, even after the client's own retries; or the quota is used up (`QUOTA_EXCEEDED`)."""


class UnavailableError(ApiError):
    """5xx: the service failed, even after the client's own retries. Try again later."""


class UnexpectedAnswerError(ApiError):
    """The response is not from this API, or not to this request: a proxy's page, a redirect, another service at the
    URL, or a response about another job (`WRONG_JOB`), which is never returned."""


class ApiConnectionError(AIJobsError):
    """No response: the connection failed or timed out, even after the client's own retries. The cause is chained."""

    def __init__(self, message: str, job_id: str | None = None) -> None:
        super().__init__(message, "NO_ANSWER", job_id)
