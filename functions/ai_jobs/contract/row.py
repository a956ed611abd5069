"""A row of the jobs table, and the states of a job (docs/how-it-works.md, The row)."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Required, TypedDict

from ai_jobs.contract.limits import TERMINAL_STATES


class JobStatus(StrEnum):
    """The states of a job."""

    QUEUED = "queued"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


TERMINAL = tuple(JobStatus(state) for state in TERMINAL_STATES)
"""The states in which there is nothing left to do for a job."""

_Sorted = TypedDict("_Sorted", {"createdAt#jobId": str}, total=False)


class JobRow(_Sorted, total=False):
    """One job. Times are strings (`ai_jobs.contract.timestamps`); which fields a row has depends on its state.

    An index projects only some of the fields, and the row of an erased job has almost none.
    """

    jobId: Required[str]
    status: Required[str]
    updatedAt: Required[str]
    userId: str
    jobType: str
    traceId: str
    payloadHash: str
    messageId: str
    configVersion: str
    createdAt: str
    notBefore: str
    startedAt: str
    deadlineAt: str
    leaseExpiresAt: str
    completedAt: str
    attempt: int
    calls: int
    result: dict[str, Any]
    resultLocation: dict[str, Any]
    error: dict[str, str]
    errorCode: str
    model: str
    usage: dict[str, int]
    openShard: int
    dueAt: str
    erasedAt: str
    expiresAt: int


def has_ended(row: JobRow) -> bool:
    """Whether the job is in a terminal state."""
    return row["status"] in TERMINAL


def is_erased(row: JobRow) -> bool:
    """Whether this is all that is left of a job whose user was erased."""
    return "erasedAt" in row
