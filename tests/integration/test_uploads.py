"""R-A2 on the stack: files from the caller's disk to the model, and no further than their user."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
import urllib3

from ai_jobs import BadRequestError, JobFailedError, JobsClient, SigV4Auth, erase_user
from scripts.local_api import Api

PNG = b"\x89PNG\r\n\x1a\n" + bytes(1_000)
PHOTO = {"name": "photo.png", "mediaType": "image/png"}
INPUT = {"text": "What is in the picture?"}


@pytest.fixture
def user() -> str:
    return f"user-{uuid.uuid4()}"


@pytest.fixture
def client(api: Api) -> Iterator[JobsClient]:
    with JobsClient(api._url, SigV4Auth()) as client:
        yield client


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "Wohnzimmer (1).png"
    path.write_bytes(PNG)
    return path


@pytest.fixture
def stored(outputs: SimpleNamespace) -> Callable[[str], list[str]]:
    """The keys of a user's objects."""

    def read(user_id: str) -> list[str]:
        found = boto3.client("s3").get_paginator("list_objects_v2").paginate(Bucket=outputs.bucket_name)
        return [one["Key"] for page in found for one in page.get("Contents", []) if f"user={user_id}/" in one["Key"]]

    return read


@pytest.fixture
def post(api: Api) -> Callable[..., int]:
    """Fills in a form as a page in a browser does, and returns S3's status."""

    def send(user_id: str, content: bytes, **changes: str) -> int:
        status, _, form = api.request("POST", "/uploads", json.dumps(PHOTO | {"userId": user_id}).encode())
        assert status == 201
        fields = form["fields"] | changes | {"file": ("photo.png", content, "image/png")}
        return urllib3.request("POST", form["url"], fields=fields).status

    return send


def test_a_photo_goes_to_the_model_and_is_erased_with_its_user(
    client: JobsClient, outputs: SimpleNamespace, photo: Path, user: str, stored: Callable[[str], list[str]]
) -> None:
    attachment = client.upload(photo, user_id=user, job_type="picture")
    job = client.submit("picture", INPUT, attachments=[attachment], user_id=user)
    assert client.wait(job, 60).raise_for_status().result
    upload, copy = sorted(stored(user), reverse=True)
    assert upload == attachment.key
    assert copy == f"inputs/user={user}/job={job.job_id}/{attachment.key.rpartition('/')[2]}"
    erased = erase_user(user, table_name=outputs.table_name, bucket=outputs.bucket_name)
    assert (erased.jobs, erased.objects) == (1, 2)
    assert stored(user) == []


def test_a_job_keeps_its_file_when_the_upload_is_gone(
    client: JobsClient, outputs: SimpleNamespace, photo: Path, user: str
) -> None:
    attachment = client.upload(photo, user_id=user)
    job_id = uuid.uuid4()
    submission: dict[str, Any] = {"attachments": [attachment], "user_id": user, "job_id": job_id}
    client.submit("picture", INPUT, **submission)
    boto3.client("s3").delete_object(Bucket=outputs.bucket_name, Key=attachment.key)
    client.submit("picture", INPUT, **submission)
    assert client.wait(str(job_id), 60).status == "completed"


def test_a_file_that_is_gone_fails_the_job(
    client: JobsClient, outputs: SimpleNamespace, photo: Path, user: str, stored: Callable[[str], list[str]]
) -> None:
    attachment = client.upload(photo, user_id=user)
    job = client.submit("picture", INPUT, attachments=[attachment], user_id=user, delay_seconds=2)
    for key in stored(user):
        boto3.client("s3").delete_object(Bucket=outputs.bucket_name, Key=key)
    with pytest.raises(JobFailedError, match="ATTACHMENT_NOT_FOUND.*attachments.0"):
        client.wait(job, 60).raise_for_status()


def test_another_users_file_is_rejected(client: JobsClient, photo: Path, user: str) -> None:
    attachment = client.upload(photo, user_id=user)
    with pytest.raises(BadRequestError) as caught:
        client.submit("picture", INPUT, attachments=[attachment], user_id="user-2")
    assert (caught.value.code, caught.value.field) == ("INVALID_ATTACHMENT", "attachments.0.key")


def test_a_posted_job_may_not_name_another_users_file_either(
    api: Api, client: JobsClient, photo: Path, user: str
) -> None:
    attachment = client.upload(photo, user_id=user)
    body = {"userId": "user-2", "jobType": "picture", "input": INPUT, "attachments": [attachment.to_document()]}
    status, _, accepted = api.request("POST", "/jobs", json.dumps(body).encode())
    assert status == 202
    with pytest.raises(JobFailedError, match="INVALID_ATTACHMENT.*attachments.0.key"):
        client.wait(accepted["jobId"], 60).raise_for_status()


def test_a_posted_job_has_its_file(api: Api, client: JobsClient, photo: Path, user: str) -> None:
    attachment = client.upload(photo, user_id=user)
    body = {"userId": user, "jobType": "picture", "input": INPUT, "attachments": [attachment.to_document()]}
    status, _, accepted = api.request("POST", "/jobs", json.dumps(body).encode())
    assert status == 202
    assert client.wait(accepted["jobId"], 60).status == "completed"


def test_a_picture_that_is_a_zip_is_found_out(client: JobsClient, tmp_path: Path, user: str) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(b"PK\x03\x04" + bytes(100))
    attachment = client.upload(path, user_id=user)
    with pytest.raises(BadRequestError, match=r"application/zip.*field attachments\.0") as caught:
        client.submit("picture", INPUT, attachments=[attachment], user_id=user)
    assert caught.value.code == "INVALID_ATTACHMENT"


def test_s3_accepts_what_the_form_says_and_nothing_else(
    post: Callable[..., int], user: str, stored: Callable[[str], list[str]]
) -> None:
    assert post(user, PNG, **{"Content-Type": "text/html"}) == 403
    assert post(user, PNG, key=f"uploads/user=user-2/{uuid.uuid4()}") == 403
    assert post(user, PNG, key=f"results/user={user}/job=j/1.json") == 403
    assert post(user, b"") == 400
    assert post(user, bytes(25_000_001)) == 400
    assert stored(user) == []
    assert post(user, PNG) == 204
    assert len(stored(user)) == 1
