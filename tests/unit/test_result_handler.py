"""R-J5: the result handler."""

from __future__ import annotations

import importlib
import json
import sys
from datetime import timedelta
from types import SimpleNamespace

import pytest

from ai_jobs import AIJobResultMessage, AWSError, ConfigurationError, JobError
from ai_jobs.aws.queues import get_queue_message_count
from ai_jobs.contract import timestamps
from ai_jobs.contract.request import ReceivedJob
from ai_jobs.service import delayed_copies
from ai_jobs.service.outcomes import Claimed, ClaimTerms
from result_handler import batch
from result_handler.batch import apply_batch
from result_handler.settings import ResultHandlerSettings


def result(job_id="job-1", text="hi", attempt=1):
    return AIJobResultMessage(job_id, "user-1", "greeting", "completed", attempt=attempt, result={"text": text})


@pytest.fixture
def handler_settings(aws, clock, monkeypatch):
    monkeypatch.setattr(batch.timestamps, "now", clock)
    return ResultHandlerSettings(aws.response_queue, aws.response_dlq, aws.table, aws.bucket, max_backoff_seconds=900)


@pytest.fixture
def claimed(store, clock, body):
    def make(job_id="job-1"):
        job = ReceivedJob.parse(body(jobId=job_id), {}, "m", clock())
        store.claim(job, "m", ClaimTerms(clock() + timedelta(minutes=15), 60, 60))

    return make


def test_a_result_reaches_its_row(claimed, store, record, handler_settings):  # R-J5
    claimed()
    assert apply_batch([record(result().to_body())], store, handler_settings) == []
    assert store.get("job-1")["result"] == {"text": "hi"}


def test_repeated_and_late_results_change_nothing_and_are_done_with(
    claimed, store, record, aws, messages_in, handler_settings
):  # R-J5
    claimed()
    for late in (result(), result(), result(text="other"), result(attempt=2)):
        assert apply_batch([record(late.to_body())], store, handler_settings) == []
    assert store.get("job-1")["result"] == {"text": "hi"}
    assert messages_in(aws.response_dlq) == []


@pytest.mark.parametrize("text", ["no json", "{}", '{"jobId": "a b"}'])
def test_what_is_no_result_goes_to_the_dlq(store, record, aws, messages_in, handler_settings, text):
    assert apply_batch([record(text, JobId="job-9")], store, handler_settings) == []
    (letter,) = messages_in(aws.response_dlq)
    assert (letter.body, letter.attributes["ErrorCode"], letter.attributes["JobId"]) == (text, "NOT_A_RESULT", "job-9")


def test_a_result_without_a_row_is_kept_where_an_operator_sees_it(store, record, aws, messages_in, handler_settings):
    assert apply_batch([record(result().to_body())], store, handler_settings) == []
    assert messages_in(aws.response_dlq)[0].attributes["ErrorCode"] == "JOB_UNKNOWN"


def test_only_what_failed_comes_back(claimed, store, record, handler_settings, monkeypatch):  # R-E2
    for number in range(3):
        claimed(f"job-{number}")
    apply = store.apply_result

    def flaky(message):
        if message.job_id == "job-1":
            raise RuntimeError("a bug")
        return apply(message)

    monkeypatch.setattr(store, "apply_result", flaky)
    records = [record(result(f"job-{number}").to_body()) for number in range(3)]
    assert apply_batch(records, store, handler_settings) == [records[1]["messageId"]]
    assert store.get("job-2")["status"] == "completed"


class Failing:
    """A table that can't be written to."""

    def __init__(self, code):
        self.code = code

    def apply_result(self, message):
        raise JobError(self.code, "DynamoDB answered")


def test_a_result_waits_out_an_outage_of_the_table_without_using_a_receive(record, handler_settings, aws):
    coming = record(result().to_body(), receive_count=3, JobId="job-1", Status="completed", TraceId="t")
    assert apply_batch([coming], Failing("DEPENDENCY_UNAVAILABLE"), handler_settings) == []
    assert get_queue_message_count(aws.response_queue).delayed == 1


