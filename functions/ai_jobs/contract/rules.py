"""The rules of the fields that messages have in common, and the limits of messages."""

from __future__ import annotations

import re
from datetime import datetime
from typing import cast

from ai_jobs.contract import timestamps
from ai_jobs.contract.errors import JobError, shown
from ai_jobs.contract.limits import LIMITS, PATTERNS

MAX_DEADLINE_SECONDS = LIMITS["deadline_seconds"].max
"""14 days, the longest that SQS keeps a message."""

MAX_MESSAGE_BYTES = LIMITS["message_bytes"].max
"""The size limit of an SQS message, body and attributes together (`max_message_size` of the queues)."""

INLINE_LIMIT_BYTES = LIMITS["inline_bytes"].max
"""Larger inputs and results go to S3: the rest of a message, and its attributes, need room too."""

MAX_INPUT_BYTES = LIMITS["input_bytes"].max
"""The largest input that a worker reads from S3: several times what fits into any model's context."""

JOB_ID = re.compile(PATTERNS["job_id"])
USER_ID = re.compile(PATTERNS["user_id"])
JOB_TYPE = re.compile(PATTERNS["job_type"])
TRACE_ID = re.compile(PATTERNS["trace_id"])
ERROR_CODE = re.compile(PATTERNS["error_code"])

_TIMESTAMP_RULE = "It must be an ISO 8601 UTC time such as 2026-01-31T12:00:00.000Z"


def checked_text(value: object, rule: re.Pattern[str], name: str, code: str) -> str:
    """The value, if it is a string that follows the rule; else JobError with this code and field."""
    if not isinstance(value, str):
        reason = f"{name} is missing or not a string. It must be a string that matches {rule.pattern}."
        raise JobError(code, reason, name)
    if not rule.fullmatch(value):
        raise JobError(code, f"{name} is {shown(value)}. It must match {rule.pattern}.", name)
    return value


def is_whole_number(value: object, minimum: int, maximum: int) -> bool:
    """Is it an integer in this range? (`True` is not.)"""
    return isinstance(value, int) and not isinstance(value, bool) and minimum <= value <= maximum


def check_job_id(job_id: object) -> str:
    """The id, if it follows the contract's rule; else JobError `INVALID_MESSAGE` with field `jobId`."""
    return checked_text(job_id, JOB_ID, "jobId", "INVALID_MESSAGE")


def check_user_id(user_id: object) -> str:
    """The id, if it follows the contract's rule; else JobError `INVALID_MESSAGE` with field `userId`."""
    return checked_text(user_id, USER_ID, "userId", "INVALID_MESSAGE")


def check_deadline(value: object) -> int:
    """The number of seconds, if it can be a deadline; else JobError `INVALID_MESSAGE` with field `deadlineSeconds`."""
    if not is_whole_number(value, 1, MAX_DEADLINE_SECONDS):
        rule = f"It must be a whole number from 1 to {MAX_DEADLINE_SECONDS}"
        raise JobError("INVALID_MESSAGE", f"deadlineSeconds is {shown(value)}. {rule}.", "deadlineSeconds")
    return cast("int", value)


def check_timestamp(value: object) -> datetime:
    """The moment that a plausible timestamp names; else JobError `INVALID_MESSAGE` with field `timestamp`."""
    moment = checked_moment(value, "INVALID_MESSAGE")
    if not 2000 <= moment.year < 3000:
        raise JobError("INVALID_MESSAGE", _not_a_timestamp(value), "timestamp")
    return moment


def checked_moment(value: object, error_code: str) -> datetime:
    """The moment that a timestamp names; else JobError with this code and field `timestamp`."""
    try:
        return timestamps.from_text(value if isinstance(value, str) else "")
    except (ValueError, OverflowError):
        raise JobError(error_code, _not_a_timestamp(value), "timestamp") from None


def _not_a_timestamp(value: object) -> str:
    return f"timestamp is {'missing' if value is None else shown(value, 100)}. {_TIMESTAMP_RULE}."


def has_text(document: object, name: str) -> bool:
    """Is it an object in which this field is a string?"""
    return isinstance(document, dict) and isinstance(document.get(name), str)
