"""100,000 seeded bodies and events, most of them broken in some way: no handler crashes, each message gets a verdict.

AWS is replaced by functions that do nothing, so that this takes seconds; what is sent is checked elsewhere.
"""

from __future__ import annotations

import json
import logging
import random
from datetime import timedelta
from types import SimpleNamespace

import pytest

from ai_jobs import JobError
from ai_jobs.contract import timestamps
from ai_jobs.contract.api_errors import RequestError
from ai_jobs.service import delayed_copies
from ai_jobs.service.budget import Budget
from ai_jobs.service.listing import Page
from ai_jobs.service.outcomes import (
    Applied,
    Cancellation,
    Claimed,
    Refusal,
    ResultOutcome,
    Running,
    Submission,
    Submitted,
)
from ai_jobs.service.wait_slots import WaitSlots
from jobs_api import routes
from jobs_api.requests import Request
from jobs_api.routes import JobsApi
from jobs_api.settings import JobsApiSettings
from processor import batch as processor_batch
from processor import worker as worker_module
from processor.batch import process_batch
from processor.worker import Worker
from result_handler import batch as result_batch
from result_handler.batch import apply_batch
from result_handler.settings import ResultHandlerSettings

SEED = 20_261_124
UUID = "3f2c1b0a-5d4e-4f6a-8b7c-9d0e1f2a3b4c"
JOBS, RESULTS, REQUESTS = 60_000, 30_000, 10_000
BATCH = 50

JOB = {
    "schemaVersion": 1,
    "jobId": "job-1",
    "userId": "user-1",
    "jobType": "greeting",
    "input": {"name": "Ada", "language": "English"},
    "timestamp": "2026-01-31T12:00:00.000Z",
    "traceId": "t-1",
    "deadlineSeconds": 60,
    "inputLocation": {"bucket": "objects", "key": "inputs/user=user-1/job=job-1/1.json", "bytes": 10},
}
RESULT = {
    "schemaVersion": 1,
    "jobId": "job-1",
    "userId": "user-1",
    "jobType": "greeting",
    "attempt": 1,
    "status": "completed",
    "result": {"text": "hi", "model": "m", "usage": {"inputTokens": 1, "outputTokens": 2}},
    "resultLocation": {"bucket": "objects", "key": "results/1.json", "bytes": 10},
    "error": {"code": "INVALID_INPUT", "message": "m"},
    "timestamp": "2026-01-31T12:00:00.000Z",
    "processingTime": 5,
    "model": "m",
    "usage": {"inputTokens": 1},
}
ODD = (
    *(None, True, False, 0, -1, 1, 2**63, 10**400, 1.5, -0.0, 1e308, [], [[]], {}, {"a": None}),
    *("", " ", "\u0000", "\ud800", "\uffff", "ü" * 300, "x" * 2000, "{{ 7 * 7 }}"),
    *("2026-13-45T99:99:99Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-12:00"),
)
TEXTS = ("", "null", "[]", "1e999", "NaN", "-Infinity", '"text"', "[" * 3000, '{"a":' * 3000)


