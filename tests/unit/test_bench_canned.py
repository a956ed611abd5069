"""The canned measure takes the happy path, with the calls that AWS gets, and fails when a job does not complete."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import canned, canned_aws
from bench.canned_aws import CannedAWS

FUNCTIONS = Path(__file__).parents[2] / "functions"


@pytest.fixture(scope="module")
def figures():
    return canned.measure(FUNCTIONS, batch=3, jobs=3)


def test_every_function_needs_cpu_time_and_writes_logs(figures):
    assert list(figures) == ["processor", "result_handler", "event_publisher"]
    assert all(of["cpu_ms"] > 0 and of["log_bytes"] > 0 for of in figures.values())


def test_a_job_costs_one_claim_one_model_call_and_one_write_of_its_result(figures):  # R-S1
    assert figures["processor"]["calls"]["dynamodb:UpdateItem"] == 1
    assert figures["processor"]["calls"]["bedrock-runtime:Converse"] == 1
    assert figures["processor"]["calls"]["sqs:SendMessageBatch"] <= 1
    assert figures["result_handler"]["calls"] == {"dynamodb:UpdateItem": 1}
    assert figures["event_publisher"]["calls"] == {"events:PutEvents": pytest.approx(1 / 3)}


def test_a_function_that_leaves_jobs_behind_fails_the_measure():
    state = {"messages": [{"body": '{"status": "failed"}'}]}
    with pytest.raises(AssertionError, match="processor was done with 0 of 1 jobs"):
        canned._check("processor", state | {"changes": [], "published": 0}, 1)


def test_an_update_is_carried_out():
    update = {
        "UpdateExpression": "SET #f0 = :f0, #f1 = if_not_exists(#f1, :f1), calls = if_not_exists(calls, :zero) + :a0"
        " REMOVE #f2",
        "ExpressionAttributeNames": {"#f0": "status", "#f1": "createdAt", "#f2": "error"},
        "ExpressionAttributeValues": {
            ":f0": {"S": "queued"},
            ":f1": {"S": "now"},
            ":zero": {"N": "0"},
            ":a0": {"N": "1"},
        },
    }
    row = {"jobId": {"S": "j"}, "createdAt": {"S": "then"}, "calls": {"N": "2"}, "error": {"S": "x"}}
    assert canned_aws._updated(row, update) == {
        "jobId": {"S": "j"},
        "createdAt": {"S": "then"},
        "calls": {"N": "3"},
        "status": {"S": "queued"},
    }


def test_what_the_canned_table_can_not_carry_out_fails_the_measure():
    with pytest.raises(AssertionError, match="can't carry out"):
        canned_aws._updated({}, {"UpdateExpression": "ADD calls :one"})


def test_a_request_without_an_answer_fails_the_measure():
    from botocore.awsrequest import AWSPreparedRequest

    with pytest.raises(AssertionError, match="no answer for sqs:PurgeQueue"):
        CannedAWS().send(
            AWSPreparedRequest("POST", "https://sqs/", {"X-Amz-Target": "AmazonSQS.PurgeQueue"}, b"{}", False)
        )


def test_a_model_with_percentiles_takes_different_times():
    same, spread = CannedAWS(model_seconds=2), CannedAWS(model_seconds=2, model_p99_seconds=8)
    assert {same._model_latency() for _ in range(3)} == {2}
    times = sorted(spread._model_latency() for _ in range(1001))
    assert times[500] == pytest.approx(2, rel=0.1)
    assert times[990] == pytest.approx(8, rel=0.25)
    assert CannedAWS(model_seconds=2, model_p99_seconds=8)._model_latency() in times


def test_results_of_a_model_with_different_times_share_no_call():  # R-B4
    conditions = canned.Conditions(model_seconds=0.05, model_p99_seconds=1, processors=2)
    figures = canned.measure(FUNCTIONS, 4, 4, conditions)
    assert figures["processor"]["calls"]["sqs:SendMessageBatch"] > 0.5
