"""What every log line contains, and what may be logged about an exception."""

from __future__ import annotations

import os
import traceback
from typing import Any

from aws_lambda_powertools import Logger

from ai_jobs.contract import variables
from ai_jobs.contract.errors import AIJobsError


def function_logger() -> Logger:
    """The logger of a function. Each of its lines, from any module, names the build that wrote it (`AI_JOB_BUILD`)."""
    logger = Logger()
    logger.append_keys(build=os.environ.get(variables.BUILD, "unknown"))
    return logger


def describe(error: BaseException) -> dict[str, Any]:
    """The exception's type and where it was raised, without its message, which may quote an input or a result."""
    frames = traceback.extract_tb(error.__traceback__)[-8:]
    # A class of a handler's author may lack what AIJobsError sets.
    code = getattr(error, "code", None) if isinstance(error, AIJobsError) else None
    return ({"errorCode": code} if code else {}) | {
        "exceptionType": type(error).__name__,
        "raisedAt": [f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno} {frame.name}" for frame in frames],
    }
