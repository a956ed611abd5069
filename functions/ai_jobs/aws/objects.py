"""The bucket: inputs and results that are too large for a message."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from ai_jobs.aws.clients import get_s3_client, get_s3_signing_client
from ai_jobs.aws.errors import reported_as_job_error
from ai_jobs.contract import documents, timestamps
from ai_jobs.contract.body import checked_json, json_object
from ai_jobs.contract.errors import JobError, shown
from ai_jobs.contract.locations import input_prefix, job_input_prefix, job_result_prefix, result_prefix, upload_prefix
from ai_jobs.contract.request import AIJobMessage
from ai_jobs.contract.rules import MAX_INPUT_BYTES

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import ObjectIdentifierTypeDef

URL_SECONDS = 900
"""How long a signed URL is valid. A longer time would not help: it ends with the credentials of the role that signs."""

_DELETE_BATCH = 1000


def to_json(document: dict[str, Any]) -> bytes:
    """A document as it is stored, in UTF-8."""
    return documents.to_json(document).encode()


def put_result(bucket: str, user_id: str, job_id: str, document: dict[str, Any]) -> dict[str, Any]:
    """Store a result document.

    Each has its own key, so that a late writer can't change what a later attempt has reported (the number of attempts
    starts over after a redrive).

    Returns:
        Its location, `{bucket, key, bytes}`.

    Raises:
        JobError: `DEPENDENCY_UNAVAILABLE` or `DEPENDENCY_REFUSED`.
    """
    return _put(bucket, f"{job_result_prefix(user_id, job_id)}{uuid.uuid4()}.json", to_json(document))


def input_location(bucket: str, message: AIJobMessage) -> dict[str, Any]:
    """Where the bucket keeps the input of a job that is about to be submitted: `{bucket, key, bytes}`.

    The key contains the input's checksum: the same job sent twice has the same location and so counts as the same job;
    another input under the same job id does not replace the first one.

    Raises:
        ValueError: when the input is over 10,000,000 bytes.
    """
    content = message.input_json.encode()
    if len(content) > MAX_INPUT_BYTES:
        rule = f"At most {MAX_INPUT_BYTES} are allowed, with numbers written out (1e15 takes 18 bytes)"
        raise ValueError(f"The input has {len(content)} bytes. {rule}. Shorten it.")
    key = f"{job_input_prefix(message.user_id, message.job_id)}{hashlib.sha256(content).hexdigest()}.json"
    return {"bucket": bucket, "key": key, "bytes": len(content)}


def put_input(message: AIJobMessage, location: dict[str, Any]) -> None:
    """Store the input of a job at its `input_location`.

    Raises:
        JobError: `DEPENDENCY_UNAVAILABLE` or `DEPENDENCY_REFUSED`.
    """
    _put(location["bucket"], location["key"], message.input_json.encode())


def _put(bucket: str, key: str, content: bytes) -> dict[str, Any]:
    with reported_as_job_error("S3"):
        get_s3_client().put_object(Bucket=bucket, Key=key, Body=content, ContentType="application/json")
    return {"bucket": bucket, "key": key, "bytes": len(content)}


def read_input(bucket: str, location: dict[str, Any]) -> dict[str, Any]:
    """The input at a location that `AIJobMessage` has checked.

    Args:
        bucket: the only bucket that inputs are read from.

    Raises:
        JobError: `INVALID_MESSAGE` if the location names another bucket or the object is not a JSON object;
            `INVALID_INPUT` if it has something that JSON in UTF-8 can't express; `INPUT_NOT_FOUND`,
            `DEPENDENCY_UNAVAILABLE`, `DEPENDENCY_REFUSED`.
    """
    if location["bucket"] != bucket:
        problem = f"inputLocation.bucket is {shown(location['bucket'])}. It must be {bucket}."
        raise JobError("INVALID_MESSAGE", problem, "inputLocation.bucket")
    client = get_s3_client()
    with reported_as_job_error("S3"):
        try:
            answer = client.get_object(Bucket=bucket, Key=location["key"])
            content = answer["Body"].read() if answer["ContentLength"] <= MAX_INPUT_BYTES else b""
        except client.exceptions.NoSuchKey:
            problem = "The input is not, or no longer, in the bucket."
            raise JobError("INPUT_NOT_FOUND", problem, "inputLocation") from None
    return _input_object(content)


def _input_object(content: bytes) -> dict[str, Any]:
    try:
        document = json_object(content.decode(), "INVALID_MESSAGE")
    except (UnicodeDecodeError, JobError):
        rule = f"The input in the bucket must be a JSON object of at most {MAX_INPUT_BYTES} bytes, in UTF-8."
        raise JobError("INVALID_MESSAGE", rule, "inputLocation") from None
    checked_json(document, "input")
    return document


def signed_url(location: dict[str, Any], clock: Callable[[], datetime] = timestamps.now) -> tuple[str, datetime]:
    """A URL that gives anyone the object, and when it expires (after 15 minutes at the latest).

    Signing needs no call to S3: that an object is gone is only noticed by whoever opens the URL.
    """
    expires_at = clock() + timedelta(seconds=URL_SECONDS)
    url = get_s3_signing_client().generate_presigned_url(
        "get_object", Params={"Bucket": location["bucket"], "Key": location["key"]}, ExpiresIn=URL_SECONDS
    )
    return url, expires_at


def erase_objects_of(bucket: str, user_id: str) -> int:
    """Delete every upload, input, and result of a user. After a failure, run it again: it continues with what is left.

    Returns:
        How many objects were deleted.

    Raises:
        JobError: `DEPENDENCY_UNAVAILABLE` or `DEPENDENCY_REFUSED`.
    """
    with reported_as_job_error("S3"):
        prefixes = (result_prefix(user_id), input_prefix(user_id), upload_prefix(user_id))
        return sum(_delete_all(bucket, prefix) for prefix in prefixes)


def _delete_all(bucket: str, prefix: str) -> int:
    client = get_s3_client()
    count = 0
    for page in client.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Prefix=prefix, PaginationConfig={"PageSize": _DELETE_BATCH}
    ):
        keys: list[ObjectIdentifierTypeDef] = [{"Key": found["Key"]} for found in page.get("Contents", [])]
        if not keys:
            continue
        answer = client.delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True})
        if refused := answer.get("Errors"):
            reason = refused[0].get("Code")
            raise JobError("DEPENDENCY_REFUSED", f"S3 did not delete {len(refused)} objects ({reason}).")
        count += len(keys)
    return count
