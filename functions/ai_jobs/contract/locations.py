"""Where the bucket keeps inputs and results that are too large for a message."""

from __future__ import annotations

from typing import Any

from ai_jobs.contract.errors import JobError, shown
from ai_jobs.contract.limits import BUCKET
from ai_jobs.contract.rules import MAX_INPUT_BYTES, has_text, is_whole_number

# The largest object that S3 stores.
_MAX_RESULT_BYTES = 50 * 1024**4


def result_prefix(user_id: str) -> str:
    """Where the bucket keeps a user's results. (`user=` keeps a user named `..` from being a path step.)"""
    return f"{BUCKET['results_prefix']}user={user_id}/"


def job_result_prefix(user_id: str, job_id: str) -> str:
    """Where the bucket keeps the results of one job."""
    return f"{result_prefix(user_id)}job={job_id}/"


def input_prefix(user_id: str) -> str:
    """Where the bucket keeps a user's inputs. (`user=` keeps a user named `..` from being a path step.)"""
    return f"{BUCKET['inputs_prefix']}user={user_id}/"


def job_input_prefix(user_id: str, job_id: str) -> str:
    """Where the bucket keeps the inputs and files of one job."""
    return f"{input_prefix(user_id)}job={job_id}/"


def upload_prefix(user_id: str) -> str:
    """Where the bucket keeps what a user has uploaded for jobs that are not submitted yet."""
    return f"{BUCKET['uploads_prefix']}user={user_id}/"


def check_input_location(value: object, user_id: str) -> dict[str, Any]:
    """The location, if it can be that of one of this user's inputs; else JobError `INVALID_MESSAGE`."""
    if not (isinstance(value, dict) and has_text(value, "bucket") and has_text(value, "key")):
        raise JobError("INVALID_MESSAGE", _not_a_location("inputLocation"), "inputLocation")
    # A worker may read every user's inputs, so a message must not be able to refer to another user's.
    if not value["key"].startswith(input_prefix(user_id)):
        rule = f"inputLocation.key is {shown(value['key'])}. It must begin with {input_prefix(user_id)}."
        raise JobError("INVALID_MESSAGE", rule, "inputLocation.key")
    if not is_whole_number(value.get("bytes"), 1, MAX_INPUT_BYTES):
        rule = f"It must be a whole number from 1 to {MAX_INPUT_BYTES}."
        message = f"inputLocation.bytes is {shown(value.get('bytes'))}. {rule}"
        raise JobError("INVALID_MESSAGE", message, "inputLocation.bytes")
    return value


def result_owner(location: object, job_id: str) -> str:
    """The user whose result is at a location, which must be under the job's own prefix.

    Raises:
        JobError: `NOT_A_RESULT`, naming the field.
    """
    if not (isinstance(location, dict) and has_text(location, "bucket") and has_text(location, "key")):
        raise JobError("NOT_A_RESULT", _not_a_location("resultLocation"), "resultLocation")
    if not is_whole_number(location.get("bytes"), 0, _MAX_RESULT_BYTES):
        rule = f"It must be a whole number from 0 to {_MAX_RESULT_BYTES}."
        message = f"resultLocation.bytes is {shown(location.get('bytes'), 100)}. {rule}"
        raise JobError("NOT_A_RESULT", message, "resultLocation.bytes")
    key = location["key"]
    owner = key.partition("/user=")[2].partition("/")[0]
    prefix = job_result_prefix(owner, job_id)
    if not key.startswith(prefix) or {"", ".", ".."} & set(key.removeprefix(prefix).split("/")):
        rule = f"It must be the key of an object under {job_result_prefix('USER', job_id)}."
        raise JobError("NOT_A_RESULT", f"resultLocation.key is {shown(key)}. {rule}", "resultLocation.key")
    return str(owner)


def _not_a_location(name: str) -> str:
    return f"{name} is not the location of an object. It must be {{bucket, key, bytes}}; bucket and key are strings."
