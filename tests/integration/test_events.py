"""Events of jobs that ended: from the table's stream over EventBridge to a queue that listens (docs/events.md)."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import jsonschema
import pytest

from ai_jobs import AIJobMessage, delete_message, get_queue_message_count, receive_messages
from ai_jobs.contract import timestamps
from ai_jobs.contract.request import ReceivedJob
from ai_jobs.contract.row import has_ended
from ai_jobs.service.job_store import JobStore
from ai_jobs.service.outcomes import ClaimTerms

SCHEMA = json.loads((Path(__file__).parents[2] / "docs/schemas/job-event.json").read_text())
_events: list[dict[str, Any]] = []


@pytest.fixture
def heard(outputs: SimpleNamespace, until: Callable[..., Any]) -> Callable[..., list[dict[str, Any]]]:
    """Waits for so many events of a job and returns all that have come, in the order of their arrival."""

    def listen(job_id: str) -> list[dict[str, Any]]:
        while messages := receive_messages(outputs.listener_queue_url, wait_seconds=0):
            for message in messages:
                _events.append(json.loads(message.body))
                delete_message(outputs.listener_queue_url, message.receipt_handle)
        return [event for event in _events if event["detail"]["jobId"] == job_id]

    def wait(job_id: str, count: int = 1) -> list[dict[str, Any]]:
        until(lambda: len(listen(job_id)) >= count, f"{count} events of job {job_id}")
        return listen(job_id)

    return wait


@pytest.fixture
def ended(outputs: SimpleNamespace, until: Callable[..., Any]) -> Callable[[str], dict[str, Any]]:
    """Waits for the end of a job and returns its row."""

    def look(job_id: str) -> dict[str, Any] | None:
        row = JobStore(outputs.table_name).get(job_id)
        return row if row is not None and has_ended(row) else None

    return lambda job_id: until(lambda: look(job_id), f"the end of job {job_id}")


@pytest.fixture
def open_job(outputs: SimpleNamespace) -> Callable[[], str]:
    """Writes the row of a job that a worker has begun, and returns its id."""

    def make() -> str:
        store, job_id, now = JobStore(outputs.table_name), str(uuid.uuid4()), timestamps.now()
        body = AIJobMessage("user-1", "echo", {"text": "hi"}, job_id=job_id).to_body()
        job = ReceivedJob.parse(body, {}, job_id, now)
        store.claim(job, job_id, ClaimTerms(now + timedelta(minutes=5), 3600, 60))
        return job_id

    return make


@pytest.fixture
def denied(outputs: SimpleNamespace) -> Iterator[Callable[[], None]]:
    """Takes the publisher its permission to publish; call it to give it back. It is back after the test in any case."""
    iam, policy = boto3.client("iam"), {"RoleName": outputs.event_publisher_role_name, "PolicyName": "denied"}
    statement = {"Effect": "Deny", "Action": "events:PutEvents", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_role_policy(**policy, PolicyDocument=document)
    yield lambda: iam.delete_role_policy(**policy)
    if "denied" in iam.list_role_policies(RoleName=outputs.event_publisher_role_name)["PolicyNames"]:
        iam.delete_role_policy(**policy)


def test_a_completed_job_is_one_event(submit, ended, heard, outputs, text):
    job = ended(submit(text(), userId="user@example:1", traceId="trace-1"))
    (event,) = heard(job["jobId"])
    jsonschema.validate(event, SCHEMA)
    assert event["detail-type"] == "AI Job Completed"
    assert event["resources"] == [outputs.table_arn]
    moments = ("createdAt", "startedAt", "completedAt")
    shown = ("jobId", "userId", "jobType", "status", *moments, "model", "usage", "traceId")
    assert event["detail"] == {"version": 1, "attempts": 1} | {name: job[name] for name in shown}


def test_a_failed_job_is_one_event_that_does_not_repeat_what_was_sent(submit, ended, heard):
    job = ended(submit("", input={"words": "secret"}))
    (event,) = heard(job["jobId"])
    jsonschema.validate(event, SCHEMA)
    assert event["detail-type"] == "AI Job Failed"
    assert event["detail"]["error"] == {name: job["error"][name] for name in ("code", "field") if name in job["error"]}
    assert "secret" not in json.dumps(event)


def test_a_cancelled_job_is_one_event(open_job, outputs, heard):
    job_id = open_job()
    JobStore(outputs.table_name).cancel(job_id)
    (event,) = heard(job_id)
    jsonschema.validate(event, SCHEMA)
    assert event["detail-type"] == "AI Job Cancelled"


def test_an_erased_job_is_no_event_of_its_own(open_job, outputs, heard):
    job_id, marker = open_job(), open_job()
    store = JobStore(outputs.table_name)
    store.erase(job_id)
    store.cancel(marker)
    heard(marker)  # the stream is in order: what comes before the marker has been looked at
    assert [event for event in _events if event["detail"]["jobId"] == job_id] == []


def test_an_outage_between_the_write_and_the_bus_loses_no_event(open_job, denied, outputs, heard, until):
    store = JobStore(outputs.table_name)
    jobs = [open_job() for _ in range(25)]
    for job_id in jobs:
        store.cancel(job_id)
    group = f"/aws/lambda/{outputs.event_publisher_function_name}"

    def refused() -> bool:
        pages = boto3.client("logs").get_paginator("filter_log_events").paginate(logGroupName=group)
        return any("AccessDenied" in event["message"] for page in pages for event in page["events"])

    until(refused, "a refused event in the log")
    denied()
    assert [len(heard(job_id)) for job_id in jobs] == [1] * len(jobs)
    assert get_queue_message_count(outputs.events_dlq_url).total == 0


def test_the_event_of_a_row_is_published_again_as_the_page_says(submit, ended, heard, outputs, text):
    """docs/events.md, "Publish an event again": the row, handed to the function as a record of the stream."""
    job_id = ended(submit(text()))["jobId"]
    heard(job_id)
    key = {"jobId": {"S": job_id}}
    item = boto3.client("dynamodb").get_item(TableName=outputs.table_name, Key=key)["Item"]
    record = {"eventName": "INSERT", "dynamodb": {"SequenceNumber": "1", "NewImage": item}}
    answer = boto3.client("lambda").invoke(
        FunctionName=outputs.event_publisher_function_name, Payload=json.dumps({"Records": [record]})
    )
    assert json.load(answer["Payload"]) == {"batchItemFailures": []}
    first, again = heard(job_id, 2)
    assert first["detail"] == again["detail"]
    assert first["id"] != again["id"]
