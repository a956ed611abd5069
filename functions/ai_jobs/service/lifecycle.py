"""The lifecycle of a job: each transition of its row is one value (docs/how-it-works.md, Lifecycle).

A transition is one conditional write. `ai_jobs.service.table` executes it; `ai_jobs.service.job_store` chooses the one
that a caller's request calls for. The table in the docs is generated from the values below.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ai_jobs.contract.limits import TABLE
from ai_jobs.contract.row import JobStatus

NO_ROW = "no row"
EXPIRED = "expired"
"""The row is past `expiresAt` but TTL has not deleted it yet: it counts as gone."""

# Fields that belong together; the docs use these names.
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

# Parts of conditions. `:queued` and the like are CONSTANTS; the caller passes every other value.
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
"""Values that every condition can use by these names."""


@dataclass(frozen=True)
class Transition:
    """One change of a row.

    Attributes:
        by: who makes the change.
        sources: the states that it starts from, `NO_ROW` and `EXPIRED` among them.
        target: the state that it leads to.
        only_if: what else must be true, in words.
        condition: the sources and `only_if` as a DynamoDB ConditionExpression.
        sets: the fields that it may set, in addition to `status`.
        keeps: the fields that it sets only if the row does not have them.
        clears: the fields that it removes unless it sets them.
        adds: the counters that it adds to.
        replaces: whether it discards the rest of the row.
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
        """The same transition, restricted to jobs of the user `:owner`."""
        return replace(self, condition=f"({self.condition}) AND userId = :owner")

    @property
    def touches(self) -> frozenset[str]:
        """Every field that it may change."""
        status = () if self.sources == (self.target,) else ("status",)
        return frozenset({*status, *self.sets, *self.keeps, *self.clears, *self.adds})


_QUEUED, _PROCESSING = JobStatus.QUEUED, JobStatus.PROCESSING
_COMPLETED, _FAILED, _CANCELLED = JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED

SUBMIT = Transition(
    "submit",
    by="jobs API (PUT)",
    sources=(NO_ROW, EXPIRED, _FAILED),
    target=_QUEUED,
    only_if="if failed: the same job, closed as `ENQUEUE_FAILED`",
    condition=f"{_GONE} OR (payloadHash = :hash AND {_NEVER_SENT})",
    sets=(*IDENTITY, *ORIGIN, *COUNTS, "updatedAt", "notBefore", "deadlineAt", "dueAt", "openShard", "expiresAt"),
    clears=(*OUTCOME, *LEASE, "traceId", "startedAt", "configVersion", "notBefore", "erasedAt"),
)

RESUBMIT = Transition(
    "resubmit",
    by="jobs API (repeated PUT)",
    sources=(_QUEUED,),
    target=_QUEUED,
    only_if="no worker has claimed it",
    condition=_UNTOUCHED,
    sets=("updatedAt", "deadlineAt", "dueAt"),
)

EXPECT_MESSAGE = Transition(
    "expect message",
    by="jobs API (PUT that could not send its message)",
    sources=(_QUEUED,),
    target=_QUEUED,
    only_if="no worker has claimed it, and it has not been submitted again",
    condition=f"{_UNTOUCHED} AND updatedAt = :updatedAt",
    sets=("dueAt",),
)

CLAIM = Transition(
    "claim",
    by="processor",
    sources=(NO_ROW, _QUEUED, _PROCESSING),
    target=_PROCESSING,
    only_if="the row belongs to this job; its lease, if any, has expired",
    condition=f"attribute_not_exists(jobId) OR (payloadHash = :hash AND {_FREE})",
    sets=(*IDENTITY, *LEASE, "updatedAt", "openShard", "configVersion", "expiresAt"),
    keeps=(*ORIGIN, *SCHEDULE),
    adds=COUNTS,
)

RESCHEDULE = Transition(
    "reschedule",
    by="processor (its message arrived after `expect message`)",
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
    only_if="if failed: the message was sent after the failure (a redrive), or the job was closed as `ENQUEUE_FAILED`",
    condition="#status = :found AND updatedAt = :updatedAt",
    sets=(*IDENTITY, *LEASE, *ORIGIN, *SCHEDULE, *COUNTS, "updatedAt", "openShard", "configVersion", "expiresAt"),
    clears=(*OUTCOME, "erasedAt"),
)

RELEASE = Transition(
    "release",
    by="processor (before a retry or a wait)",
    sources=(_PROCESSING,),
    target=_QUEUED,
    only_if="the attempt is the latest",
    condition=_OURS,
    sets=("messageId", "updatedAt"),
    clears=("leaseExpiresAt",),
    adds=("calls",),
)