def test_the_copy_of_a_result_keeps_all_that_it_came_with(record, handler_settings, monkeypatch, clock):
    sent = []
    monkeypatch.setattr(delayed_copies, "send_message", lambda *args: sent.append(args) or "copy")
    text = result().to_body()
    coming = record(text, JobId="job-1", Status="completed", TraceId="t", ThrottleCount="2")
    apply_batch([coming], Failing("DEPENDENCY_UNAVAILABLE"), handler_settings)
    ((queue_url, body, attributes, group, delay, _),) = sent
    assert (queue_url, body, group) == (handler_settings.response_queue_url, text, "user-1")
    assert attributes == {
        "JobId": "job-1",
        "Status": "completed",
        "TraceId": "t",
        "ThrottleCount": "3",
        "FirstSentAt": "2026-01-31T12:00:00.000Z",
    }
    assert 1 <= delay <= 40


@pytest.mark.parametrize("age_days", [13, 15])
def test_a_result_goes_around_as_long_as_sqs_would_have_kept_it(
    record, handler_settings, messages_in, aws, clock, age_days
):
    coming = record(result().to_body(), FirstSentAt=timestamps.to_text(clock() - timedelta(days=age_days)))
    assert apply_batch([coming], Failing("DEPENDENCY_UNAVAILABLE"), handler_settings) == []
    codes = [letter.attributes["ErrorCode"] for letter in messages_in(aws.response_dlq)]
    assert codes == ([] if age_days == 13 else ["DEPENDENCY_UNAVAILABLE"])


def test_where_an_operator_has_to_act_the_result_is_dead_lettered(record, handler_settings, messages_in, aws):
    assert apply_batch([record(result().to_body())], Failing("DEPENDENCY_REFUSED"), handler_settings) == []
    (letter,) = messages_in(aws.response_dlq)
    assert (letter.attributes["ErrorCode"], letter.attributes["JobId"]) == ("DEPENDENCY_REFUSED", "job-1")


def test_a_result_that_can_not_wait_as_a_copy_comes_back(record, handler_settings, monkeypatch):
    def down(*args):
        raise AWSError("SQS is down")

    monkeypatch.setattr(delayed_copies, "send_message", down)
    coming = record(result().to_body())
    assert apply_batch([coming], Failing("DEPENDENCY_UNAVAILABLE"), handler_settings) == [coming["messageId"]]


@pytest.fixture
def handlers(monkeypatch):
    """Imports a handler module again, as a cold start does."""
    monkeypatch.setenv("AI_JOB_TABLE_NAME", "jobs")

    def load(name):
        monkeypatch.delitem(sys.modules, name, raising=False)
        return importlib.import_module(name)

    return load


CONTEXT = SimpleNamespace(
    function_name="f",
    memory_limit_in_mb=128,
    invoked_function_arn="arn:aws:lambda:eu-west-1:123456789012:function:f",
    aws_request_id="r",
    get_remaining_time_in_millis=lambda: 900_000,
)


def test_the_handler_answers_in_lambdas_terms(handlers, claimed, record, aws, monkeypatch):
    claimed()
    monkeypatch.setenv("AI_JOB_RESPONSE_DLQ_URL", aws.response_dlq)
    monkeypatch.setenv("AI_JOB_RESPONSE_QUEUE_URL", aws.response_queue)
    monkeypatch.setenv("AI_JOB_MAX_BACKOFF_SECONDS", "900")
    monkeypatch.setenv("AI_JOB_BUCKET", aws.bucket)
    handler = handlers("result_handler.handler").handler
    assert handler({"Records": [record(result().to_body())]}, CONTEXT) == {"batchItemFailures": []}
    monkeypatch.setenv("AI_JOB_TABLE_NAME", "missing")
    monkeypatch.setenv("AI_JOB_RESPONSE_DLQ_URL", "https://sqs.eu-west-1.amazonaws.com/123456789012/missing")
    failing = record(result().to_body())
    answer = handlers("result_handler.handler").handler({"Records": [failing]}, CONTEXT)
    assert answer == {"batchItemFailures": [{"itemIdentifier": failing["messageId"]}]}


@pytest.mark.parametrize(
    ("module", "variable"),
    [
        ("processor.handler", "AI_JOB_REQUEST_QUEUE_URL"),
        ("result_handler.handler", "AI_JOB_RESPONSE_QUEUE_URL"),
        ("reconciler.handler", "AI_JOB_REQUEST_DLQ_URL"),
        ("jobs_api.handler", "AI_JOB_AUTHORIZATION"),
    ],
)
def test_a_function_does_not_start_without_its_settings(handlers, monkeypatch, module, variable):  # R-C3
    monkeypatch.delenv(variable, raising=False)
    with pytest.raises(ConfigurationError, match=variable):
        handlers(module)


