"""R-E4: the commands dlq list, show, retry, and purge."""

from __future__ import annotations

import json
from datetime import timedelta
from types import SimpleNamespace

import pytest

from ai_jobs import AIJobResultMessage, JobError, get_queue_message_count, receive_messages
from ai_jobs.aws import clients
from ai_jobs.aws.queues import send_message
from ai_jobs.cli.dlq import dlq
from ai_jobs.contract import timestamps
from ai_jobs.contract.request import ReceivedJob
from ai_jobs.operate.selection import MAX_LIMIT
from ai_jobs.service.dead_letters import send_to_dlq
from ai_jobs.service.job_store import JobStore
from ai_jobs.service.outcomes import ClaimTerms

DENIED = JobError("MODEL_ACCESS_DENIED", "no access to the model")
MISSING = JobError("MODEL_NOT_FOUND", "no such model")


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr("ai_jobs.operate.sweep._POLL_SECONDS", 0)
    monkeypatch.setattr("ai_jobs.operate.sweep._PATIENCE_SECONDS", 0)


@pytest.fixture
def dead_lettered(aws, body, received):
    """Puts a job's message into the request DLQ, and writes its failed row."""

    def put(job_id="job-1", error=DENIED, age=timedelta(minutes=5), **fields):
        then = timestamps.now() - age
        message = received(body(jobId=job_id, **fields), JobId=job_id, UserId=fields.get("userId", "user-1"))
        send_to_dlq(aws.request_dlq, message, job_id, error, then, fields.get("userId", "user-1"))
        job = ReceivedJob.parse(message.body, message.attributes, "m", then)
        JobStore(aws.table, clock=lambda: then).create_failed(job, "m", error)

    return put


@pytest.fixture
def three(dead_lettered):
    dead_lettered("job-1", userId="user-1", age=timedelta(days=3))
    dead_lettered("job-2", MISSING, userId="user-2", age=timedelta(hours=3))
    dead_lettered("job-3", userId="user-2", jobType="other", age=timedelta(minutes=3))


@pytest.fixture
def terminal(monkeypatch):
    """A terminal with someone who can be asked."""
    stdin, stdout = (SimpleNamespace(isatty=lambda answer=answer: answer) for answer in (True, False))
    for module in ("dlq", "dlq_output"):
        monkeypatch.setattr(f"ai_jobs.cli.{module}.sys", SimpleNamespace(stdin=stdin, stdout=stdout))


def count(queue_url):
    found = get_queue_message_count(queue_url)
    return found.visible, found.in_flight


def test_list_shows_what_is_known_the_newest_first(cli, three, aws):  # R-E4
    result = cli("dlq", "list")
    assert result.exit_code == 0
    assert [" ".join(line.split()) for line in result.stdout.splitlines()] == [
        "JOB USER TYPE CODE MESSAGE ATTEMPTS AGE",
        "job-3 user-2 other MODEL_ACCESS_DENIED no access to the model 1 3m",
        "job-2 user-2 greeting MODEL_NOT_FOUND no such model 1 3h",
        "job-1 user-1 greeting MODEL_ACCESS_DENIED no access to the model 1 3d",
    ]
    assert count(aws.request_dlq) == (3, 0)


def test_list_as_json(cli, three):
    first = json.loads(cli("dlq", "list", "--json", "--job-id", "job-2").stdout)[0]
    assert {name: first[name] for name in ("jobId", "userId", "jobType", "errorCode", "errorMessage", "attempts")} == {
        "jobId": "job-2",
        "userId": "user-2",
        "jobType": "greeting",
        "errorCode": "MODEL_NOT_FOUND",
        "errorMessage": "no such model",
        "attempts": 1,
    }


