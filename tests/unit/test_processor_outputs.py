"""R-A1, R-A3, R-A4: a worker with JSON output, fallback models, and prices, up to the row."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import boto3
import pytest

from ai_jobs import AIJobResultMessage, JobError
from ai_jobs.aws.queues import get_queue_message_count, send_message
from ai_jobs.contract.result import Usage
from ai_jobs.service.budget import Budget
from ai_jobs.service.conversation import Answer
from ai_jobs.service.job_types import JobTypes
from ai_jobs.service.model_prices import ModelPrice
from ai_jobs.service.token_counters import counter_key
from processor.worker import Disposition, Worker

FIRST, SECOND = "amazon.nova-lite-v1:0", "amazon.nova-pro-v1:0"
SCHEMA = {"type": "object", "required": ["greeting"], "properties": {"greeting": {"type": "string"}}}
VALID = {"greeting": "Hello, Ada."}
PRICES = {FIRST: ModelPrice(1, 2, 0.25, 1.25, {"flex": 0.5}), SECOND: ModelPrice(10, 20, 10, 10)}


class Models:
    """Answers with these documents in turn; a text is an error code. Keeps which models were called."""

    def __init__(self, *script):
        self.script = list(script)
        self.called = []

    def __call__(self, job_type, model_id, conversation, output):
        self.called.append(model_id)
        turn = self.script.pop(0)
        if isinstance(turn, str):
            raise JobError(turn, f"the model said {turn}")
        usage = Usage(1_000_000, 500_000, cache_read_tokens=1_000_000)
        tier = job_type.settings.service_tier
        content = [{"toolUse": {"toolUseId": "t-1", "name": "result", "input": turn}}]
        return Answer("", turn, model_id, usage, "tool_use", truncated=False, content=content, service_tier=tier)


def _without_pauses(low, high):
    """Nobody is to wait in place in a test; the other waits are those of messages."""
    return 0 if high < 5 else low


@pytest.fixture
def run(aws, settings, store, clock, type_document, received, body, messages_in):
    """Runs one job of a type with these changes against these models, and returns its row once its result is stored."""

    def work(models, *, budget=None, minutes=15, jitter=_without_pauses, message=None, **changes):
        document = type_document | {"outputSchema": SCHEMA} | changes
        job_types = JobTypes.from_document(json.dumps({"version": "v1", "jobTypes": {"greeting": document}}))
        day = Budget(aws.table, daily_tokens_per_user=budget, clock=clock)
        ends_at = clock() + timedelta(minutes=minutes)
        priced = replace(settings, prices=PRICES)
        worker = Worker(priced, store, day, lambda: job_types, ends_at, models, clock, jitter)
        send_message(aws.request_queue, body(**message or {}), {}, "user-1")
        (message,) = messages_in(aws.request_queue)
        work.disposition = worker.work_on(message, job_types)
        worker.finish()
        for outcome in messages_in(aws.response_queue):
            store.apply_result(AIJobResultMessage.from_body(outcome.body))
        return store.get("job-1")

    return work


def test_json_and_what_it_cost_reach_the_row(run):  # R-A1 R-A3
    row = run(Models(VALID), serviceTier="flex")
    assert row["result"] == {
        "json": VALID,
        "model": FIRST,
        "usage": {"inputTokens": 1_000_000, "outputTokens": 500_000, "cacheReadInputTokens": 1_000_000},
        "stopReason": "tool_use",
        "truncated": False,
        "serviceTier": "flex",
        "estimatedCost": (1 + 1 + 0.25) / 2,
    }
    assert row["usage"] == row["result"]["usage"]


def test_a_correction_is_counted_as_a_call_in_tokens_cost_and_metrics(run, measured):  # R-A1
    row = run(Models({}, VALID))
    assert row["status"] == "completed"
    assert (row["calls"], row["result"]["modelCalls"], row["result"]["estimatedCost"]) == (1, 2, 4.5)
    found = measured()
    assert found["OutputRepairs"] == [("greeting", 1)]
    assert found["EstimatedCost"] == [("greeting", 2.25)] * 2
    assert found["CacheReadTokens"] == [("greeting", 1_000_000)] * 2


def test_a_correction_counts_toward_the_budget(run, aws):  # R-A1
    run(Models({}, VALID), budget=100_000_000)
    key = {"jobId": {"S": counter_key("2026-01-31", "user-1")}}
    item = boto3.client("dynamodb").get_item(TableName=aws.table, Key=key)["Item"]
    assert item["tokens"] == {"N": str(2 * 2_500_000)}


def test_an_output_that_stays_broken_fails_the_job_and_can_be_redriven(run, aws, messages_in):  # R-A1
    row = run(Models({}, {"greeting": 1}))
    assert row["status"] == "failed"
    assert (row["error"]["code"], row["error"]["field"]) == ("OUTPUT_INVALID", "result.greeting")
    (letter,) = messages_in(aws.request_dlq)
    assert letter.attributes["ErrorCode"] == "OUTPUT_INVALID"


def test_a_correction_waits_in_place_for_a_busy_model(run, measured):  # R-A1
    models = Models({}, "MODEL_THROTTLED", "MODEL_THROTTLED", "MODEL_THROTTLED", VALID)
    row = run(models)
    assert (row["status"], row["calls"], row["result"]["modelCalls"]) == ("completed", 1, 2), "the first was not lost"
    assert row["result"]["usage"]["outputTokens"] == 1_000_000
    assert measured()["ModelThrottles"] == [1, 1, 1]


@pytest.mark.parametrize("script", [["MODEL_THROTTLED"], [{}, "MODEL_TIMEOUT"], [{}, "MODEL_ACCESS_DENIED"]])
def test_only_a_correction_that_is_throttled_waits_in_place(run, script):  # R-A1
    models = Models(*script, VALID)
    assert (run(models)["status"], models.script) == ("queued", [VALID])


def test_a_correction_waits_in_place_only_while_there_is_time(run):  # R-A1
    models = Models({}, "MODEL_THROTTLED")
    row = run(models, jitter=lambda low, high: 3600 if high < 5 else low)
    assert (row["status"], models.script) == ("queued", [])


def test_an_attempt_that_paid_for_an_answer_counts_although_it_waits(run):  # R-A1
    row = run(Models({}, *["MODEL_THROTTLED"] * 4))
    assert (row["status"], row["attempt"], row["calls"]) == ("queued", 1, 1)


def test_an_attempt_that_paid_for_an_answer_counts_at_the_deadline(run, clock, aws, messages_in):  # R-A1
    def model(job_type, model_id, conversation, output):
        if conversation.is_first:
            return Models({})(job_type, model_id, conversation, output)
        clock.forward(minutes=2)
        raise JobError("MODEL_THROTTLED", "busy")

    row = run(model, message={"timestamp": "2026-01-31T12:00:00Z", "deadlineSeconds": 60})
    assert (row["status"], row["error"]["code"], row["calls"]) == ("failed", "DEADLINE_EXCEEDED", 1)
    (letter,) = messages_in(aws.request_dlq)
    assert letter.attributes["Attempts"] == "1"


def test_a_job_starts_only_if_there_is_time_for_its_corrections(run, aws):
    models = Models(VALID)
    row = run(models, minutes=2)  # one call may take 60 s
    assert (row["status"], models.called) == ("queued", [])
    assert get_queue_message_count(aws.request_queue).delayed == 1
    assert run(Models(VALID), minutes=2, output={"repairs": 0})["status"] == "completed"


def test_the_row_says_which_model_served_the_job(run, measured):  # R-A4
    models = Models("MODEL_THROTTLED", VALID)
    row = run(models, fallbackModelIds=[SECOND])
    assert models.called == [FIRST, SECOND]
    assert (row["model"], row["attempt"], row["result"]["estimatedCost"]) == (SECOND, 1, 30.0)
    found = measured()
    assert found["ModelFallbacks"] == [("greeting", 1)]
    assert found["ModelThrottles"] == [1]


def test_a_timeout_is_never_followed_by_another_model(run):  # R-A4
    models = Models("MODEL_TIMEOUT")
    row = run(models, fallbackModelIds=[SECOND])
    assert (row["status"], models.called) == ("queued", [FIRST])
    assert run.disposition is Disposition.COMES_BACK