def test_the_processors_handler_works_on_a_batch(handlers, aws, record, body, monkeypatch):
    for name, value in {
        "AI_JOB_REQUEST_QUEUE_URL": aws.request_queue,
        "AI_JOB_REQUEST_DLQ_URL": aws.request_dlq,
        "AI_JOB_RESPONSE_QUEUE_URL": aws.response_queue,
        "AI_JOB_BUCKET": aws.bucket,
        "AI_JOB_CONFIG_APPLICATION": "a",
        "AI_JOB_CONFIG_ENVIRONMENT": "e",
        "AI_JOB_CONFIG_PROFILE": "p",
        "AI_JOB_CONFIG_MAX_AGE_SECONDS": "60",
        "AI_JOB_VISIBILITY_TIMEOUT_SECONDS": "900",
        "AI_JOB_MAX_RECEIVE_COUNT": "3",
        "AI_JOB_DEFAULT_DEADLINE_SECONDS": "60",
        "AI_JOB_MAX_BACKOFF_SECONDS": "900",
        "AI_JOB_MODEL_ACCESS_WAIT_SECONDS": "300",
        "AI_JOB_RETENTION_DAYS": "30",
    }.items():
        monkeypatch.setenv(name, value)
    module = handlers("processor.handler")
    broken = JobError("INVALID_CONFIGURATION", "no types")

    def fail():
        raise broken

    monkeypatch.setattr(module.job_types, "get", fail)
    assert module.handler({"Records": [record(body())]}, CONTEXT) == {"batchItemFailures": []}
    assert module.store.get("job-1")["status"] == "processing"


def test_a_job_is_counted_when_its_result_is_written_and_only_then(record, store, handler_settings, claimed, measured):
    claimed()
    coming = record(result().to_body())
    apply_batch([coming], store, handler_settings)
    found = measured()
    assert (found["JobsCompleted"], found["Attempts"]) == ([("greeting", 1)], [("greeting", 1)])
    apply_batch([coming], store, handler_settings)
    assert measured() == {}


def test_a_failed_job_is_counted_as_failed(record, store, handler_settings, claimed, measured):
    claimed()
    failed = AIJobResultMessage("job-1", "user-1", "greeting", "failed", error={"code": "X", "message": "m"})
    apply_batch([record(failed.to_body())], store, handler_settings)
    assert measured()["JobsFailed"] == [("greeting", 1)]


# Results of other producers


CLIENT_EXAMPLE = {
    "jobId": "job-1",
    "userId": "user-1",
    "jobType": "greeting",
    "status": "completed",
    "result": {"content": "Five tips for sellers ...", "wordCount": 850},
    "timestamp": "2026-01-31T12:00:00.000Z",
    "processingTime": 2500,
    "traceId": "trace-123",
}
"""A result as the users of the TypeScript client send it."""


@pytest.fixture
def apply(store, record, handler_settings):
    """Passes a message to the handler, which must not return it."""

    def handle(document=None, **changes):
        text = document if isinstance(document, str) else json.dumps(CLIENT_EXAMPLE | changes)
        assert apply_batch([record(text)], store, handler_settings) == []

    return handle


def test_another_producers_result_is_shown_as_it_is(claimed, apply, store, aws, messages_in):  # R-C2
    claimed()
    apply()
    row = store.get("job-1")
    assert (row["status"], row["result"]) == ("completed", CLIENT_EXAMPLE["result"])
    assert {"model", "usage"}.isdisjoint(row)
    assert messages_in(aws.response_dlq) == []


def test_another_producers_error_may_be_a_text(claimed, apply, store):
    claimed()
    apply(status="failed", result=None, error="The model broke")
    row = store.get("job-1")
    assert (row["status"], row["error"]) == ("failed", {"code": "JOB_FAILED", "message": "The model broke"})


def test_without_an_attempt_a_result_is_the_latest_attempts_of_an_open_job(claimed, apply, store, clock, body):
    claimed()
    store.release("job-1", 1)
    claimed()
    apply(timestamp=timestamps.to_text(clock() - timedelta(hours=1)))  # a clock that is slow
    assert (store.get("job-1")["status"], store.get("job-1")["attempt"]) == ("completed", 2)
    apply(result={"content": "another"})
    assert store.get("job-1")["result"]["wordCount"] == 850, "the job had ended"
    store.submit(ReceivedJob.parse(body(jobId="job-2"), {}, "m", clock()), 60, 60)
    apply(jobId="job-2")
    assert store.get("job-2")["status"] == "completed", "no worker of ours ever had it"


