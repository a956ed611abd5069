"""Where inputs and results that are too large for a message lie in the bucket."""

from __future__ import annotations

from typing import Any

from ai_jobs.contract.errors import JobError
from ai_jobs.contract.rules import MAX_INPUT_BYTES, has_text, is_whole_number

# The largest object that S3 keeps.
_MAX_RESULT_BYTES = 50 * 1024**4


def result_prefix(user_id: str) -> str:
    """Where the results of a user lie in the bucket. (`user=` keeps a user called `..` from being a path step.)"""
    return f"results/user={user_id}/"


def job_result_prefix(user_id: str, job_id: str) -> str:
    """Where the results of one job lie in the bucket."""
    return f"{result_prefix(user_id)}job={job_id}/"


def input_prefix(user_id: str) -> str:
    """Where the inputs of a user lie in the bucket. (`user=` keeps a user called `..` from being a path step.)"""
    return f"inputs/user={user_id}/"


def check_input_location(value: object, user_id: str) -> dict[str, Any]:
    field_name = "inputLocation"
    if not (isinstance(value, dict) and has_text(value, "bucket") and has_text(value, "key")):
        raise JobError("INVALID_MESSAGE", "inputLocation must be {bucket, key, bytes}", field_name)
    # A worker may read every user's inputs, so that a message must not be able to name another user's.
    if not value["key"].startswith(input_prefix(user_id)):
        rule = f"inputLocation.key must begin with {input_prefix(user_id)}"
        raise JobError("INVALID_MESSAGE", rule, f"{field_name}.key")
    if not is_whole_number(value.get("bytes"), 1, MAX_INPUT_BYTES):
        rule = f"inputLocation.bytes must be a whole number from 1 to {MAX_INPUT_BYTES}"
        raise JobError("INVALID_MESSAGE", rule, f"{field_name}.bytes")
    return value


def result_owner(location: object, job_id: str) -> str:
    """Whose result lies at a location: it must be under the job's own prefix.

    Raises:
        JobError: `NOT_A_RESULT`, naming the field.
    """
    if not (isinstance(location, dict) and has_text(location, "bucket") and has_text(location, "key")):
        raise JobError("NOT_A_RESULT", "resultLocation must be {bucket, key, bytes}", "resultLocation")
    if not is_whole_number(location.get("bytes"), 0, _MAX_RESULT_BYTES):
        rule = f"resultLocation.bytes must be a whole number from 0 to {_MAX_RESULT_BYTES}"
        raise JobError("NOT_A_RESULT", rule, "resultLocation.bytes")
    key = location["key"]
    owner = key.partition("/user=")[2].partition("/")[0]
    prefix = job_result_prefix(owner, job_id)
    if not key.startswith(prefix) or {"", ".", ".."} & set(key.removeprefix(prefix).split("/")):
        rule = f"it must be an object's, under {job_result_prefix('USER', job_id)}"
        raise JobError("NOT_A_RESULT", f"resultLocation.key is {key[:140]!r}: {rule}", "resultLocation.key")
    return str(owner)
