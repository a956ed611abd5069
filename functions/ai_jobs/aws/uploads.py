"""The bucket: files that callers upload for their jobs."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, unquote

from ai_jobs.aws.clients import get_s3_client, get_s3_signing_client
from ai_jobs.aws.errors import CALL_ERRORS, code_of, reported_as_job_error
from ai_jobs.aws.objects import URL_SECONDS
from ai_jobs.contract.errors import JobError
from ai_jobs.contract.locations import upload_prefix

BEGINNING_BYTES = 4096
"""How much of a file is read to see what it is: the types differ in the first bytes, Office documents in the names of
the first few files in them."""

_NAME = "name"
_MISSING = ("NoSuchKey", "404")


@dataclass(frozen=True)
class UploadForm:
    """What a caller needs to upload one file: an HTML form, or a program that sends the same (multipart/form-data).

    Attributes:
        fields: the form's fields, which come before the file.
    """

    key: str
    url: str
    fields: dict[str, str]
    expires_at: datetime


def upload_form(
    bucket: str,
    user_id: str,
    name: str,
    media_type: str,
    max_bytes: int,
    clock: Callable[[], datetime],
) -> UploadForm:
    """A presigned POST for one file of a user: S3 accepts this key, this type, and 1 to `max_bytes` bytes, and no more.

    It expires with the credentials of the role that signs, or in 15 minutes. Signing needs no call to S3.
    https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html
    """
    key = f"{upload_prefix(user_id)}{uuid.uuid4()}"
    # Metadata is ASCII.
    fixed = {"Content-Type": media_type, f"x-amz-meta-{_NAME}": quote(name)}
    expires_at = clock() + timedelta(seconds=URL_SECONDS)
    post = get_s3_signing_client().generate_presigned_post(
        Bucket=bucket,
        Key=key,
        Fields=dict(fixed),
        Conditions=[*({field: value} for field, value in fixed.items()), ["content-length-range", 1, max_bytes]],
        ExpiresIn=URL_SECONDS,
    )
    return UploadForm(key, post["url"], post["fields"], expires_at)


@dataclass(frozen=True)
class StoredFile:
    """A file in the bucket.

    Attributes:
        size: in bytes.
        name: as it was uploaded; empty if that is not known.
        media_type: as it was uploaded.
        version: its ETag.
        beginning: its first bytes, `BEGINNING_BYTES` or all.
    """

    key: str
    size: int
    name: str
    media_type: str
    version: str
    beginning: bytes

    def is_copy_of(self, other: StoredFile) -> bool:
        """Is it the same file, as far as one can see? (An encrypted copy has an ETag of its own.)"""
        return replace(self, key=other.key, version=other.version) == other


def look_at(bucket: str, key: str, *, denied_is_missing: bool = False) -> StoredFile | None:
    """A file, of which only the beginning is read; None if there is none.

    Args:
        denied_is_missing: also None if S3 denies access, as it does for an object that is not there to a role that may
            not list the bucket.

    Raises:
        JobError: `DEPENDENCY_UNAVAILABLE` or `DEPENDENCY_REFUSED`.
    """
    with reported_as_job_error("S3"):
        try:
            answer = get_s3_client().get_object(Bucket=bucket, Key=key, Range=f"bytes=0-{BEGINNING_BYTES - 1}")
            beginning = answer["Body"].read()
        except CALL_ERRORS as error:
            if code_of(error) in _MISSING or (denied_is_missing and code_of(error) == "AccessDenied"):
                return None
            if code_of(error) == "InvalidRange":  # S3's response for an object without content
                return StoredFile(key, 0, "", "", "", b"")
            raise
    return StoredFile(
        key=key,
        size=int(answer["ContentRange"].rpartition("/")[2]),
        name=unquote(answer["Metadata"].get(_NAME, "")),
        media_type=answer["ContentType"],
        version=answer["ETag"],
        beginning=beginning,
    )


def copy_file(bucket: str, file: StoredFile, key: str) -> None:
    """Copy a file as it was looked at, with its type and name. A file that is there already stays, if it is the same.

    Raises:
        JobError: `ATTACHMENT_NOT_FOUND` if it is gone, `INVALID_ATTACHMENT` if another one has taken its place, or is
            where it should go; `DEPENDENCY_UNAVAILABLE` or `DEPENDENCY_REFUSED`.
    """
    with reported_as_job_error("S3"):
        try:
            get_s3_client().copy_object(
                Bucket=bucket,
                Key=key,
                CopySource={"Bucket": bucket, "Key": file.key},
                CopySourceIfMatch=file.version,
                IfNoneMatch="*",  # what another request has copied there since we looked, may belong to a job by now
                TaggingDirective="REPLACE",  # with none; to copy them takes permissions that nothing else needs
            )
        except CALL_ERRORS as error:
            if code_of(error) in _MISSING:
                raise not_found("attachments") from None
            if code_of(error) != "PreconditionFailed":
                raise
            there = look_at(bucket, key, denied_is_missing=True)
            if there is None or not there.is_copy_of(file):
                reason = "An attachment was uploaded again while it was checked. Send the request again."
                raise JobError("INVALID_ATTACHMENT", reason, "attachments") from None


def put_file(bucket: str, key: str, content: bytes, name: str, media_type: str) -> None:
    """Store a file. Raises JobError `DEPENDENCY_UNAVAILABLE` or `DEPENDENCY_REFUSED`."""
    with reported_as_job_error("S3"):
        get_s3_client().put_object(
            Bucket=bucket, Key=key, Body=content, ContentType=media_type, Metadata={_NAME: quote(name)}
        )


def read_file(bucket: str, key: str, max_bytes: int, field: str) -> bytes:
    """A file's content.

    Args:
        max_bytes: what more there is, is not read.
        field: the file's place in the job, for the error.

    Raises:
        JobError: `ATTACHMENT_NOT_FOUND`; `DEPENDENCY_UNAVAILABLE` or `DEPENDENCY_REFUSED`.
    """
    with reported_as_job_error("S3"):
        try:
            return get_s3_client().get_object(Bucket=bucket, Key=key)["Body"].read(max_bytes)
        except CALL_ERRORS as error:
            if code_of(error) in _MISSING:
                raise not_found(field) from None
            raise


def s3_location(bucket: str, key: str) -> dict[str, Any]:
    """Where a file is, as Converse writes it."""
    return {"uri": f"s3://{bucket}/{key}"}


def not_found(field: str) -> JobError:
    """The error for a file that is not in the bucket."""
    rule = "An upload can be used for a day. Upload the file again, and submit the job with the new key."
    return JobError("ATTACHMENT_NOT_FOUND", f"The file of {field} is not, or no longer, in the bucket. {rule}", field)
