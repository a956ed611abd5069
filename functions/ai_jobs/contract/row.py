"""A row of the jobs table, and the states of a job (docs/how-it-works.md, The row)."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

Row = dict[str, Any]

ERASED_AT = "erasedAt"


class JobStatus(StrEnum):
    """The states of a job."""

    QUEUED = "queued"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


def has_ended(row: Row) -> bool:
    """Is the job in a terminal state?"""
    return row["status"] in (JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED)


def is_erased(row: Row) -> bool:
    """Is this all that is left of a job whose user was erased?"""
    return ERASED_AT in row