class Fuzz:
    """Makes documents and texts that are wrong in one way or several."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def text(self, document):
        """A body: usually JSON with odd fields, sometimes broken as a text."""
        broken = json.dumps(self.document(document))
        kind = self.random.randrange(10)
        if kind == 0:
            return broken[: self.random.randrange(len(broken) + 1)]
        if kind == 1:
            spot = self.random.randrange(len(broken) + 1)
            return broken[:spot] + self.random.choice('{}[]",:\\\u2028x0-') + broken[spot + 1 :]
        if kind == 2:
            return self.random.choice(
                ["", "null", "[]", "1e999", "NaN", "-Infinity", '"text"', "[" * 3000, '{"a":' * 3000]
            )
        return broken

    def document(self, document):
        made = {name: value for name, value in document.items() if self.random.random() < 0.9}
        for _ in range(self.random.randrange(3)):
            made[self.random.choice([*document, "extra"])] = self.value()
        return made

    def value(self, depth=0):
        if depth < 3 and self.random.random() < 0.3:
            names = self.random.choices(["name", "text", "bucket", "key", "code", "\ud800", ""], k=2)
            return {name: self.value(depth + 1) for name in names}
        return self.random.choice(ODD)


@pytest.fixture
def fuzz():
    return Fuzz(SEED)


@pytest.fixture(autouse=True)
def _nothing_is_sent(monkeypatch):
    logging.disable(logging.CRITICAL)  # not by setattr: loggers cache whether they are enabled
    monkeypatch.setattr(worker_module.metrics, "emit", lambda *args: None)
    monkeypatch.setattr(delayed_copies, "send_message", lambda *args: "copy")
    for module in (worker_module, result_batch):
        monkeypatch.setattr(module, "send_to_dlq", lambda *args, **kwargs: None)
    monkeypatch.setattr(worker_module.BatchSender, "send", lambda *args, **kwargs: "id")
    monkeypatch.setattr(worker_module, "change_visibility", lambda *args: None)
    monkeypatch.setattr(processor_batch, "change_visibility_of_all", lambda *args: [])
    yield
    logging.disable(logging.NOTSET)


def test_no_body_crashes_the_processor(fuzz, settings, clock, job_types, answer, record, monkeypatch):
    class Store:
        """Claims, refuses and fails as it likes."""

        def claim(self, job, message_id, terms):
            answers = (
                Claimed(1, clock() + timedelta(hours=1), 1), Claimed(2, clock(), 2), Running(clock()), Refusal.FINISHED,
                Refusal.CONFLICT, JobError("DEPENDENCY_UNAVAILABLE", "down"),
            )  # fmt: skip
            answer = fuzz.random.choices(answers, weights=(20, 1, 1, 1, 1, 1))[0]
            if isinstance(answer, JobError):
                raise answer
            return answer

        def release(self, *args, **kwargs):
            return True

        def find(self, job_id):
            return fuzz.random.choice([None, {"status": "processing"}, {"status": "cancelled"}])

    monkeypatch.setattr(worker_module.objects, "read_input", lambda bucket, location: {"name": fuzz.value()})
    crashes = []
    monkeypatch.setattr(processor_batch, "describe", lambda error: crashes.append(error) or {})
    monkeypatch.setattr(worker_module, "describe", lambda error: crashes.append(error) or {})
    worker = Worker(
        settings,
        Store(),
        Budget("none"),
        lambda: job_types,
        clock() + timedelta(minutes=15),
        lambda *args: answer,
        clock,
    )
    source = SimpleNamespace(get=lambda: job_types)
    for _ in range(JOBS // BATCH):
        records = [_record(fuzz, record, JOB) for _ in range(BATCH)]
        failed = process_batch(records, worker, source)
        assert set(failed) <= {item["messageId"] for item in records}
        assert len(failed) == len(set(failed))
    assert crashes == []


def test_no_body_crashes_the_result_handler(fuzz, aws, record, monkeypatch):
    class Store:
        def apply_result(self, message):
            json.loads(message.to_body())
            applied = fuzz.random.choice(list(Applied))
            written = {"createdAt": "2026-01-31T12:00:00Z", "completedAt": timestamps.to_text(message.timestamp)}
            who = {"jobId": message.job_id, "jobType": message.job_type, "userId": "user-1"}
            row = written | who | {"status": message.status, "attempt": 1, "calls": 1}
            return ResultOutcome(applied, row if applied is Applied.APPLIED else None)

    crashes = []
    monkeypatch.setattr(result_batch, "describe", lambda error: crashes.append(error) or {})
    handler_settings = ResultHandlerSettings(aws.response_queue, aws.response_dlq, aws.table, aws.bucket, 900)
    for _ in range(RESULTS // BATCH):
        records = [_record(fuzz, record, RESULT) for _ in range(BATCH)]
        assert apply_batch(records, Store(), handler_settings) == []
    assert crashes == []


def _record(fuzz, record, document):
    made = record(fuzz.text(document), receive_count=fuzz.random.randrange(1, 5))
    for name in ("JobId", "FirstSentAt", "ThrottleCount", "TraceId", "Other"):
        if fuzz.random.random() < 0.1:
            text = fuzz.random.choice(["job-1", "", "9" * 5000, "2026-01-31T12:00:00Z", "\u0663", "-1", "ü b"])
            made["messageAttributes"][name] = fuzz.random.choice(
                [{"stringValue": text, "dataType": "String"}, {"binaryValue": "AA==", "dataType": "Binary"}]
            )
    return made


def test_no_request_crashes_the_api(fuzz, clock, job_types, monkeypatch):
    row = {"jobId": "j", "userId": "user-1", "jobType": "t", "status": "completed", "updatedAt": "2026-01-31T12:00:00Z"}

    class Store:
        def get(self, job_id):
            return fuzz.random.choice([None, row])

        def submit(self, job, deadline_seconds, grace_seconds, delay_seconds):
            return Submitted(fuzz.random.choice(list(Submission)), clock(), clock(), clock())

        def is_job(self, job):
            return False

        def cancel(self, job_id, user_id):
            return Cancellation(fuzz.random.choice([None, row]), fuzz.random.random() < 0.5)

        @property
        def listing(self):
            return self

        def page_of(self, user_id, limit, after, status, job_type):
            assert after is None or all(isinstance(part, str) for part in after)
            return Page([row], fuzz.random.choice([None, ("2026#j", "j")]))

    monkeypatch.setattr(routes, "send_message", lambda *_: None)
    monkeypatch.setattr(routes, "put_input", lambda message, location: None)
    settings = JobsApiSettings("t", "b", "q", "a", "e", "p", 60, 60, 60, 30, 25, "AWS_IAM")
    source = SimpleNamespace(get=lambda: job_types)
    api = JobsApi(settings, Store(), source, WaitSlots("t", None), clock=lambda: 0.0, sleep=lambda seconds: None)
    body = {name: JOB[name] for name in ("userId", "jobType", "input", "traceId")} | {"delaySeconds": 1}
    seen = set()
    for _ in range(REQUESTS):
        seen.add(_status_of(fuzz, api, body))
    assert seen == {200, 202, 304, 400, 404, 409, 413, 415}


def _status_of(fuzz, api, body):
    """Sends a request as API Gateway may pass one on, all of whose texts may be odd."""
    choose = fuzz.random.choice
    texts = [
        "",
        " ",
        "\x00",
        "\ud800",
        "ü" * 300,
        "5",
        "0",
        "-1",
        "9" * 5000,
        "\u0663",
        "user-1",
        "queued",
        "*",
        "WyJhIiwiYiJd",
    ]
    names = choose(
        [(), (), ("wait",), ("userId",), ("userId", "limit"), ("userId", "cursor"), ("userId", "status"), ("x",)]
    )
    method, resource = choose(
        [("PUT", "/jobs/{jobId}"), ("GET", "/jobs/{jobId}"), ("DELETE", "/jobs/{jobId}"), ("GET", "/jobs")]
    )
    headers = {choose(["Content-Type", "content-type"]): choose(["application/json", "application/json", *texts])}
    event = {
        "httpMethod": method,
        "resource": resource,
        "path": "/jobs",
        "headers": choose([None, {}, headers, headers | {"If-None-Match": choose(texts)}]),
        "multiValueQueryStringParameters": {name: [choose(texts)] for name in names} or None,
        "pathParameters": choose([None, {"jobId": choose([UUID, UUID, UUID, *texts])}]),
        "requestContext": {"path": "/v1/jobs"},
        "body": choose([None, "x" * 4_000_001, *(fuzz.text(body) for _ in range(8))]),
    }
    try:
        answer = api.answer(Request.from_event(event, "AWS_IAM", lambda: 29.0))
    except RequestError as error:
        json.dumps(error.to_body())
        return error.status
    text = answer.to_proxy()["body"]
    assert text == "" or json.loads(text)
    return answer.status
