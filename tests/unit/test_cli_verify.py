"""R-C4: the command that checks the queues, and sends a test job."""

from __future__ import annotations

import json

import boto3
import pytest

from ai_jobs import AIJobResultMessage, get_queue_message_count, receive_messages
from ai_jobs.aws import clients
from ai_jobs.aws.queues import send_message
from ai_jobs.cli import verify
from ai_jobs.contract import timestamps
from ai_jobs.contract.request import ReceivedJob
from ai_jobs.service import retries
from ai_jobs.service.job_store import JobStore
from ai_jobs.service.outcomes import ClaimTerms


@pytest.fixture
def worker(aws, monkeypatch):
    """Lets a worker end the test job in this way before the command polls the table for the second time."""
    get_all = JobStore.get_all
    looks = []

    def set_up(**outcome):
        def look(store, ids):
            looks.append(ids)
            if len(looks) == 2:
                (message,) = receive_messages(aws.request_queue, wait_seconds=0)
                job = ReceivedJob.parse(message.body, message.attributes, message.message_id, message.sent_at)
                now = timestamps.now()
                store.claim(job, message.message_id, ClaimTerms(now, 3600, 60))
                result = AIJobResultMessage(job.job_id, job.user_id, job.job_type, timestamp=now, **outcome)
                store.apply_result(AIJobResultMessage.from_body(result.to_body()))
            return get_all(store, ids)

        monkeypatch.setattr(JobStore, "get_all", look)
        monkeypatch.setattr(retries, "PAUSES_OF_A_COMMAND", [0.01] * 1000)

    return set_up


def test_it_counts_the_messages_of_all_four_queues(cli, aws):  # R-C4
    send_message(aws.request_queue, "1", {})
    send_message(aws.request_queue, "2", {}, delay_seconds=60)
    send_message(aws.response_dlq, "3", {})
    receive_messages(aws.response_dlq, wait_seconds=0)
    result = cli("verify")
    assert result.exit_code == 0
    assert [line.split() for line in result.stdout.splitlines()[1:]] == [
        ["request", "queue", "1", "0", "1", "ok"],
        ["response", "queue", "0", "0", "0", "ok"],
        ["request", "DLQ", "0", "0", "0", "ok"],
        ["response", "DLQ", "0", "1", "0", "ok"],
    ]
    first = json.loads(cli("verify", "--json").stdout)["queues"][0]
    counts = {"visible": 1, "inFlight": 0, "delayed": 1}
    assert first == {"queue": "request queue", "url": aws.request_queue, "state": "ok"} | counts


@pytest.fixture
def two_variables(monkeypatch, cli):
    for name in ("REQUEST_DLQ_URL", "RESPONSE_DLQ_URL", "TABLE_NAME", "BUCKET"):
        monkeypatch.delenv(f"AI_JOB_{name}")


def test_the_two_queues_are_enough(cli, aws, two_variables):  # R-C4
    result = cli("verify", "--test-send")
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == 3
    assert "without table_name, the command can't see how it ends" in result.stderr
    assert get_queue_message_count(aws.request_queue).visible == 1


def test_a_missing_url_is_named(cli, monkeypatch):
    monkeypatch.delenv("AI_JOB_RESPONSE_QUEUE_URL")
    result = cli("verify")
    assert (result.exit_code, "set AI_JOB_RESPONSE_QUEUE_URL" in result.stderr) == (1, True)


def test_a_queue_that_is_not_there_is_found_and_the_others_are_counted(cli, aws):  # R-C4
    boto3.client("sqs").delete_queue(QueueUrl=aws.response_queue)
    result = cli("verify", "--test-send")
    assert result.exit_code == 1
    states = [line.split()[-1] for line in result.stdout.splitlines()[1:]]
    assert states == ["ok", "failed", "ok", "ok"]
    assert "there is no such queue in this account and region" in result.stderr
    assert get_queue_message_count(aws.request_queue).total == 0, "no test job into a system that is known to be broken"


def test_one_cause_is_told_once(cli, refusing):
    refusing(clients.get_sqs_client(), "GetQueueAttributes", "ExpiredToken")
    result = cli("verify", "--json")
    assert result.exit_code == 1
    assert {queue["state"] for queue in json.loads(result.stdout)["queues"]} == {"failed"}
    assert "your credentials have expired" in result.stderr


def test_the_test_job_ends_as_an_unknown_type(cli, worker):  # R-C4
    worker(status="failed", error={"code": "UNKNOWN_JOB_TYPE", "message": "no such type"})
    result = cli("verify", "--test-send", "--json")
    assert result.exit_code == 0
    test = json.loads(result.stdout)["test"]
    assert (test["status"], test["errorCode"]) == ("failed", "UNKNOWN_JOB_TYPE")
    assert 0 <= test["seconds"] < 10
    assert "went through both queues and workers" in test["message"]


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        ({"status": "failed", "error": {"code": "INTERNAL_ERROR", "message": "boom"}}, "failed INTERNAL_ERROR, not as"),
        ({"status": "completed", "result": {"text": "x"}}, "completed, not as"),
    ],
)
def test_any_other_end_is_a_finding(cli, worker, outcome, said):
    worker(**outcome)
    result = cli("verify", "--test-send")
    assert (result.exit_code, said in result.stderr) == (1, True)


def test_a_test_job_that_does_not_end_is_a_timeout(cli):
    result = cli("verify", "--test-send", "--timeout", "0")
    assert result.exit_code == 3
    assert "has not ended after 0 s: is a worker paused" in result.stderr


def test_a_job_type_of_that_name_is_never_called(cli, tmp_path, aws):
    outputs = tmp_path / "outputs.json"
    values = {
        "request_queue_url": aws.request_queue,
        "response_queue_url": aws.response_queue,
        "table_name": aws.table,
        "job_types": ["greeting", verify.TEST_JOB_TYPE],
    }
    outputs.write_text(json.dumps({name: {"value": value} for name, value in values.items()}))
    result = cli("--outputs", str(outputs), "verify", "--test-send")
    assert (result.exit_code, "has a job type connection-test" in result.stderr) == (1, True)
    assert get_queue_message_count(aws.request_queue).total == 0
