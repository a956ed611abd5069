"""`ai-jobs pause` and `ai-jobs resume`."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import NoCredentialsError
from click.testing import CliRunner

from ai_jobs.cli.main import main

QUEUE = "arn:aws:sqs:eu-west-1:123456789012:request"
ID = "acc8ae47-a15e-4746-ab8a-039ac80da0ea"


def mapping(state):
    return {"UUID": ID, "EventSourceArn": QUEUE, "State": state, "FunctionResponseTypes": []}


@pytest.fixture
def run(tmp_path):
    """Runs `ai-jobs` for an environment with these outputs."""
    outputs = {
        "request_queue_url": "https://sqs.eu-west-1.amazonaws.com/123456789012/request",
        "response_queue_url": "https://sqs.eu-west-1.amazonaws.com/123456789012/response",
        "processor_function_name": "processor-test",
        "result_handler_function_name": "result-handler-test",
    }

    def call(*arguments, without=()):
        file = tmp_path / "outputs.json"
        file.write_text(json.dumps({name: value for name, value in outputs.items() if name not in without}))
        return CliRunner().invoke(main, ["--outputs", str(file), *arguments])

    return call


@pytest.fixture
def worker(calls):
    """A worker that is enabled, with 7 messages in its queue; a switch is effective immediately."""
    calls.answers["GetQueueAttributes"] = {
        "Attributes": {
            "QueueArn": QUEUE,
            "ApproximateNumberOfMessages": "4",
            "ApproximateNumberOfMessagesNotVisible": "2",
            "ApproximateNumberOfMessagesDelayed": "1",
            "MessageRetentionPeriod": "1209600",
        }
    }
    calls.answers["ListEventSourceMappings"] = {"EventSourceMappings": [mapping("Enabled")]}
    calls.answers["UpdateEventSourceMapping"] = lambda parameters: mapping(
        "Enabled" if parameters["Enabled"] else "Disabled"
    )
    return calls


def test_pause_switches_the_worker_off_and_says_what_it_means(worker, run):
    done = run("pause", "request")
    assert done.exit_code == 0
    assert done.stdout == "request: processor-test is paused\nin the queue: 4 waiting, 2 in flight, 1 delayed\n"
    assert "returns 404 for all others" in done.stderr
    assert "Messages wait for up to 14 days" in done.stderr
    assert "`terraform apply` starts the worker again, unless you set processor.enabled = false." in done.stderr
    assert worker.of("UpdateEventSourceMapping") == [{"UUID": ID, "Enabled": False}]
    (asked,) = worker.of("ListEventSourceMappings")
    assert asked["FunctionName"].endswith(":function:processor-test:live")
    assert asked["EventSourceArn"] == QUEUE


def test_the_response_queue_has_the_result_handler(worker, run):
    done = run("pause", "response")
    assert done.stdout.startswith("response: result-handler-test is paused")
    assert "result_handler.enabled = false" in done.stderr
    assert worker.of("ListEventSourceMappings")[0]["FunctionName"].endswith(":result-handler-test:live")
    assert worker.of("GetQueueAttributes")[0]["QueueUrl"].endswith("/response")


def test_resume_switches_it_on(worker, run):
    worker.answers["ListEventSourceMappings"] = {"EventSourceMappings": [mapping("Disabled")]}
    done = run("resume", "request")
    assert done.exit_code == 0
    assert done.stdout.startswith("request: processor-test is enabled\n")
    assert "terraform apply" not in done.stderr
    assert worker.of("UpdateEventSourceMapping") == [{"UUID": ID, "Enabled": True}]


@pytest.mark.parametrize(
    ("command", "state", "word"), [("pause", "Disabled", "paused"), ("resume", "Enabled", "enabled")]
)
def test_already_so(worker, run, command, state, word):
    worker.answers["ListEventSourceMappings"] = {"EventSourceMappings": [mapping(state)]}
    done = run(command, "request")
    assert done.exit_code == 0
    assert f"is already {word}" in done.stdout
    assert worker.of("UpdateEventSourceMapping") == []


def test_json(worker, run):
    done = run("pause", "request", "--json")
    assert json.loads(done.stdout) == {
        "queue": "request",
        "function": "processor-test",
        "triggerId": ID,
        "state": "paused",
        "changed": True,
        "messages": {"visible": 4, "inFlight": 2, "delayed": 1},
        "retentionSeconds": 1209600,
    }


def test_waits_no_longer_than_told(worker, run):
    worker.answers["UpdateEventSourceMapping"] = mapping("Disabling")
    done = run("pause", "request", "--timeout", "0")
    assert done.exit_code == 3
    assert "after 0 s the trigger is still disabling, not paused" in done.stderr
    assert done.stdout == ""


def test_no_trigger(worker, run):
    worker.answers["ListEventSourceMappings"] = {"EventSourceMappings": []}
    done = run("pause", "request")
    assert done.exit_code == 1
    assert "processor-test has no trigger on request" in done.stderr


def test_not_allowed(worker, run):
    worker.refuse("UpdateEventSourceMapping", "AccessDeniedException", "not lambda:UpdateEventSourceMapping")
    done = run("pause", "request")
    assert done.exit_code == 1
    assert "lambda:UpdateEventSourceMapping" in done.stderr
    assert "these credentials do not allow this" in done.stderr


def test_no_credentials(worker, run):
    worker.answers["GetQueueAttributes"] = NoCredentialsError()
    done = run("pause", "request")
    assert done.exit_code == 1
    assert "Unable to locate credentials" in done.stderr


def test_unknown_function(worker, run):
    done = run("pause", "request", without=("processor_function_name",))
    assert done.exit_code == 1
    assert "processor_function_name" in done.stderr
    assert "AI_JOB_PROCESSOR_FUNCTION_NAME" in done.stderr


def test_unknown_queue(run):
    done = run("pause", "requests")
    assert done.exit_code == 2
    assert "'request', 'response'" in done.stderr
