"""What the client raises, other than the exceptions that carry a job as it ended (`ai_jobs.client.job`).

Everything is an `AIJobsError`: one `except` is enough.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ai_jobs.contract.errors import AIJobsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ai_jobs.client.job import Job
    from ai_jobs.client.wire import Request, Response


class InvalidArgumentError(AIJobsError, ValueError, TypeError):
    """An argument cannot be right, so nothing was sent. It is both of Python's own errors for that as well."""

    def __init__(self, message: str, job_id: str | None = None) -> None:
        super().__init__(message, "INVALID_ARGUMENT", job_id)


class AuthError(AIJobsError):
    """`auth` could not authorize a request: there are no credentials, no region, or no token. Nothing was sent."""


class ClientClosedError(AIJobsError):
    """The client was closed before this request. Make a new one."""

    def __init__(self, job_id: str | None = None) -> None:
        super().__init__("the client is closed: make a new one, or close it later", "CLIENT_CLOSED", job_id)


class ApiError(AIJobsError):
    """The API answered with an error.

    Attributes:
        status: the HTTP status.
        code: the API's own code, such as `JOB_NOT_FOUND`.
        message: the API's words.
        field: the field or parameter at fault, as a dotted path.
        request_id: `x-amzn-RequestId`: what the service's people find the call by.
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
        # An exception crosses processes (multiprocessing, task queues) by its arguments, not by its text.
        return type(self), (self.status, self.code, self.message, self.field, self.request_id, self.job_id)


class BadRequestError(ApiError):
    """400, 405, 413, 415: the request is wrong and stays wrong. Mend it; `field` names the place."""


class NotAllowedError(ApiError):
    """401, 403: who asks is unknown or may not do this. Look at `auth`, its clock and its permissions."""


class NotFoundError(ApiError):
    """404: no such job, or it is someone else's (`JOB_NOT_FOUND`); or no such path (`NOT_FOUND`: look at the URL)."""


class ConflictError(ApiError):
    """409: the id belongs to another job (`JOB_ID_CONFLICT`), or the job has ended already (`JOB_ENDED`)."""


class ThrottledError(ApiError):
    """429: too many requests, also after the client's own retries; or the quota is used up (`QUOTA_EXCEEDED`)."""


class UnavailableError(ApiError):
    """5xx: the service failed, also after the client's own retries. Try again later."""


class UnexpectedAnswerError(ApiError):
    """The answer is not this API's, or not to this request: a proxy's page, a redirect, another service at the URL, or
    another job's answer (`WRONG_JOB`), which is never returned."""


class ApiConnectionError(AIJobsError):
    """No answer: the connection failed or took too long, also after the client's own retries. The cause is chained."""

    def __init__(self, message: str, job_id: str | None = None) -> None:
        super().__init__(message, "NO_ANSWER", job_id)


class WaitTimeoutError(AIJobsError, TimeoutError):
    """The time is over and jobs are still open. They go on; wait again, or cancel them.

    Attributes:
        open_ids: the jobs that have not ended, in the order given.
        jobs: what was last seen of these by id; an id that is missing here is one that nobody knows (yet).
        problem: why the last look failed, where it did; that exception is chained.
        job_id: the open job, where it is only one.
    """

    def __init__(
        self, seconds: float, open_ids: Iterable[str], jobs: Mapping[str, Job], problem: str | None = None
    ) -> None:
        self.seconds = seconds
        self.open_ids = tuple(open_ids)
        self.jobs = dict(jobs)
        self.problem = problem
        states = [f"{job_id} ({self._state_of(job_id)})" for job_id in self.open_ids[:10]]
        more = f" and {len(self.open_ids) - len(states)} more" if len(self.open_ids) > len(states) else ""
        last = f"; the last look failed: {problem}" if problem else ""
        only = self.open_ids[0] if len(self.open_ids) == 1 else None
        super().__init__(f"not ended after {seconds:g} s: {', '.join(states)}{more}{last}", "WAIT_TIMEOUT", only)

    def _state_of(self, job_id: str) -> str:
        if job_id in self.jobs:
            return self.jobs[job_id].status
        return "not seen" if self.problem else "unknown to the service"

    def __reduce__(self) -> tuple[type[WaitTimeoutError], tuple[Any, ...]]:
        return type(self), (self.seconds, self.open_ids, self.jobs, self.problem)


_BY_STATUS: dict[int, type[ApiError]] = {
    400: BadRequestError,
    401: NotAllowedError,
    403: NotAllowedError,
    404: NotFoundError,
    405: BadRequestError,
    409: ConflictError,
    413: BadRequestError,
    415: BadRequestError,
    429: ThrottledError,
}


def error_of(request: Request, response: Response) -> ApiError:
    """The exception for an answer that is no success."""
    error = _documented_error(response)
    if error is None:
        return _without_document(request, response)
    kind = UnavailableError if response.status >= 500 else _BY_STATUS.get(response.status, ApiError)
    return kind(response.status, *error, response.request_id, request.job_id)


def unexpected(request: Request, response: Response, problem: str) -> UnexpectedAnswerError:
    """The exception for an answer that this API does not give; its beginning is shown."""
    message = (
        f"{request.method} {request.shown_url} was answered with {problem}: {response.text()!r}; look at the API's URL"
    )
    return UnexpectedAnswerError(
        response.status, "UNEXPECTED_ANSWER", message, None, response.request_id, request.job_id
    )


def about_another_job(request: Request, response: Response, other_id: str) -> UnexpectedAnswerError:
    """The exception for another job's answer: whoever asked must not take it for their own."""
    message = (
        f"{request.method} {request.shown_url} was answered with the job {other_id!r:.140}: something on the way mixes "
        "answers up; look for a cache or a proxy in front of the API, and for a connection that two processes share"
    )
    return UnexpectedAnswerError(response.status, "WRONG_JOB", message, None, response.request_id, request.job_id)


def _documented_error(response: Response) -> tuple[str, str, str | None] | None:
    error = (response.document() or {}).get("error")
    if not isinstance(error, dict):
        return None
    code, message, field = error.get("code"), error.get("message"), error.get("field")
    if not (isinstance(code, str) and isinstance(message, str)):
        return None
    return code, message, field if isinstance(field, str) else None


def _without_document(request: Request, response: Response) -> ApiError:
    # What stands in front of the API (a load balancer, a proxy) has words of its own for a failure that may pass.
    if response.status >= 500 or response.status == 429:
        kind = ThrottledError if response.status == 429 else UnavailableError
        message = f"{request.method} {request.shown_url} got an answer that is not the API's own: {response.text()!r}"
        return kind(response.status, "UNEXPECTED_ANSWER", message, None, response.request_id, request.job_id)
    return unexpected(request, response, f"status {response.status} and no error document")
