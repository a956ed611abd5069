"""What may be logged of an exception."""

from __future__ import annotations

import traceback
from typing import Any

from ai_jobs.errors import AIJobsError, JobError


def describe(error: BaseException) -> dict[str, Any]:
    """The exception's type and where it came from, without its message: that may repeat an input or a result."""
    frames = traceback.extract_tb(error.__traceback__)[-8:]
    known = {"errorCode": error.code} if isinstance(error, (JobError, AIJobsError)) else {}
    return known | {
        "exceptionType": type(error).__name__,
        "raisedAt": [f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno} {frame.name}" for frame in frames],
    }
