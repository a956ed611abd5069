"""R-J6: GET /jobs/{jobId}."""

from __future__ import annotations

import importlib
import json
import sys
from datetime import timedelta
from types import SimpleNamespace

import pytest

from ai_jobs import AIJobResultMessage, JobError, timestamps
from ai_jobs.messages import ReceivedJob
from ai_jobs.store import ClaimTerms, JobStore

CONTEXT = SimpleNamespace(
    function_name="f",
    memory_limit_in_mb=128,
    invoked_function_arn="arn:aws:lambda:eu-west-1:123456789012:function:f",
    aws_request_id="r",
)


@pytest.fixture
def get(aws, clock, monkeypatch):
    """Sends GET /jobs/{jobId} to the handler and returns status and body."""
    monkeypatch.setenv("AI_JOB_TABLE_NAME", aws.table)
    monkeypatch.delitem(sys.modules, "jobs_api.handler", raising=False)
    module = importlib.import_module("jobs_api.handler")
    monkeypatch.setattr(module, "store", JobStore(aws.table, clock=clock))

    def send(job_id, method="GET"):
        answer = module.handler(
            {
                "resource": "/jobs/{jobId}",
                "path": f"/behind/a/base/path/jobs/{job_id}",  # as a custom domain may have it
                "httpMethod": method,
                "headers": {},
                "multiValueHeaders": {},
                "queryStringParameters": None,
                "multiValueQueryStringParameters": None,
                "pathParameters": {"jobId": job_id},
                "requestContext": {"stage": "v1", "requestId": "r", "path": f"/v1/jobs/{job_id}"},
                "body": None,
                "isBase64Encoded": False,
            },
            CONTEXT,
        )
        assert answer["headers"]["Content-Type"] == "application/json"
        return answer["statusCode"], json.loads(answer["body"])

    send.module = module
    return send


@pytest.fixture
def claimed(store, clock, body):
    job = ReceivedJob.parse(body(traceId="t-1"), {}, "m", clock())
    store.claim(job, "m", ClaimTerms(clock() + timedelta(minutes=15), 3600, 60, "v1"))


OPEN = {
    "jobId": "job-1",
    "userId": "user-1",
    "jobType": "greeting",
    "status": "processing",
    "attempts": 1,
    "createdAt": "2026-01-31T12:00:00.000Z",
    "startedAt": "2026-01-31T12:00:00.000Z",
    "updatedAt": "2026-01-31T12:00:00.000Z",
    "deadlineAt": "2026-01-31T13:00:00.000Z",
    "expiresAt": "2026-03-02T12:00:00.000Z",
    "traceId": "t-1",
}


def test_an_open_job_is_shown_as_it_is(get, claimed):  # R-J6
    assert get("job-1") == (200, OPEN)


def test_a_completed_job_is_shown_with_its_result(get, claimed, store, clock, result):  # R-J6
    clock.forward(seconds=5)
    store.apply_result(
        AIJobResultMessage("job-1", "user-1", "greeting", "completed", result=result.to_document(), timestamp=clock())
    )
    assert get("job-1") == (
        200,
        OPEN
        | {
            "status": "completed",
            "updatedAt": "2026-01-31T12:00:05.000Z",
            "completedAt": "2026-01-31T12:00:05.000Z",
            "model": "amazon.nova-lite-v1:0",
            "usage": {"inputTokens": 12, "outputTokens": 5},
            "result": {
                "text": "Hello, Ada.",
                "model": "amazon.nova-lite-v1:0",
                "usage": {"inputTokens": 12, "outputTokens": 5},
                "stopReason": "end_turn",
                "truncated": False,
            },
        },
    )


def test_a_result_in_the_bucket_is_shown_as_a_signed_url(get, claimed, store, clock):
    location = {"bucket": "the-bucket", "key": "results/user=user-1/job=job-1/1.json", "bytes": 300_000}
    usage = {"inputTokens": 12, "outputTokens": 50_000}
    store.apply_result(
        AIJobResultMessage("job-1", "user-1", "greeting", "completed", result_location=location, model="m", usage=usage)
    )
    before = timestamps.now()
    status, shown = get("job-1")
    assert (status, shown["status"], shown["model"], shown["usage"]) == (200, "completed", "m", usage)
    assert shown["resultUrl"].startswith(
        "https://the-bucket.s3.eu-west-1.amazonaws.com/results/user%3Duser-1/job%3Djob-1"
    )
    left = timestamps.from_text(shown["resultUrlExpiresAt"]) - before
    assert timedelta(minutes=14) < left <= timedelta(minutes=15, seconds=5)
    assert {"result", "resultLocation"}.isdisjoint(shown)


def test_a_failed_job_is_shown_with_its_reason(get, claimed, store):  # R-J6
    error = {"code": "INVALID_INPUT", "message": "input.name must be string", "field": "input.name"}
    store.apply_result(AIJobResultMessage("job-1", "user-1", "greeting", "failed", error=error))
    status, shown = get("job-1")
    assert (status, shown["status"], shown["error"]) == (200, "failed", error)
    assert "result" not in shown


def test_an_unknown_job_is_a_404(get):  # R-J6
    status, shown = get("nobody")
    assert (status, shown["error"]["code"]) == (404, "JOB_NOT_FOUND")


def test_an_expired_job_is_a_404(get, claimed, clock):  # R-J6
    clock.forward(days=30)
    assert get("job-1")[0] == 404


@pytest.mark.parametrize("job_id", ["a b", "ümlaut", "a/b", "x" * 129, "a&b", "'; DROP TABLE", "a\n"])
def test_a_malformed_id_is_a_400_that_names_it(get, job_id):
    status, shown = get(job_id)
    assert (status, shown["error"]["code"]) == (400, "INVALID_JOB_ID")
    assert "jobId" in shown["error"]["message"]


@pytest.mark.parametrize(
    ("code", "status", "shown_code"),
    [("DEPENDENCY_UNAVAILABLE", 503, "STORE_UNAVAILABLE"), ("DEPENDENCY_REFUSED", 500, "INTERNAL_ERROR")],
)
def test_only_what_may_pass_asks_to_try_again(get, monkeypatch, code, status, shown_code):
    class Down:
        def get(self, job_id):
            raise JobError(code, "DynamoDB answered")

    monkeypatch.setattr(get.module, "store", Down())
    answered, shown = get("job-1")
    assert (answered, shown["error"]["code"]) == (status, shown_code)


def test_a_bug_is_a_500_in_the_apis_shape(get, monkeypatch):
    monkeypatch.setattr(get.module, "store", None)
    status, shown = get("job-1")
    assert (status, shown["error"]["code"]) == (500, "INTERNAL_ERROR")


def test_a_route_that_is_not_there_has_the_apis_shape(get):
    status, shown = get("job-1", method="PUT")
    assert (status, shown["error"]["code"]) == (404, "NOT_FOUND")