def test_filters(cli, three):
    cases = [
        ("--job-id job-1 --job-id job-3", ["job-1", "job-3"]),
        ("--user user-2", ["job-2", "job-3"]),
        ("--type other", ["job-3"]),
        ("--error-code MODEL_NOT_FOUND", ["job-2"]),
        ("--error-code MODEL_NOT_FOUND --error-code MODEL_ACCESS_DENIED", ["job-1", "job-2", "job-3"]),
        ("--older-than 2h", ["job-1", "job-2"]),
        ("--newer-than 240m", ["job-2", "job-3"]),
        ("--older-than 100s --newer-than 1d", ["job-2", "job-3"]),
        ("--newer-than 999999d", ["job-1", "job-2", "job-3"]),
        ("--user user-2 --type greeting", ["job-2"]),
        ("--user user-1 --type other", []),
    ]
    for options, expected in cases:
        result = cli("dlq", "list", "--json", *options.split())
        assert sorted(message["jobId"] for message in json.loads(result.stdout)) == expected, options
        assert ("nothing matches: looked at 3 messages" in result.stderr) == (not expected)


def test_an_age_that_is_none_is_wrong_usage(cli):
    for age in ("5", "m", "5w", "-5m", "1.5h", ""):
        result = cli("dlq", "list", "--older-than", age)
        assert (result.exit_code, "such as 90s, 15m, 2h, or 3d" in result.stderr) == (2, True), age


def test_an_empty_queue_is_nothing_to_list_and_a_failure_to_retry(cli):
    for queue in ("request", "response"):
        for command, code in ((("list",), 0), (("retry", "--yes"), 1), (("purge", "--yes"), 1)):
            result = cli("dlq", *command, "--queue", queue)
            assert (result.exit_code, result.stdout) == (code, "")
            assert result.stderr == f"there are no dead-lettered messages: the {queue} DLQ is empty\n"


def test_looking_needs_the_dlq_alone(cli, three, monkeypatch):
    monkeypatch.delenv("AI_JOB_REQUEST_QUEUE_URL")
    assert cli("dlq", "list").exit_code == 0
    retry = cli("dlq", "retry", "--yes")
    assert (retry.exit_code, "request_queue_url" in retry.stderr) == (1, True)


@pytest.mark.parametrize("options", [("--yes",), ("--dry-run",), ("--yes", "--queue", "response")])
@pytest.mark.parametrize("command", ["retry", "purge"])
def test_nothing_is_deleted_that_can_not_be_checked(cli, aws, body, received, monkeypatch, command, options):  # R-E3
    """An open job's only trace: deleted, it never ends; sent back, it is dropped once its failure is written."""
    job = ReceivedJob.parse(body(), {}, "m", timestamps.now())
    terms = ClaimTerms(timestamps.now() + timedelta(minutes=15), 3600, 60)
    JobStore(aws.table).claim(job, "m", terms)
    send_to_dlq(aws.request_dlq, received(body()), "job-1", DENIED, timestamps.now(), "user-1")
    monkeypatch.delenv("AI_JOB_TABLE_NAME")
    result = cli("dlq", command, *options)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "which of them are the last trace of a job that is still open" in result.stderr
    assert "table_name is not known: it is missing from the AI_JOB_ variables" in result.stderr
    assert "set AI_JOB_TABLE_NAME" in result.stderr
    assert count(aws.request_dlq) == (1, 0)
    assert count(aws.request_queue) == (0, 0)


def test_an_empty_queue_as_json(cli):
    assert json.loads(cli("dlq", "list", "--json").stdout) == []


def test_what_is_no_job_is_listed_with_what_is_known(cli, aws):
    message_id = send_message(aws.request_dlq, "no \x1b[31mjson", {"UserId": "user-9"})
    result = cli("dlq", "list")
    assert result.stdout.splitlines()[1].split()[:4] == [message_id, "user-9", "-", "-"]
    assert "The message body is not JSON" in result.stdout


