"""The bucket: large inputs, large results, signed URLs."""

from __future__ import annotations

import json
import urllib.parse
from datetime import timedelta

import boto3
import pytest

from ai_jobs import AIJobMessage, AIJobsError, JobError, send_ai_job_request
from ai_jobs.aws import objects
from ai_jobs.aws.clients import forget_clients
from ai_jobs.contract.request import ReceivedJob

LARGE = {"name": "ü" * 100_001}


@pytest.fixture
def stored(aws):
    def read(key):
        return json.loads(boto3.client("s3").get_object(Bucket=aws.bucket, Key=key)["Body"].read())

    return read


@pytest.fixture
def sent(aws, messages_in):
    def read():
        (message,) = messages_in(aws.request_queue)
        return message

    return read


def test_a_large_input_goes_to_the_bucket(aws, sent, stored, clock):
    job = AIJobMessage("user-1", "greeting", LARGE, job_id="job-1")
    send_ai_job_request(job, queue_url=aws.request_queue, bucket=aws.bucket)
    message = sent()
    document = json.loads(message.body)
    assert "input" not in document
    location = document["inputLocation"]
    assert location["key"].startswith("inputs/user=user-1/job=job-1/")
    assert stored(location["key"]) == LARGE
    received = ReceivedJob.parse(message.body, message.attributes, "m", clock())
    received.check()
    assert objects.read_input(aws.bucket, received.input_location) == LARGE


def test_the_bucket_may_come_from_the_environment(aws, sent, monkeypatch):
    monkeypatch.setenv("AI_JOB_BUCKET", aws.bucket)
    send_ai_job_request(AIJobMessage("user-1", "greeting", LARGE), queue_url=aws.request_queue)
    assert "inputLocation" in json.loads(sent().body)


def test_fields_that_are_null_count_too(aws, sent, stored):
    nulls = {f"field-{number}": None for number in range(15_000)}
    job = AIJobMessage("user-1", "greeting", nulls)
    send_ai_job_request(job, queue_url=aws.request_queue, bucket=aws.bucket)
    assert stored(json.loads(sent().body)["inputLocation"]["key"]) == nulls


def test_an_ordinary_input_stays_in_the_message(aws, sent):
    job = AIJobMessage("user-1", "greeting", {"name": "x" * 199_000})
    send_ai_job_request(job, queue_url=aws.request_queue, bucket=aws.bucket)
    assert json.loads(sent().body)["input"] == job.input


def test_without_a_bucket_the_queues_limit_holds_and_the_way_out_is_named(aws, monkeypatch):
    monkeypatch.delenv("AI_JOB_BUCKET", raising=False)
    with pytest.raises(ValueError, match="at most 262144.*AI_JOB_BUCKET"):
        send_ai_job_request(AIJobMessage("user-1", "greeting", {"name": "x" * 262_144}), queue_url=aws.request_queue)


def test_there_is_a_limit_with_a_bucket_too(aws):
    with pytest.raises(ValueError, match="At most 10000000"):
        send_ai_job_request(
            AIJobMessage("user-1", "greeting", {"name": "x" * 10_000_000}),
            queue_url=aws.request_queue,
            bucket=aws.bucket,
        )


def test_an_input_that_can_not_be_stored_is_not_sent(aws, messages_in):
    with pytest.raises(AIJobsError, match="Cannot store the input in missing"):
        send_ai_job_request(AIJobMessage("user-1", "greeting", LARGE), queue_url=aws.request_queue, bucket="missing")
    assert messages_in(aws.request_queue) == []


def test_the_same_job_twice_is_the_same_and_another_input_another(aws, messages_in, clock):
    for job_input in (LARGE, LARGE, {"name": "x" * 200_001}):
        job = AIJobMessage("user-1", "greeting", job_input, job_id="job-1")
        send_ai_job_request(job, queue_url=aws.request_queue, bucket=aws.bucket)
    found = [ReceivedJob.parse(m.body, m.attributes, "m", clock()) for m in messages_in(aws.request_queue)]
    assert len({job.payload_hash for job in found}) == 2


@pytest.mark.parametrize("user", ["user-1", "..", "a:b@c"])
def test_every_attempt_has_a_result_of_its_own(aws, stored, user):
    first, second = (objects.put_result(aws.bucket, user, "job-1", {"text": str(attempt)}) for attempt in (1, 2))
    assert (stored(first["key"]), stored(second["key"])) == ({"text": "1"}, {"text": "2"})
    assert first["key"].split("/")[1] == f"user={user}"


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1"])
def test_a_signed_url_is_of_version_4_at_the_regions_endpoint_and_short(clock, monkeypatch, region):
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    forget_clients()
    url, ends_at = objects.signed_url({"bucket": "the-bucket", "key": "results/user=a:b@c/job=j/1.json"}, clock)
    parts = urllib.parse.urlsplit(url)
    query = urllib.parse.parse_qs(parts.query)
    assert parts.hostname == f"the-bucket.s3.{region}.amazonaws.com"
    assert urllib.parse.unquote(parts.path) == "/results/user=a:b@c/job=j/1.json"
    assert query["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
    assert query["X-Amz-Expires"] == ["900"]
    assert ends_at == clock() + timedelta(minutes=15)


def test_a_users_objects_can_be_erased_page_by_page(aws, monkeypatch):
    monkeypatch.setattr(objects, "_DELETE_BATCH", 2)
    for number in range(5):
        objects.put_result(aws.bucket, "ann", f"job-{number}", {})
    job = AIJobMessage("ann", "greeting", {})
    objects.put_input(job, objects.input_location(aws.bucket, job))
    objects.put_result(aws.bucket, "anna", "job-1", {})
    assert objects.erase_objects_of(aws.bucket, "ann") == 6
    assert objects.erase_objects_of(aws.bucket, "ann") == 0
    (left,) = boto3.client("s3").list_objects_v2(Bucket=aws.bucket)["Contents"]
    assert left["Key"].startswith("results/user=anna/job=job-1/")


def test_what_s3_does_not_delete_is_an_error(aws, monkeypatch):
    objects.put_result(aws.bucket, "ann", "job-1", {})
    client = objects.get_s3_client()
    monkeypatch.setattr(client, "delete_objects", lambda **_: {"Errors": [{"Code": "AccessDenied"}]})
    with pytest.raises(JobError, match="did not delete 1 objects .AccessDenied"):
        objects.erase_objects_of(aws.bucket, "ann")


def test_a_missing_bucket_is_the_operators_business(aws):
    with pytest.raises(JobError) as caught:
        objects.put_result("missing", "ann", "job-1", {})
    assert caught.value.code == "DEPENDENCY_REFUSED"