# `queued` with the same attempt: the job was released, but its result arrived after all. A redrive restarts the count
# of attempts, so a result from before the redrive is not this attempt's.
COMPLETE = Transition(
    "complete",
    by="result handler",
    sources=(_QUEUED, _PROCESSING, _FAILED),
    target=_COMPLETED,
    only_if="the attempt is the latest; if failed: closed as `JOB_STALLED` or `WORKER_CRASHED`",
    condition="attempt = :attempt AND startedAt <= :reached "
    f"AND ({_OPEN} OR (#status = :failed AND #error.code IN (:stalled, :crashed)))",
    sets=("completedAt", "updatedAt", "result", "resultLocation", "model", "usage"),
    clears=(*OUTCOME, *OPEN_ONLY),
)

FAIL = replace(COMPLETE, name="fail", target=_FAILED, sets=(*FAILURE, "updatedAt"))

COMPLETE_OPEN = replace(
    COMPLETE,
    name="complete (no attempt named)",
    sources=(_QUEUED, _PROCESSING),
    only_if="",
    condition=_OPEN,
)

FAIL_OPEN = replace(
    FAIL,
    name="fail (no attempt named)",
    sources=(_QUEUED, _PROCESSING),
    only_if="",
    condition=_OPEN,
)

CANCEL = Transition(
    "cancel",
    by="jobs API (DELETE)",
    sources=(_QUEUED, _PROCESSING, _FAILED),
    target=_CANCELLED,
    only_if="if failed: closed as `ENQUEUE_FAILED`",
    condition=f"({_OPEN} OR ({_NEVER_SENT})) AND expiresAt > :seconds",
    sets=("completedAt", "updatedAt"),
    clears=(*OUTCOME, *OPEN_ONLY),
)

CLOSE = Transition(
    "close",
    by="reconciler (dead-lettered message)",
    sources=(_QUEUED, _PROCESSING),
    target=_FAILED,
    only_if="the row has not changed since it was read; its lease, if any, has expired",
    condition=f"updatedAt = :updatedAt AND {_FREE}",
    sets=(*FAILURE, "updatedAt"),
    clears=(*OUTCOME, *OPEN_ONLY),
)

# The deadline as well: `expect message` may have moved `dueAt` forward before the message arrived after all.
STALL = replace(
    CLOSE,
    name="stall",
    by="reconciler (`JOB_STALLED`)",
    only_if="`dueAt` and the deadline have passed; its lease, if any, has expired",
    condition=f"dueAt <= :now AND attribute_exists(startedAt) AND deadlineAt <= :now AND {_FREE}",
)

GIVE_UP_WAITING = replace(
    CLOSE,
    name="give up waiting",
    by="reconciler (`ENQUEUE_FAILED`)",
    sources=(_QUEUED,),
    only_if="`dueAt` has passed, and no worker has claimed it",
    condition=f"dueAt <= :now AND attribute_not_exists(startedAt) AND {_FREE}",
)

RECORD_FAILURE = Transition(
    "record failure",
    by="reconciler (dead-lettered message of a job without a row)",
    sources=(NO_ROW, EXPIRED),
    target=_FAILED,
    only_if="",
    condition=_GONE,
    sets=(*IDENTITY, *ORIGIN, *COUNTS, *FAILURE, "messageId", "updatedAt", "expiresAt"),
    clears=(*OUTCOME, *OPEN_ONLY, "startedAt", "deadlineAt", "configVersion", "notBefore", "erasedAt"),
)

# The row stays, emptied: a message of the job may still be in a queue, and without a row it would start a new job.
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
"""Every transition, in the order of a job's life."""


@dataclass(frozen=True)
class Index:
    """An index of the jobs table. A change of one of its keys or of a field that it projects writes it.

    Attributes:
        keys: its partition key and its sort key; a row without either is not in the index.
        projects: the other fields that it holds.
        holds: the states whose rows are in it.
    """

    name: str
    keys: tuple[str, str]
    projects: tuple[str, ...]
    holds: tuple[str, ...]

    def effect_of(self, transition: Transition) -> str:
        """What a transition may do to a row's entry: adds, moves (two writes), updates, removes; empty for nothing."""
        if not transition.touches & {*self.keys, *self.projects}:
            return ""
        stays = not any(key in transition.clears and key not in transition.sets for key in self.keys)
        was_out = any(source not in self.holds for source in transition.sources)
        was_in = any(source in self.holds for source in transition.sources)
        changes = ("moves" if self.keys[1] in transition.sets else "updates") if stays else "removes"
        return " or ".join(["adds"] * (was_out and stays) + [changes] * was_in)


BY_USER = Index(
    TABLE["by_user_index"],
    keys=("userId", TABLE["by_user_sort_key"]),
    projects=tuple(TABLE["by_user_projection"]),
    holds=(*JobStatus, EXPIRED),
)
OPEN_JOBS = Index(
    TABLE["open_jobs_index"],
    keys=("openShard", "dueAt"),
    projects=tuple(TABLE["open_jobs_projection"]),
    holds=(JobStatus.QUEUED, JobStatus.PROCESSING, EXPIRED),
)
INDEXES = (BY_USER, OPEN_JOBS)
