"""What `JobStore` is asked for, and what it says became of a job."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from ai_jobs.contract import timestamps
from ai_jobs.contract.row import JobRow


@dataclass(frozen=True)
class ClaimTerms:
    """What a worker asks for when it claims a job.

    Attributes:
        lease_expires_at: when another worker may take the job over: the end of this invocation.
        deadline_seconds: how long the job may take, counted from its submission or its redrive.
        grace_seconds: how long after its deadline an open job counts as stalled.
        config_version: the job type configuration in force, if it is known.
    """

    lease_expires_at: datetime
    deadline_seconds: int
    grace_seconds: int
    config_version: str | None = None


@dataclass(frozen=True)
class Claimed:
    """The job is this worker's until its lease ends.

    Attributes:
        attempt: the number of this attempt; it goes with every later write, so that a late one is told apart.
        deadline_at: until when the job may run.
        calls: how many attempts began work, this one included; callers see it as `attempts`.
    """

    attempt: int
    deadline_at: datetime
    calls: int

    @classmethod
    def of(cls, row: JobRow) -> Claimed:
        """The claim that the row shows."""
        return cls(row["attempt"], timestamps.from_text(row["deadlineAt"]), row["calls"])


@dataclass(frozen=True)
class Running:
    """Another worker holds the job until `lease_expires_at`."""

    lease_expires_at: datetime


class Refusal(Enum):
    """Why a job can't be claimed, other than that it is running."""

    FINISHED = "finished"
    CONFLICT = "conflict"


class Applied(Enum):
    """What became of a result."""

    APPLIED = "applied"
    REPEATED = "repeated"
    SUPERSEDED = "superseded"
    UNKNOWN_JOB = "unknown job"


@dataclass(frozen=True)
class ResultOutcome:
    """What became of a result, and the job's row as it is now (None unless it was applied)."""

    applied: Applied
    row: JobRow | None = None


class Submission(Enum):
    """What a submission finds under its job id."""

    ACCEPTED = "accepted"
    """The row is `queued`, and a message has to be sent: there was no such job, or its message may be missing."""

    REPEATED = "repeated"
    """The job is there already and has its message; nothing is left to do."""

    CONFLICT = "conflict"
    """The id is taken by another job."""


@dataclass(frozen=True)
class Submitted:
    """What became of a submission.

    Attributes:
        created_at: when the job was first submitted.
        not_before: when it may begin: then, or after the delay that it was first submitted with.
        updated_at: when its row was written; `expect_message_until` wants it.
    """

    submission: Submission
    created_at: datetime
    not_before: datetime
    updated_at: datetime


@dataclass(frozen=True)
class Cancellation:
    """What became of a cancellation.

    Attributes:
        row: the job as it is now; None when there is no such job (for this user).
        done: whether this call cancelled it, rather than found it ended.
    """

    row: JobRow | None
    done: bool = False