def test_more_messages_than_the_limit_are_told(cli, three, aws):
    result = cli("dlq", "list", "--limit", "2")
    assert len(result.stdout.splitlines()) == 3
    assert "looked only at the first 2 messages; there are about 1 more (--limit)" in result.stderr
    assert count(aws.request_dlq) == (3, 0)


def test_the_largest_limit_is_what_a_sweep_can_hide():
    for command in dlq.commands.values():
        (limit,) = [option for option in command.params if option.name == "limit"]
        assert limit.type.max == MAX_LIMIT


def test_messages_that_another_reader_holds_are_told(cli, three, aws):
    receive_messages(aws.request_dlq, max_messages=1, wait_seconds=0)
    result = cli("dlq", "list")
    assert len(result.stdout.splitlines()) == 3
    assert "SQS counts about 1 more: another reader holds them" in result.stderr


def test_show_gives_body_attributes_and_row(cli, dead_lettered, body):
    dead_lettered(input={"name": "Ada\x1b[2J"})
    result = cli("dlq", "show", "job-1")
    assert result.exit_code == 0
    assert '"name": "Ada\\u001b[2J"' in result.stdout
    assert "errorCode MODEL_ACCESS_DENIED errorMessage no access to the model" in " ".join(result.stdout.split())
    assert "row  failed with MODEL_ACCESS_DENIED: no access to the model" in result.stdout
    document = json.loads(cli("dlq", "show", "--json", "job-1").stdout)
    assert document["job"]["status"] == "failed"
    assert json.loads(document["letters"][0]["body"])["input"] == {"name": "Ada\x1b[2J"}
    assert document["letters"][0]["attributes"]["ErrorCode"] == "MODEL_ACCESS_DENIED"


def test_show_of_a_job_without_a_message(cli, three):
    result = cli("dlq", "show", "job-9")
    assert result.exit_code == 1
    assert "there is no dead-lettered message of job job-9 behind the request queue" in result.stderr


def test_show_without_a_row(cli, aws, body):
    send_message(aws.request_dlq, body(), {})
    result = cli("dlq", "show", "job-1")
    assert "row  none: the job never had one" in result.stdout
    assert "attribute" not in result.stdout


def test_retry_sends_what_matches(cli, three, aws):  # R-E4
    result = cli("dlq", "retry", "--yes", "--user", "user-2")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[1].split()[:2] == ["sent", "2"]
    assert count(aws.request_queue) == (2, 0)
    assert count(aws.request_dlq) == (1, 0)


def test_retry_as_json_counts_and_names(cli, three, aws):
    store = JobStore(aws.table)
    store.erase("job-3")
    document = json.loads(cli("dlq", "retry", "--yes", "--json").stdout)
    assert document["counts"] == {"sent": 2, "skipped": 1}
    assert sorted((one["jobId"], one["outcome"]) for one in document["letters"]) == [
        ("job-1", "sent"),
        ("job-2", "sent"),
        ("job-3", "skipped"),
    ]
    assert (document["queue"], document["dryRun"], document["notSeen"]) == ("request", False, 0)


def test_results_are_retried_into_the_response_queue(cli, aws, received, body):
    result = AIJobResultMessage("job-1", "user-1", "greeting", "completed", result={"text": "x"})
    send_to_dlq(aws.response_dlq, received(result.to_body()), "job-1", DENIED, timestamps.now(), "user-1")
    skipped = cli("dlq", "retry", "--queue", "response", "--yes").stdout
    assert "its job has no row" in skipped
    assert count(aws.response_dlq) == (1, 0)


@pytest.mark.parametrize("command", ["retry", "purge"])
def test_without_a_terminal_nothing_is_done_unasked(cli, three, aws, command):
    result = cli("dlq", command)
    assert (result.exit_code, "then pass --yes" in result.stderr) == (2, True)
    assert count(aws.request_dlq) == (3, 0)


