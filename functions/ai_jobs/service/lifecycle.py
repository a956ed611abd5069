"""The lifecycle of a job: every transition of its row, each as one value (docs/how-it-works.md, Lifecycle).

A transition is one conditional write. `ai_jobs.service.table` executes it, and `ai_jobs.service.job_store` says which
one a caller's request comes to. The table in the docs is generated from the values here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ai_jobs.contract.row import JobStatus

NO_ROW = "no row"
EXPIRED = "expired"
"""The row is past `expiresAt`, and TTL has not deleted it yet: it counts as gone."""

# Fields that go together; the docs call them by these names.
IDENTITY = ("userId", "jobType", "payloadHash", "traceId")
ORIGIN = ("createdAt", "createdAt#jobId")
SCHEDULE = ("startedAt", "deadlineAt", "dueAt")
COUNTS = ("attempt", "calls")
LEASE = ("messageId", "leaseExpiresAt")
FAILURE = ("error", "errorCode", "completedAt")
OUTCOME = (*FAILURE, "result", "resultLocation", "model", "usage")
OPEN_ONLY = ("leaseExpiresAt", "openShard", "dueAt")
GROUPS = {
    "identity": IDENTITY,
    "origin": ORIGIN,
    "schedule": SCHEDULE,
    "counts": COUNTS,
    "lease": LEASE,
    "outcome": OUTCOME,
    "failure": FAILURE,
}

# Parts of conditions. `:queued` and the like are CONSTANTS; what else begins with a colon, the caller gives.
_OPEN = "#status IN (:queued, :processing)"
_FREE = "(#status = :queued OR (#status = :processing AND leaseExpiresAt <= :now))"
_NEVER_SENT = "#status = :failed AND #error.code = :unsent"
_UNTOUCHED = "#status = :queued AND attribute_not_exists(startedAt)"
_GONE = "attribute_not_exists(jobId) OR expiresAt <= :seconds"
_OURS = "#status = :processing AND attempt = :attempt"

CONSTANTS = {status.value: status.value for status in JobStatus} | {
    "unsent": "ENQUEUE_FAILED",
    "stalled": "JOB_STALLED",
    "crashed": "WORKER_CRASHED",
}
"""The values that every condition may use by these names."""


@dataclass(frozen=True)
class Transition:
    """One change of a row.

    Attributes:
        by: who makes it.
        sources: the states that it starts from, or `NO_ROW`, `EXPIRED`.
        target: the state that it leads to.
        only_if: what else must hold, in words.
        condition: both of that as DynamoDB's ConditionExpression.
        sets: the fields that it may set, apart from `status`.
        keeps: those among the fields that it may give which it only sets where the row has none.
        clears: the fields that it removes unless it sets them.
        adds: the counters that it adds to.
        replaces: whether nothing of the row as it was stays.
    """

    name: str
    by: str
    sources: tuple[str, ...]
    target: JobStatus
    only_if: str
    condition: str
    sets: tuple[str, ...]
    keeps: tuple[str, ...] = ()
    clears: tuple[str, ...] = ()
    adds: tuple[str, ...] = ()
    replaces: bool = False

    def for_owner(self) -> Transition:
        """The same, of a job of the user `:owner` only."""
        return replace(self, condition=f"({self.condition}) AND userId = :owner")

    @property
    def touches(self) -> frozenset[str]:
        """Every field that it may change."""
        return frozenset({"status", *self.sets, *self.keeps, *self.clears, *self.adds})


_QUEUED, _PROCESSING = JobStatus.QUEUED, JobStatus.PROCESSING
_COMPLETED, _FAILED, _CANCELLED = JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED

SUBMIT = Transition(
    "submit",
    by="jobs API (PUT)",
    sources=(NO_ROW, EXPIRED, _FAILED),
    target=_QUEUED,
    only_if="a failed job is this job, and `ENQUEUE_FAILED`",
    condition=f"{_GONE} OR (payloadHash = :hash AND {_NEVER_SENT})",
    sets=(*IDENTITY, *ORIGIN, *COUNTS, "updatedAt", "notBefore", "deadlineAt", "dueAt", "openShard", "expiresAt"),
    clears=(*OUTCOME, *LEASE, "traceId", "startedAt", "configVersion", "notBefore", "erasedAt"),
)

RESUBMIT = Transition(
    "resubmit",
    by="jobs API (PUT, repeated)",
    sources=(_QUEUED,),
    target=_QUEUED,
    only_if="no worker has claimed it",
    condition=_UNTOUCHED,
    sets=("updatedAt", "deadlineAt", "dueAt"),
)

EXPECT_MESSAGE = Transition(
    "expect message",
    by="jobs API (PUT whose message was not sent)",
    sources=(_QUEUED,),
    target=_QUEUED,
    only_if="no worker has claimed it, and it was not submitted again since",
    condition=f"{_UNTOUCHED} AND updatedAt = :updatedAt",
    sets=("dueAt",),
)

CLAIM = Transition(
    "claim",
    by="processor",
    sources=(NO_ROW, _QUEUED, _PROCESSING),
    target=_PROCESSING,
    only_if="the row is of this job, and its lease, if it has one, is over",
    condition=f"attribute_not_exists(jobId) OR (payloadHash = :hash AND {_FREE})",
    sets=(*IDENTITY, *LEASE, "updatedAt", "openShard", "configVersion", "expiresAt"),
    keeps=(*ORIGIN, *SCHEDULE),
    adds=COUNTS,
)

RESCHEDULE = Transition(
    "reschedule",
    by="processor, after a claim whose message came late",
    sources=(_PROCESSING,),
    target=_PROCESSING,
    only_if="the attempt is the latest",
    condition=_OURS,
    sets=("deadlineAt", "dueAt"),
)

REOPEN = Transition(
    "reopen",
    by="processor",
    sources=(_FAILED, EXPIRED),
    target=_PROCESSING,
    only_if="the message was sent after the job failed (a redrive), or the job is `ENQUEUE_FAILED`",
    condition="#status = :found AND updatedAt = :updatedAt",
    sets=(*IDENTITY, *LEASE, *ORIGIN, *SCHEDULE, *COUNTS, "updatedAt", "openShard", "configVersion", "expiresAt"),
    clears=(*OUTCOME, "erasedAt"),
)

RELEASE = Transition(
    "release",
    by="processor, before a retry or a wait",
    sources=(_PROCESSING,),
    target=_QUEUED,
    only_if="the attempt is the latest",
    condition=_OURS,
    sets=("messageId", "updatedAt"),
    clears=("leaseExpiresAt",),
    adds=("calls",),
)

# `queued` with the same attempt: the job was released, yet its result came through after all. A redrive counts attempts
# anew: what was reached before this life of the job began does not belong to it.
COMPLETE = Transition(
    "complete",
    by="result handler",
    sources=(_QUEUED, _PROCESSING, _FAILED),
    target=_COMPLETED,
    only_if="the attempt is the latest; a failed job is `JOB_STALLED` or `WORKER_CRASHED`",
    condition="attempt = :attempt AND startedAt <= :reached "
    f"AND ({_OPEN} OR (#status = :failed AND #error.code IN (:stalled, :crashed)))",
    sets=("completedAt", "updatedAt", "result", "resultLocation", "model", "usage"),
    clears=(*OUTCOME, *OPEN_ONLY),
)

FAIL = replace(COMPLETE, name="fail", target=_FAILED, sets=(*FAILURE, "updatedAt"))

COMPLETE_OPEN = replace(
    COMPLETE,
    name="complete, of an attempt that is not named",
    sources=(_QUEUED, _PROCESSING),
    only_if="",
    condition=_OPEN,
)

FAIL_OPEN = replace(
    FAIL,
    name="fail, of an attempt that is not named",
    sources=(_QUEUED, _PROCESSING),
    only_if="",
    condition=_OPEN,
)

CANCEL = Transition(
    "cancel",
    by="jobs API (DELETE)",
    sources=(_QUEUED, _PROCESSING, _FAILED),
    target=_CANCELLED,
    only_if="a failed job is `ENQUEUE_FAILED`",
    condition=f"({_OPEN} OR ({_NEVER_SENT})) AND expiresAt > :seconds",
    sets=("completedAt", "updatedAt"),
    clears=(*OUTCOME, *OPEN_ONLY),
)

_CLOSE = Transition(
    "close",
    by="reconciler, for a dead-lettered message",
    sources=(_QUEUED, _PROCESSING),
    target=_FAILED,
    only_if="the row is as it was found, and its lease, if it has one, is over",
    condition=f"updatedAt = :updatedAt AND {_FREE}",
    sets=(*FAILURE, "updatedAt"),
    clears=(*OUTCOME, *OPEN_ONLY),
)
CLOSE = _CLOSE

# The deadline too: `dueAt` may have been brought forward before the job's message came after all.
STALL = replace(
    _CLOSE,
    name="stall",
    by="reconciler, `JOB_STALLED`",
    only_if="`dueAt` and the deadline have passed, and its lease, if it has one, is over",
    condition=f"dueAt <= :now AND attribute_exists(startedAt) AND deadlineAt <= :now AND {_FREE}",
)

GIVE_UP_WAITING = replace(
    _CLOSE,
    name="give up waiting",
    by="reconciler, `ENQUEUE_FAILED`",
    sources=(_QUEUED,),
    only_if="`dueAt` has passed, and no worker has claimed it",
    condition=f"dueAt <= :now AND attribute_not_exists(startedAt) AND {_FREE}",
)

RECORD_FAILURE = Transition(
    "record failure",
    by="reconciler, for a dead-lettered message without a row",
    sources=(NO_ROW, EXPIRED),
    target=_FAILED,
    only_if="",
    condition=_GONE,
    sets=(*IDENTITY, *ORIGIN, *COUNTS, *FAILURE, "messageId", "updatedAt", "expiresAt"),
    clears=(*OUTCOME, *OPEN_ONLY, "startedAt", "deadlineAt", "configVersion", "notBefore", "erasedAt"),
)

# No condition: a message of the job may still be in a queue, and without a row it would be taken for a new job.
ERASE = Transition(
    "erase",
    by="`erase_user`",
    sources=tuple(JobStatus),
    target=_CANCELLED,
    only_if="",
    condition="",
    sets=("updatedAt", "erasedAt", "expiresAt"),
    clears=(*IDENTITY, *ORIGIN, *SCHEDULE, *COUNTS, *LEASE, *OUTCOME, "openShard", "configVersion", "notBefore"),
    replaces=True,
)

TRANSITIONS = (
    SUBMIT,
    RESUBMIT,
    EXPECT_MESSAGE,
    CLAIM,
    RESCHEDULE,
    REOPEN,
    RELEASE,
    COMPLETE,
    FAIL,
    COMPLETE_OPEN,
    FAIL_OPEN,
    CANCEL,
    CLOSE,
    STALL,
    GIVE_UP_WAITING,
    RECORD_FAILURE,
    ERASE,
)
"""All of them, in the order of a job's life."""


@dataclass(frozen=True)
class Index:
    """An index of the jobs table; it is written when a field changes that is its key or that it projects."""

    name: str
    keys: tuple[str, str]
    projects: tuple[str, ...]

    @property
    def fields(self) -> frozenset[str]:
        return frozenset({*self.keys, *self.projects})


BY_USER = Index(
    "by-user",
    ("userId", "createdAt#jobId"),
    (
        *("status", "jobType", "createdAt", "startedAt", "updatedAt", "completedAt", "calls", "deadlineAt"),
        *("errorCode", "model", "usage", "configVersion", "traceId", "expiresAt"),
    ),
)
OPEN_JOBS = Index(
    "open-jobs",
    ("openShard", "dueAt"),
    (
        *("status", "attempt", "userId", "jobType", "createdAt", "startedAt", "messageId", "leaseExpiresAt"),
        "deadlineAt",
    ),
)
INDEXES = (BY_USER, OPEN_JOBS)


def indexes_written_by(transition: Transition) -> Iterator[Index]:
    """The indexes that a transition may write."""
    return (index for index in INDEXES if index.fields & transition.touches)
