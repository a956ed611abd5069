"""What callers of `JobStore` ask for, and what they get back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from ai_jobs.contract import timestamps
from ai_jobs.contract.row import JobRow


@dataclass(frozen=True)
class ClaimTerms:
    """The terms of a claim.

    Attributes:
        lease_expires_at: when another worker may take over: the end of this invocation.
        deadline_seconds: how long the job may take, from its submission or its redrive.
        grace_seconds: how long after its deadline an open job counts as stalled.
        config_version: the version of the job types in use, if it is known.
    """

    lease_expires_at: datetime
    deadline_seconds: int
    grace_seconds: int
    config_version: str | None = None


@dataclass(frozen=True)
class Claimed:
    """The job is this worker's until its lease ends.

    Attributes:
        attempt: the number of this attempt. Every later write carries it, so that a late write can be identified.
        deadline_at: when the job's time is up.
        calls: how many attempts began work, including this one; callers see it as `attempts`.
    """

    attempt: int
    deadline_at: datetime
    calls: int

    @classmethod
    def of(cls, row: JobRow) -> Claimed:
        """The claim in the row."""
        return cls(row["attempt"], timestamps.from_text(row["deadlineAt"]), row["calls"])


@dataclass(frozen=True)
class Running:
    """Another worker holds the job until `lease_expires_at`."""

    lease_expires_at: datetime


class Refusal(Enum):
    """Why a job can't be claimed (other than because it is running)."""

    FINISHED = "finished"
    CONFLICT = "conflict"


class Applied(Enum):
    """The effect of a result."""

    APPLIED = "applied"
    REPEATED = "repeated"
    SUPERSEDED = "superseded"
    UNKNOWN_JOB = "unknown job"


@dataclass(frozen=True)
class ResultOutcome:
    """The effect of a result, and the row after it (None unless the result was applied)."""

    applied: Applied
    row: JobRow | None = None


class Submission(Enum):
    """What a submission found under its job id."""

    ACCEPTED = "accepted"
    """The row is `queued` and a message must be sent: the job is new, or its message may be missing."""

    REPEATED = "repeated"
    """The job exists and has its message; there is nothing left to do."""

    CONFLICT = "conflict"
    """Another job has this id."""


@dataclass(frozen=True)
class Submitted:
    """The effect of a submission.

    Attributes:
        created_at: when the job was first submitted.
        not_before: when the job may start: at submission, or after the delay of the first submission.
        updated_at: when the row was written; `expect_message_until` needs it.
    """

    submission: Submission
    created_at: datetime
    not_before: datetime
    updated_at: datetime


@dataclass(frozen=True)
class Cancellation:
    """The effect of a cancellation.

    Attributes:
        row: the job's row after it; None if the job does not exist (for this user).
        done: whether this call cancelled the job; False if it had already ended.
    """

    row: JobRow | None
    done: bool = False