@pytest.mark.parametrize("command", ["retry", "purge"])
def test_a_dry_run_changes_nothing_and_asks_nothing(cli, three, aws, command):
    result = cli("dlq", command, "--dry-run")
    assert result.exit_code == 0
    assert "would be" in result.stdout
    assert count(aws.request_dlq) == (3, 0)
    assert count(aws.request_queue) == (0, 0)


def test_the_question_names_the_count_and_no_means_no(cli, three, terminal, aws):
    result = cli("dlq", "retry", "--user", "user-2", stdin="n\n")
    assert result.exit_code == 1
    assert "Send 2 messages back to the request queue?" in result.stderr
    assert count(aws.request_dlq) == (3, 0)
    purge = cli("dlq", "purge", "--job-id", "job-1", stdin="n\n")
    assert "Delete 1 message behind the request queue? This can't be undone; their jobs stay failed." in purge.stderr
    assert count(aws.request_dlq) == (3, 0)


def test_yes_means_what_was_counted_and_nothing_that_came_later(cli, three, dead_lettered, terminal, aws, monkeypatch):
    monkeypatch.setattr("click.confirm", lambda *args, **kwargs: dead_lettered("later", userId="user-2"))
    result = cli("dlq", "purge", "--user", "user-2")
    assert result.stdout.splitlines()[1].split()[:2] == ["purged", "2"]
    assert count(aws.request_dlq) == (2, 0)
    assert "later" in cli("dlq", "list").stdout


def test_nothing_to_ask_about(cli, three, terminal):
    result = cli("dlq", "retry", "--user", "nobody")
    assert (result.exit_code, "nothing matches: looked at 3 messages" in result.stderr) == (1, True)


def test_failures_are_named_and_leave_their_messages(cli, three, aws, refusing):
    refusing(clients.get_sqs_sending_client(), "SendMessage", after=1)
    result = cli("dlq", "retry", "--yes")
    assert result.exit_code == 1
    assert "AccessDenied" in result.stdout
    assert count(aws.request_queue) == (1, 0)
    assert count(aws.request_dlq) == (2, 0)


@pytest.mark.parametrize("command", [("list",), ("retry", "--yes"), ("purge", "--yes"), ("retry", "--yes", "--json")])
@pytest.mark.parametrize("operation", ["ReceiveMessage", "GetQueueAttributes"])
def test_a_dlq_that_can_not_be_read_is_not_called_empty(cli, refusing, command, operation):
    refusing(clients.get_sqs_client(), operation)
    result = cli("dlq", *command)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "no dead-lettered messages" not in result.stderr
    assert "these credentials do not allow this" in result.stderr


def test_a_dlq_that_can_not_be_read_is_explained(cli, refusing):
    refusing(clients.get_sqs_client(), "ReceiveMessage")
    result = cli("dlq", "list")
    assert result.exit_code == 1
    assert "Cannot receive from" in result.stderr
    assert "these credentials do not allow this" in result.stderr


def test_ctrl_c_prints_what_was_done(cli, three, aws, monkeypatch):
    def interrupted(futures):
        raise KeyboardInterrupt

    monkeypatch.setattr("ai_jobs.operate.redrive.wait", interrupted)
    result = cli("dlq", "retry", "--yes")
    assert result.exit_code == 130
    assert result.stdout.splitlines()[1].split()[:2] == ["sent", "3"]
    assert count(aws.request_queue) == (3, 0)


def test_purge_deletes_what_matches(cli, three, aws):
    result = cli("dlq", "purge", "--yes", "--error-code", "MODEL_NOT_FOUND")
    assert result.stdout.splitlines()[1].split()[:2] == ["purged", "1"]
    assert count(aws.request_dlq) == (2, 0)


def test_a_dlq_that_is_not_known_is_named(cli, monkeypatch):
    monkeypatch.delenv("AI_JOB_REQUEST_DLQ_URL")
    result = cli("dlq", "list")
    assert (result.exit_code, "set AI_JOB_REQUEST_DLQ_URL" in result.stderr) == (1, True)