def test_the_rows_user_and_type_take_precedence(claimed, apply, store, measured):
    claimed()
    apply(userId="somebody", jobType="some-type")
    row = store.get("job-1")
    assert (row["status"], row["userId"], row["jobType"]) == ("completed", "user-1", "greeting")
    assert measured()["JobsCompleted"] == [("greeting", 1)]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"bucket": "somebody-elses"}, "resultLocation.bucket"),
        ({"key": "results/user=user-2/job=job-1/1.json"}, "resultLocation.key"),
        ({"key": "results/user=user-1/job=job-2/1.json"}, "resultLocation.key"),
        ({"key": "secrets.json"}, "resultLocation.key"),
    ],
)
def test_a_result_must_lie_where_the_jobs_own_results_do(claimed, apply, store, aws, messages_in, change, field):
    claimed()
    location = {"bucket": aws.bucket, "key": "results/user=user-1/job=job-1/1.json", "bytes": 10}
    # What the message says about the user does not count.
    apply(result=None, resultLocation=location | change, userId="user-2", attempt=1)
    (letter,) = messages_in(aws.response_dlq)
    assert letter.attributes["ErrorCode"] == "NOT_A_RESULT"
    assert field in letter.attributes["ErrorMessage"]
    assert store.get("job-1")["status"] == "processing"
    apply(result=None, resultLocation=location, attempt=1)
    assert store.get("job-1")["resultLocation"] == location


def test_a_moment_in_the_future_is_now(claimed, apply, store, clock, body):
    claimed()
    apply(status="failed", result=None, error="broke", timestamp="2999-01-01T00:00:00Z")
    assert store.get("job-1")["completedAt"] == timestamps.to_text(clock())
    clock.forward(minutes=1)
    redriven = ReceivedJob.parse(body(), {}, "m", clock())
    assert isinstance(store.claim(redriven, "m", ClaimTerms(clock(), 60, 60)), Claimed), "it can be redriven"


@pytest.mark.parametrize("number", ["1e300", "1e-200", "1e126", "9" * 39, "NaN", "-Infinity", "1e999", "9" * 5000])
def test_a_number_that_can_not_be_stored_does_not_go_around(claimed, apply, store, aws, messages_in, number):
    claimed()
    apply(json.dumps(CLIENT_EXAMPLE | {"result": {"score": "N"}}).replace('"N"', number))
    (letter,) = messages_in(aws.response_dlq)
    assert letter.attributes["ErrorCode"] == "NOT_A_RESULT"
    assert "result.score" in letter.attributes["ErrorMessage"]
    assert store.get("job-1")["status"] == "processing"


def test_an_empty_key_does_not_go_around(claimed, apply, store, aws, messages_in):
    claimed()
    apply(result={"table": {"": 1}})
    (letter,) = messages_in(aws.response_dlq)
    assert "result.table has an empty key" in letter.attributes["ErrorMessage"]
    assert store.get("job-1")["status"] == "processing"


@pytest.mark.parametrize("number", [0.1, 1.5, -7, 1e100, 9.99e125, 1e-130, 10**38 - 1, 2**63 + 1, 0, -0.0, True, 1e22])
def test_numbers_and_all_else_come_through_unchanged(claimed, apply, store, number):
    claimed()
    result = {"content": {"n": [number], "none": None, "b": False, "text": "a\u0000\uffff", "list": [], "map": {}}}
    apply(result=result)
    shown = store.get("job-1")["result"]
    assert shown == result
    assert isinstance(shown["content"]["n"][0], bool) is isinstance(number, bool)


@pytest.mark.parametrize(
    "usage",
    [
        {"inputTokens": "7"},
        {"inputTokens": 7, "outputTokens": 1, "cacheReadInputTokens": None},
        {"inputTokens": 7, "outputTokens": 1, "cacheWriteInputTokens": "many"},
    ],
)
def test_what_the_message_says_of_model_and_usage_is_shown_where_it_is_usable(claimed, apply, store, usage):
    claimed()
    apply(result={"model": ["m"], "usage": usage})
    assert {"model", "usage"}.isdisjoint(store.get("job-1"))
