"""R-S1, R-J5: how often a job writes the table and its indexes, counted from what modules/store projects."""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta

import boto3
import pytest

from ai_jobs.aws.queues import receive_messages, send_message
from ai_jobs.contract.request import ReceivedJob
from ai_jobs.service.budget import Budget
from ai_jobs.service.job_store import OPEN_SHARDS, open_shard
from ai_jobs.service.lifecycle import INDEXES
from ai_jobs.service.outcomes import Submission
from ai_jobs.service.table import JobsTable
from processor.worker import Disposition, Worker
from result_handler.batch import apply_batch
from result_handler.settings import ResultHandlerSettings


def index_writes(keys, projected, before, after):
    """What a change of a row costs an index: nothing, one write, or two when its place in the index changes.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html#GSI.ThroughputConsiderations.Writes
    """
    old, new = (
        {name: row[name] for name in (*keys, *projected) if name in row} if set(keys) <= set(row) else None
        for row in (before, after)
    )
    if old == new:
        return 0
    moved = old and new and any(old[name] != new[name] for name in keys)
    return 2 if moved else 1


@pytest.fixture
def writes(aws, monkeypatch):
    """Counts the writes of the table and of each index."""
    counted = Counter()
    execute = JobsTable.execute

    def row(job_id):
        answer = boto3.client("dynamodb").get_item(TableName=aws.table, Key={"jobId": {"S": job_id}})
        return answer.get("Item", {})

    def counting(self, transition, job_id, *change, **more):
        before = row(job_id)
        answer = execute(self, transition, job_id, *change, **more)
        counted["table"] += 1
        for index in INDEXES:
            written = index_writes(index.keys, index.projects, before, row(job_id))
            assert not written or index.effect_of(transition), f"{transition.name} writes {index.name}"
            counted[index.name] += written
        return answer

    monkeypatch.setattr(JobsTable, "execute", counting)
    return counted


@pytest.fixture
def run_job(aws, settings, store, clock, job_types, result, record):
    """What the processor and the result handler do with the message in the request queue."""

    def run():
        ends_at = clock() + timedelta(minutes=15)
        worker = Worker(settings, store, Budget(aws.table), lambda: job_types, ends_at, lambda *_: result, clock)
        (message,) = receive_messages(aws.request_queue, wait_seconds=0)
        clock.forward(seconds=1)
        assert worker.work_on(message, job_types) is Disposition.DONE
        (outcome,) = receive_messages(aws.response_queue, wait_seconds=0)
        clock.forward(seconds=1)
        handler_settings = ResultHandlerSettings(aws.response_queue, aws.response_dlq, aws.table, aws.bucket, 900)
        assert apply_batch([record(outcome.body)], store, handler_settings) == []
        assert store.get("job-1")["status"] == "completed"

    return run


def test_a_submitted_job_writes_each_index_three_times(aws, store, clock, body, writes, run_job):  # R-S1
    job = ReceivedJob.parse(body(traceId="t", timestamp="2026-01-31T12:00:00Z"), {}, "m", clock())
    assert store.submit(job, 21_600, 1800).submission is Submission.ACCEPTED
    send_message(aws.request_queue, json.dumps(job.document), {}, "user-1")
    run_job()
    assert writes == {"table": 3, "by-user": 3, "open-jobs": 3}


def test_a_posted_job_writes_each_index_twice(aws, body, writes, run_job):  # R-S1
    send_message(aws.request_queue, body(traceId="t", timestamp="2026-01-31T12:00:00Z"), {}, "user-1")
    run_job()
    assert writes == {"table": 2, "by-user": 2, "open-jobs": 2}


def test_no_shard_of_the_open_jobs_is_hot():  # R-S1
    """At 1,000 jobs a second with their three writes each, one partition may take 1,000 a second."""
    shards = Counter(open_shard(f"job-{number}") for number in range(10_000))
    assert set(shards) == set(range(OPEN_SHARDS))
    assert 3 * 1000 * max(shards.values()) / 10_000 < 100


def test_index_writes_are_counted_as_dynamodb_does():
    keys, projected = ("k", "r"), ["a"]
    row = {"k": 1, "r": 1, "a": 1, "other": 1}
    for before, after, number in (
        ({}, row, 1),
        (row, row | {"other": 2}, 0),
        (row, row | {"a": 2}, 1),
        (row, row | {"r": 2}, 2),
        (row, {"r": 1, "a": 1}, 1),
        ({"a": 1}, {"a": 2}, 0),
    ):
        assert index_writes(keys, projected, before, after) == number
