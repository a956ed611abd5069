"""A job as the API shows it, and the errors that carry one."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ai_jobs.contract import timestamps
from ai_jobs.contract.errors import AIJobsError
from ai_jobs.contract.result import JobResult, Usage, is_usage
from ai_jobs.contract.row import TERMINAL, JobStatus


@dataclass(frozen=True)
class JobFailure:
    """Why a job failed; docs/how-it-works.md lists the codes."""

    code: str
    message: str
    field: str | None = None

    def __str__(self) -> str:
        return f"{self.code}: {self.message}" + (f" (field {self.field})" if self.field else "")


@dataclass(frozen=True)
class Job:
    """A job; whatever it does not have (yet), or a list does not show, is None. Times are in UTC.

    Attributes:
        status: `queued`, `processing`, `completed`, `failed`, or `cancelled`.
        result: the result, if it is in the response; the client's `result()` fetches any result.
        error_code: why the job failed; also in lists, where `error` is None.
        attempts: how often a worker began work on the job; waiting does not count.
        expires_at: when the service forgets the job.
        result_url: where the result is if it is too large for a response; valid until `result_url_expires_at`.
        document: the API's response unchanged, including fields that this version does not know.
    """

    job_id: str
    status: str
    user_id: str | None = None
    job_type: str | None = None
    created_at: datetime | None = None
    started_at: datetime | None = None
    updated_at: datetime | None = None
    completed_at: datetime | None = None
    deadline_at: datetime | None = None
    result: JobResult | None = None
    error: JobFailure | None = None
    error_code: str | None = None
    model: str | None = None
    usage: Usage | None = None
    trace_id: str | None = None
    attempts: int = 0
    expires_at: datetime | None = None
    result_url: str | None = None
    result_url_expires_at: datetime | None = None
    document: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def has_ended(self) -> bool:
        """Is it completed, failed, or cancelled?"""
        return self.status in TERMINAL

    def raise_for_status(self) -> Job:
        """The job itself, if it completed.

        Raises:
            JobFailedError, JobCancelledError: if it ended otherwise.
            JobNotEndedError: if it is still open.
        """
        if self.status == JobStatus.COMPLETED:
            return self
        if not self.has_ended:
            raise JobNotEndedError(self)
        raise JobCancelledError(self) if self.status == JobStatus.CANCELLED else JobFailedError(self)


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


def job_of(document: Mapping[str, Any]) -> Job:
    """The job in a response of the API; fields that this version does not know stay in `document`.

    Raises:
        ValueError: if it has no id or no status, or a field does not have its documented shape.
    """
    try:
        moments = {name: _moment(document.get(key)) for name, key in _MOMENTS.items()}
        return Job(
            job_id=_text(document["jobId"]),
            status=_text(document["status"]),
            user_id=document.get("userId"),
            job_type=document.get("jobType"),
            result=result_of(document["result"]) if "result" in document else None,
            error=_failure_of(document["error"]) if "error" in document else None,
            error_code=document.get("errorCode"),
            model=document.get("model"),
            usage=_usage_of(document["usage"]) if "usage" in document else None,
            trace_id=document.get("traceId"),
            attempts=int(document.get("attempts", 0)),
            result_url=document.get("resultUrl"),
            document=document,
            **moments,
        )
    except _OTHER_SHAPE as error:
        raise ValueError(f"not a job as documented: {error!r}") from error


def result_of(document: object) -> JobResult:
    """The result in a job's document or at its `resultUrl`: the model's, or any object. Raises ValueError otherwise."""
    if not isinstance(document, dict):
        raise ValueError("not a result as documented: it must be a JSON object")
    words = (document.get(name) for name in ("text", "model", "stopReason", "serviceTier"))
    text, model, stop_reason, tier = (word if isinstance(word, str) else "" for word in words)
    usage, calls, cost = (document.get(name) for name in ("usage", "modelCalls", "estimatedCost"))
    return JobResult(
        text=text,
        json=document.get("json"),
        model=model,
        usage=Usage.from_document(usage) if is_usage(usage) else Usage(0, 0),
        stop_reason=stop_reason,
        truncated=document.get("truncated") is True,
        model_calls=calls if isinstance(calls, int) else 1,
        service_tier=tier or None,
        estimated_cost=cost if isinstance(cost, int | float) else None,
        document=document,
    )


# An infinite number, or a time before the year 1 in UTC, raises OverflowError.
_OTHER_SHAPE = (LookupError, TypeError, AttributeError, OverflowError)

_MOMENTS = {
    "created_at": "createdAt",
    "started_at": "startedAt",
    "updated_at": "updatedAt",
    "completed_at": "completedAt",
    "deadline_at": "deadlineAt",
    "expires_at": "expiresAt",
    "result_url_expires_at": "resultUrlExpiresAt",
}


def _moment(text: str | None) -> datetime | None:
    return None if text is None else timestamps.from_text(text)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{reprlib.repr(value)} is not a string")
    return value


def _usage_of(document: Mapping[str, Any]) -> Usage:
    # A row that was written before the counts of the cache were checked may have anything in their place.
    known = document if is_usage(document) else {name: document[name] for name in ("inputTokens", "outputTokens")}
    return Usage.from_document(known)


def _failure_of(document: Mapping[str, Any]) -> JobFailure:
    return JobFailure(_text(document["code"]), _text(document["message"]), document.get("field"))
