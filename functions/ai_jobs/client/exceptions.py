"""What the client raises. Everything is an `AIJobsError`, so one `except` is enough if you want only one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ai_jobs.contract.errors import AIJobsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ai_jobs.client.job import Job
    from ai_jobs.client.wire import Request, Response


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


class WaitTimeoutError(AIJobsError, TimeoutError):
    """The time is up, and jobs are still open. They continue; wait again, or cancel them.

    Attributes:
        open_ids: the jobs that have not ended, in the order given.
        jobs: by id, what was last seen of them; an id that is missing here is unknown to the service (yet).
        problem: why the last poll failed, if it did; that exception is chained.
        job_id: the open job, if there is only one.
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
        last = f"; the last poll failed: {problem}" if problem else ""
        only = self.open_ids[0] if len(self.open_ids) == 1 else None
        super().__init__(f"not ended after {seconds:g} s: {', '.join(states)}{more}{last}", "WAIT_TIMEOUT", only)

    def _state_of(self, job_id: str) -> str:
        if job_id in self.jobs:
            return self.jobs[job_id].status
        return "not seen" if self.problem else "unknown to the service"

    def __reduce__(self) -> tuple[type[WaitTimeoutError], tuple[Any, ...]]:
        return type(self), (self.seconds, self.open_ids, self.jobs, self.problem)


class JobNotEndedError(AIJobsError):
    """The result of a job was requested while the job is still open. `job` is what was seen of it."""

    def __init__(self, job: Job) -> None:
        super().__init__(f"job {job.job_id} is {job.status}: wait for it first", "JOB_NOT_ENDED", job.job_id)
        self.job = job

    def __reduce__(self) -> tuple[type[JobNotEndedError], tuple[Any, ...]]:
        return type(self), (self.job,)


class JobFailedError(AIJobsError):
    """The job ended without a result.

    Attributes:
        job: the job; `job.error` says why.
        code: the code of the job's error, such as `INVALID_INPUT`.
    """

    def __init__(self, job: Job) -> None:
        code = job.error.code if job.error else job.error_code or job.status.upper()
        reason = f": {job.error}" if job.error else ""
        super().__init__(f"job {job.job_id} is {job.status}{reason}", code, job.job_id)
        self.job = job

    def __reduce__(self) -> tuple[type[JobFailedError], tuple[Any, ...]]:
        return type(self), (self.job,)


class JobCancelledError(JobFailedError):
    """The job was cancelled."""


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
    """The exception for a response that is not a success."""
    error = _documented_error(response)
    if error is None:
        return _without_document(request, response)
    kind = UnavailableError if response.status >= 500 else _BY_STATUS.get(response.status, ApiError)
    return kind(response.status, *error, response.request_id, request.job_id)


def unexpected(request: Request, response: Response, problem: str) -> UnexpectedAnswerError:
    """The exception for a response that this API would not send; it shows the beginning."""
    message = f"{request.method} {request.shown_url} returned {problem}: {response.text()!r}; check the API's URL"
    return UnexpectedAnswerError(
        response.status, "UNEXPECTED_ANSWER", message, None, response.request_id, request.job_id
    )


def about_another_job(request: Request, response: Response, other_id: str) -> UnexpectedAnswerError:
    """The exception for a response about another job, which the caller must not take for their own."""
    message = (
        f"{request.method} {request.shown_url} returned the job {other_id!r:.140}: something on the way mixes up "
        "responses; look for a cache or a proxy in front of the API, and for a connection that two processes share"
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
    # Whatever is in front of the API (a load balancer, a proxy) has its own words for a temporary failure.
    if response.status >= 500 or response.status == 429:
        kind = ThrottledError if response.status == 429 else UnavailableError
        message = f"{request.method} {request.shown_url} got a response that is not the API's own: {response.text()!r}"
        return kind(response.status, "UNEXPECTED_ANSWER", message, None, response.request_id, request.job_id)
    return unexpected(request, response, f"status {response.status} and no error document")
