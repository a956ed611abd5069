"""The commands submit, status, wait, cancel, and list."""

from __future__ import annotations

import _thread
import itertools
import json
import os
import signal
import threading
import time
import weakref
from datetime import timedelta

import boto3
import click
import pytest

from ai_jobs import AIJobResultMessage, AWSError, get_queue_message_count, receive_messages
from ai_jobs.aws import clients
from ai_jobs.cli import submit
from ai_jobs.cli.main import main
from ai_jobs.contract import timestamps
from ai_jobs.contract.request import AIJobMessage, ReceivedJob
from ai_jobs.contract.row import JobStatus
from ai_jobs.operate.polling import poll_until_ended
from ai_jobs.service.job_store import JobStore
from ai_jobs.service.outcomes import ClaimTerms

JOB = {"userId": "user-1", "jobType": "greeting", "input": {"name": "Ada"}}


@pytest.fixture
def rows(aws):
    return JobStore(aws.table)


@pytest.fixture
def start(rows, body):
    """Makes the row of a job that a worker has just claimed."""

    def make(job_id, **fields):
        job = ReceivedJob.parse(body(jobId=job_id, **fields), {}, "m", timestamps.now())
        rows.claim(job, "m", ClaimTerms(timestamps.now() + timedelta(minutes=15), 3600, 60))

    return make


@pytest.fixture
def end(rows, start):
    """Makes the row of a job that has ended: completed, or failed with this code."""

    def make(job_id, code=None, text="Hello, Ada.", **fields):
        start(job_id, **fields)
        if code:
            error = {"code": code, "message": f"it is {code}", "field": "input.name"}
            message = AIJobResultMessage(job_id, "user-1", "greeting", "failed", error=error)
        else:
            result = {
                "text": text,
                "model": "nova",
                "usage": {"inputTokens": 12, "outputTokens": 5},
                "stopReason": "max_tokens",
                "truncated": True,
            }
            message = AIJobResultMessage(job_id, "user-1", "greeting", "completed", result=result)
        rows.apply_result(message)

    return make


@pytest.fixture
def file(tmp_path):
    numbers = itertools.count()

    def write(content, name=None):
        path = tmp_path / (name or f"jobs-{next(numbers)}.json")
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return str(path)

    return write


@pytest.fixture
def no_pauses(monkeypatch):
    """Time that passes only in pauses."""
    seconds = [0.0]

    def sleep(pause):
        seconds[0] += pause

    monkeypatch.setattr(time, "sleep", sleep)
    monkeypatch.setattr(
        "ai_jobs.operate.polling.poll_until_ended",
        lambda store, ids, timeout: poll_until_ended(store, ids, timeout, clock=lambda: seconds[0], sleep=sleep),
    )
    return seconds


@pytest.fixture
def queued(aws):
    """The bodies that are in the request queue, in the order of their input's names."""

    def read():
        bodies = []
        while batch := receive_messages(aws.request_queue, wait_seconds=0):
            bodies += [json.loads(message.body) for message in batch]
        return sorted(bodies, key=lambda body: str(body.get("input")))

    return read


def test_a_file_with_one_job_is_submitted(cli, file, queued):
    result = cli("submit", file(JOB | {"jobId": "my-job", "traceId": "t", "deadlineSeconds": 60}))
    assert result.exit_code == 0
    assert result.stdout.splitlines() == ["JOB     TYPE      USER", "my-job  greeting  user-1"]
    (body,) = queued()
    assert {name: body[name] for name in (*JOB, "jobId", "traceId", "deadlineSeconds")} == JOB | {
        "jobId": "my-job",
        "traceId": "t",
        "deadlineSeconds": 60,
    }


PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)


@pytest.fixture
def picture(tmp_path):
    def write(name="photo 1.png", content=PNG):
        tmp_path.joinpath(name).write_bytes(content)
        return str(tmp_path / name)

    return write


def test_a_job_gets_the_files_that_are_attached(cli, file, queued, picture, aws):  # R-A2
    job = file(JOB | {"jobId": "my-job"})
    files = ["--attach", picture(), "--attach", picture("notes.txt", "Grüße".encode())]
    for _ in range(2):
        result = cli("submit", *files, job)
        assert result.exit_code == 0, result.output
    first, second = (body["attachments"] for body in queued())
    assert first == second, "submitted twice, it runs once"
    assert [(one["name"], one["mediaType"], one["bytes"]) for one in first] == [
        ("photo 1.png", "image/png", 108),
        ("notes.txt", "text/plain", 7),
    ]
    stored = boto3.client("s3").get_object(Bucket=aws.bucket, Key=first[0]["key"])
    assert (stored["Body"].read(), stored["ContentType"]) == (PNG, "image/png")
    assert first[0]["key"].startswith("inputs/user=user-1/job=my-job/")


def test_files_of_one_name_are_numbered(cli, file, queued, picture, tmp_path):  # R-A2
    tmp_path.joinpath("other").mkdir()
    files = ["--attach", picture(), "--attach", picture("other/photo 1.png", PNG + b"x")]
    result = cli("submit", *files, file(JOB))
    assert result.exit_code == 0, result.output
    (body,) = queued()
    assert [(one["name"], one["bytes"]) for one in body["attachments"]] == [
        ("photo 1.png", 108),
        ("photo 1-2.png", 109),
    ]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("page.png", b"<html>", "its content is text/html"),
        ("empty.png", b"", "is empty"),
        ("notes.doc", b"x", "must be one of .png"),
    ],
)
def test_a_file_that_no_job_can_have_is_not_attached(cli, file, queued, picture, name, content, said):  # R-A2
    result = cli("submit", "--attach", picture(name, content), file(JOB))
    assert (result.exit_code, result.stdout, queued()) == (1, "", [])
    assert name in result.stderr
    assert said in result.stderr


def test_files_are_for_one_job(cli, file, queued, picture):  # R-A2
    result = cli("submit", "--attach", picture(), file([JOB, JOB]))
    assert (result.exit_code, queued()) == (1, [])
    assert "--attach is for one job, and there are 2" in result.stderr


def test_a_file_that_can_not_be_stored_is_explained(cli, file, queued, picture, refusing):  # R-A2
    refusing(clients.get_s3_client(), "PutObject")
    result = cli("submit", "--attach", picture(), file(JOB))
    assert (result.exit_code, queued()) == (1, [])
    assert "Cannot store photo 1.png in objects: S3 answered AccessDenied" in result.stderr


def test_arrays_lines_and_standard_input_together(cli, file, queued):
    array = file([JOB | {"jobId": "a-1"}, JOB | {"jobId": "a-2"}])
    lines = file("\ufeff" + json.dumps(JOB | {"jobId": "l-1"}) + "\n\n" + json.dumps(JOB | {"jobId": "l-2"}) + "\n")
    result = cli("submit", "--json", array, lines, "-", stdin=json.dumps(JOB | {"jobId": "s-1", "traceId": None}))
    assert [job["jobId"] for job in json.loads(result.stdout)] == ["a-1", "a-2", "l-1", "l-2", "s-1"]
    assert json.loads(result.stdout)[0] == {"jobId": "a-1", "jobType": "greeting", "userId": "user-1"}
    assert sorted(body["jobId"] for body in queued()) == ["a-1", "a-2", "l-1", "l-2", "s-1"]


def test_options_fill_in_what_a_job_does_not_say(cli, file, queued):
    jobs_file = file([{"input": {"n": 1}}, {"input": {"n": 2}, "userId": "own", "jobType": "other"}])
    assert cli("submit", "--user", "user-9", "--type", "greeting", jobs_file).exit_code == 0
    assert [(body["userId"], body["jobType"]) for body in queued()] == [("user-9", "greeting"), ("own", "other")]


def test_all_jobs_are_checked_before_the_first_is_sent(cli, file, aws):
    result = cli("submit", file([JOB]), file([JOB, JOB | {"userId": "a b"}], "bad.json"))
    assert result.exit_code == 1
    assert 'bad.json, job 2: userId is "a b"' in result.stderr
    assert result.stdout == ""
    assert get_queue_message_count(aws.request_queue).total == 0


def test_an_input_that_not_even_the_bucket_takes_is_refused(cli, file, aws):
    result = cli("submit", file([JOB, JOB | {"input": {"text": "x" * 10_000_001}}]))
    assert (result.exit_code, "job 2: The input has 10000013 bytes. At most 10000000" in result.stderr) == (1, True)
    assert get_queue_message_count(aws.request_queue).total == 0


def test_a_file_that_is_no_text_is_named(cli, tmp_path):
    path = tmp_path / "jobs.bin"
    path.write_bytes(b"\xff\xfe\x00")
    result = cli("submit", str(path))
    assert (result.exit_code, f"line 1 of {path} is not UTF-8 text" in result.stderr) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "pass the files"),
        (("missing.json",), "does not exist"),
        (("-", "-"), "- is named twice"),
    ],
)
def test_wrong_usage_of_submit(cli, arguments, said):
    result = cli("submit", *arguments)
    assert (result.exit_code, said in result.stderr) == (2, True)


def test_a_large_input_goes_to_the_bucket_and_is_refused_without_one(cli, file, queued, aws, monkeypatch):
    large = file(JOB | {"input": {"text": "x" * 300_000}})
    assert cli("submit", large).exit_code == 0
    assert queued()[0]["inputLocation"]["bucket"] == aws.bucket
    monkeypatch.delenv("AI_JOB_BUCKET")
    result = cli("submit", large)
    assert (result.exit_code, "SQS accepts at most 262144" in result.stderr) == (1, True)


def test_variables_of_another_environment_do_not_count(cli, file, tmp_path, aws):
    """The library would take the bucket from its variable."""
    outputs = file({"request_queue_url": {"value": aws.request_queue}}, "outputs.json")
    result = cli("--outputs", outputs, "submit", file(JOB | {"input": {"text": "x" * 210_000}}))
    assert result.exit_code == 0
    (message,) = receive_messages(aws.request_queue, wait_seconds=0)
    assert len(message.body) > 210_000, "it went into the message, not into that bucket"


def test_a_failure_in_the_middle_says_what_was_sent_and_what_not(cli, file, aws, refusing, monkeypatch):
    monkeypatch.setattr(submit, "_SENDERS", 1)
    refusing(clients.get_sqs_sending_client(), "SendMessage", after=2)
    path = file([JOB | ({"jobId": "own"} if number == 4 else {}) for number in range(5)])
    result = cli("submit", "--json", path)
    assert result.exit_code == 1
    assert len(json.loads(result.stdout)) == 2
    assert f"3 of 5 jobs were not sent: {path}, job 3, {path}, job 4, {path}, job 5" in result.stderr
    assert "Submit only these again" in result.stderr
    assert "these credentials do not allow this" in result.stderr
    assert get_queue_message_count(aws.request_queue).total == 2


def test_nothing_more_is_begun_after_a_failure(cli, file, monkeypatch):
    sent = []

    def send(message, **_):
        sent.append(message)
        if len(sent) == 2:
            raise AWSError("SQS is down", "Unknown")
        threading.Event().wait(0.01)

    monkeypatch.setattr(submit, "_SENDERS", 1)
    monkeypatch.setattr("ai_jobs.aws.submission.send_ai_job_request", send)
    assert cli("submit", file([JOB] * 100)).exit_code == 1
    assert len(sent) < 90


def test_jobs_with_their_own_ids_may_be_submitted_again(cli, file, refusing, monkeypatch):
    monkeypatch.setattr(submit, "_SENDERS", 1)
    refusing(clients.get_sqs_sending_client(), "SendMessage", after=1)
    result = cli("submit", file([JOB | {"jobId": f"job-{number}"} for number in range(3)]))
    assert "2 of 3 jobs were not sent" in result.stderr
    assert "Submit only these again" not in result.stderr


@pytest.fixture
def _ctrl_c_counts():
    """A shell ignores SIGINT for what it starts in the background, and Python then does too."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_ctrl_c_counts")
@pytest.mark.parametrize("as_json", [False, True])
def test_ctrl_c_says_what_was_sent(cli, file, monkeypatch, as_json):
    """Of 200 jobs only as many as there are senders, and some that were read ahead, are begun."""
    sent = []

    def send(message, **_):
        if message.job_id == "job-50":
            _thread.interrupt_main()
        sent.append(message.job_id)
        threading.Event().wait(0.02)

    monkeypatch.setattr("ai_jobs.aws.submission.send_ai_job_request", send)
    path = file([JOB | {"jobId": f"job-{number}"} for number in range(200)])
    result = cli("submit", path, *(["--json"] if as_json else []))
    assert result.exit_code == 130
    rows = json.loads(result.stdout) if as_json else result.stdout.splitlines()[1:]
    told = [row["jobId"] if as_json else row.split()[0] for row in rows]
    assert sorted(told) == sorted(sent)
    assert told == sorted(told, key=lambda job_id: int(job_id[4:])), "in the order of the file"
    assert len(sent) < 100
    assert f"{200 - len(sent)} of 200 jobs were not sent: " in result.stderr
    assert f"all after {path}, job " in result.stderr


def test_no_more_jobs_are_in_memory_than_can_be_sent(cli, file, monkeypatch):
    alive, most = weakref.WeakSet(), []

    def send(message, **_):
        alive.add(message)
        most.append(len(alive))

    monkeypatch.setattr(AIJobMessage, "__hash__", object.__hash__)
    monkeypatch.setattr("ai_jobs.aws.submission.send_ai_job_request", send)
    assert cli("submit", file([JOB] * 500)).exit_code == 0
    assert len(most) == 500
    assert max(most) <= submit._IN_THE_AIR + submit._SENDERS


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_pipe_by_name_is_read_once_and_gone_through_twice(cli, tmp_path, queued, options):
    """As in: ai-jobs submit <(make-jobs)."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    text = "\n".join(json.dumps(JOB | {"jobId": f"job-{number}"}) for number in range(3))
    writer = threading.Thread(target=path.write_text, args=(text,))
    writer.start()
    result = cli("submit", str(path), *options)
    writer.join()
    assert result.exit_code == 0, result.output
    assert {body["jobId"] for body in queued()} == {"job-0", "job-1", "job-2"}


def test_what_a_file_gained_after_the_check_is_not_sent(cli, file, monkeypatch, aws):
    path = file("\n".join([json.dumps(JOB)] * 3) + "\n")
    send = submit._send

    def and_then(*args, **kwargs):
        file("\n".join([*[json.dumps(JOB)] * 3, "{oops"]), "jobs-0.json")
        return send(*args, **kwargs)

    monkeypatch.setattr(submit, "_send", and_then)
    assert cli("submit", path).exit_code == 0
    assert get_queue_message_count(aws.request_queue).total == 3


def test_what_became_wrong_after_the_check_ends_the_run_with_what_was_sent(cli, file, monkeypatch, aws):
    path = file("\n".join([json.dumps(JOB)] * 3) + "\n")
    send = submit._send

    def and_then(*args, **kwargs):
        file("\n".join([json.dumps(JOB), json.dumps(JOB), "{oops"]), "jobs-0.json")
        return send(*args, **kwargs)

    monkeypatch.setattr(submit, "_send", and_then)
    result = cli("submit", path)
    assert result.exit_code == 1
    assert len(result.stdout.splitlines()) == 3
    assert f"1 of 3 jobs was not sent: all after {path}, line 2" in result.stderr
    assert f"line 3 of {path} is not JSON" in result.stderr


def test_submit_and_wait(cli, file, no_pauses, end, monkeypatch):
    end("job-1", traceId=None)
    result = cli("submit", "--wait", "--json", file(JOB | {"jobId": "job-1"}))
    assert result.exit_code == 0
    (job,) = json.loads(result.stdout)
    assert (job["status"], job["result"]["text"]) == ("completed", "Hello, Ada.")


def test_submit_needs_the_table_only_to_wait(cli, file, monkeypatch, aws):
    monkeypatch.delenv("AI_JOB_TABLE_NAME")
    result = cli("submit", "--wait", file(JOB))
    assert (result.exit_code, "set AI_JOB_TABLE_NAME" in result.stderr) == (1, True)
    assert get_queue_message_count(aws.request_queue).total == 0
    assert cli("submit", file(JOB)).exit_code == 0


def test_status_shows_one_job_in_full(cli, end):
    end("job-1", text="Hello,\n\tAda. \x1b[31mred\x07")
    lines = cli("status", "job-1").stdout.splitlines()
    assert [line.split() for line in lines[:2]] == [["jobId", "job-1"], ["userId", "user-1"]]
    text = "\n".join(lines)
    assert "12 tokens in, 5 out" in text
    assert "max_tokens (cut off)" in text
    assert text.endswith("\nHello,\n    Ada. [31mred")


def test_status_shows_a_json_result_and_what_it_cost(cli, rows, start):
    start("job-1")
    usage = {"inputTokens": 12, "outputTokens": 5, "cacheReadInputTokens": 2000}
    cost = {"modelCalls": 2, "serviceTier": "flex", "estimatedCost": 0.0012}
    result = {"json": {"rooms": 3}, "model": "m", "usage": usage, "stopReason": "tool_use", "truncated": False} | cost
    rows.apply_result(AIJobResultMessage("job-1", "user-1", "greeting", "completed", 1, result=result))
    text = cli("status", "job-1").stdout
    assert "12 tokens in, 5 out, 2000 read from the cache" in text
    assert {("modelCalls", "2"), ("serviceTier", "flex"), ("estimatedCost", "$0.001200")} <= {
        tuple(line.split()) for line in text.splitlines() if len(line.split()) == 2
    }
    assert text.endswith('{\n  "rooms": 3\n}\n')


def test_status_shows_the_result_of_another_producer(cli, rows, start):
    start("job-1")
    result = {"content": "Five tips", "wordCount": 850}
    rows.apply_result(AIJobResultMessage("job-1", "user-1", "greeting", "completed", result=result))
    shown = cli("status", "job-1").stdout
    assert json.loads(shown[shown.index("{") :]) == result


def test_status_shows_the_error_of_a_failed_job(cli, end):
    end("job-1", "INVALID_INPUT")
    assert "INVALID_INPUT (input.name): it is INVALID_INPUT" in cli("status", "job-1").stdout


def test_status_shows_several_jobs_in_a_table_and_names_the_unknown(cli, end, start):
    end("job-1")
    start("job-2")
    result = cli("status", "job-2", "nobody", "job-1", "job-2")
    assert result.exit_code == 1
    rows = [line.split() for line in result.stdout.splitlines()]
    assert [row[:4] for row in rows] == [
        ["JOB", "STATUS", "TYPE", "USER"],
        ["job-2", "processing", "greeting", "user-1"],
        ["job-1", "completed", "greeting", "user-1"],
    ]
    assert "no such job: nobody" in result.stderr


def test_a_table_says_when_a_job_came_and_how_long_it_took(cli, rows, body, aws):
    then = timestamps.from_text("2026-01-31T12:00:00.500Z")
    store = JobStore(aws.table, retention_days=3650, clock=lambda: then + timedelta(seconds=2))
    job = ReceivedJob.parse(body(timestamp=timestamps.to_text(then)), {}, "m", then)
    store.claim(job, "m", ClaimTerms(then, 3600, 60))
    ended = then + timedelta(seconds=75)
    message = AIJobResultMessage("job-1", "user-1", "greeting", "completed", result={"text": "x"}, timestamp=ended)
    rows.apply_result(message)
    lines = cli("status", "job-1", "nobody").stdout.splitlines()
    assert lines[1].split() == ["job-1", "completed", "greeting", "user-1", "2026-01-31T12:00:00Z", "75.0", "s", "-"]
    assert cli("list", "--user", "user-1").stdout.splitlines()[1].split()[3:] == [
        "2026-01-31T12:00:00Z",
        "75.0",
        "s",
        "1",
        "-",
    ]


def test_a_list_says_why_a_job_failed(cli, end):
    end("job-1", "INVALID_INPUT")
    lines = cli("list", "--user", "user-1").stdout.splitlines()
    assert [line.split()[-1] for line in lines] == ["ERROR", "INVALID_INPUT"]
    (view,) = json.loads(cli("list", "--user", "user-1", "--json").stdout)
    assert (view["errorCode"], "error" in view) == ("INVALID_INPUT", False)


def test_status_as_json_is_what_get_says(cli, end):
    end("job-1")
    end("job-2", "INVALID_INPUT")
    views = json.loads(cli("status", "--json", "job-1", "job-2").stdout)
    assert [view["status"] for view in views] == ["completed", "failed"]
    assert views[0]["usage"] == {"inputTokens": 12, "outputTokens": 5}
    assert views[1]["error"] == {"code": "INVALID_INPUT", "message": "it is INVALID_INPUT", "field": "input.name"}


def test_status_of_nobody_is_an_empty_list(cli):
    result = cli("status", "--json", "nobody")
    assert (result.exit_code, json.loads(result.stdout)) == (1, [])


@pytest.mark.parametrize("command", ["status", "wait"])
def test_an_id_that_can_be_none_is_wrong_usage(cli, command):
    result = cli(command, "a b")
    assert (result.exit_code, 'jobId is "a b"' in result.stderr) == (2, True)


def test_wait_sees_all_jobs_end(cli, end, start, no_pauses, monkeypatch, rows):
    end("job-1")
    start("job-2")
    get_all = JobStore.get_all
    looks = itertools.count()

    def and_then(store, ids):
        if next(looks) == 2:
            end("job-2b")
            result = {"text": "x"}
            rows.apply_result(AIJobResultMessage("job-2", "user-1", "greeting", "completed", result=result))
        return get_all(store, ids)

    monkeypatch.setattr(JobStore, "get_all", and_then)
    result = cli("wait", "job-1", "-", stdin="job-2\n job-1\n")
    assert result.exit_code == 0
    assert [line.split()[:2] for line in result.stdout.splitlines()[1:]] == [
        ["job-1", "completed"],
        ["job-2", "completed"],
    ]


def test_wait_exits_with_1_when_a_job_failed(cli, end, no_pauses):
    end("job-1")
    end("job-2", "INVALID_INPUT")
    result = cli("wait", "job-1", "job-2")
    assert result.exit_code == 1
    assert result.stdout.splitlines()[2].split()[-1] == "INVALID_INPUT"


def test_wait_gives_up_in_time_and_names_the_open_jobs(cli, end, start, no_pauses):
    end("job-1", "INVALID_INPUT")
    start("job-2")
    result = cli("wait", "--json", "--timeout", "30", "job-1", "job-2", "job-3")
    assert result.exit_code == 3
    assert "2 of 3 jobs had not ended after 30 s: job-2, job-3" in result.stderr
    assert [job["status"] for job in json.loads(result.stdout)] == ["failed", "processing", "unknown"]
    assert no_pauses[0] == pytest.approx(30)


def test_ctrl_c_ends_a_wait_with_what_is_known(cli, end, start, no_pauses, monkeypatch):
    end("job-1")
    start("job-2")
    looks = itertools.count()
    get_all = JobStore.get_all

    def interrupted(store, ids):
        if next(looks):
            raise KeyboardInterrupt
        return get_all(store, ids)

    monkeypatch.setattr(JobStore, "get_all", interrupted)
    result = cli("wait", "job-1", "job-2")
    assert result.exit_code == 130
    assert [line.split()[1] for line in result.stdout.splitlines()[1:]] == ["completed", "processing"]


def test_wait_for_nothing_is_wrong_usage(cli):
    result = cli("wait", "-", stdin=" \n")
    assert (result.exit_code, "has no job ids" in result.stderr) == (2, True)


@pytest.fixture
def history(end, start):
    for number in range(3):
        end(f"done-{number}", timestamp=f"2026-01-0{number + 1}T00:00:00.000Z")
    end("bad", "INVALID_INPUT", timestamp="2026-01-04T00:00:00.000Z", jobType="other")
    start("open", timestamp="2026-01-05T00:00:00.000Z")
    start("strangers", userId="user-2")


def test_list_shows_a_users_jobs_newest_first(cli, history):
    result = cli("list", "--user", "user-1")
    assert [line.split()[:3] for line in result.stdout.splitlines()] == [
        ["JOB", "STATUS", "TYPE"],
        ["open", "processing", "greeting"],
        ["bad", "failed", "other"],
        ["done-2", "completed", "greeting"],
        ["done-1", "completed", "greeting"],
        ["done-0", "completed", "greeting"],
    ]
    assert result.stderr == ""


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--status", "completed"), ["done-2", "done-1", "done-0"]),
        (("--type", "other"), ["bad"]),
        (("--status", "completed", "--type", "other"), []),
        (("--status", "completed", "--limit", "2"), ["done-2", "done-1"]),
    ],
)
def test_list_filters(cli, history, options, expected):
    result = cli("list", "--user", "user-1", "--json", *options)
    assert [job["jobId"] for job in json.loads(result.stdout)] == expected
    assert ("there are more" in result.stderr) == ("--limit" in options)


def test_list_of_nobody_is_empty(cli):
    result = cli("list", "--user", "nobody")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "nobody has no jobs\n")
    assert json.loads(cli("list", "--user", "nobody", "--json").stdout) == []


def test_list_refuses_what_can_not_be_a_user(cli):
    result = cli("list", "--user", "a b")
    assert (result.exit_code, 'userId is "a b"' in result.stderr) == (2, True)


def test_the_states_of_the_option_are_those_of_a_row():
    listing = main.get_command(click.Context(main), "list")
    (option,) = [option for option in listing.params if "--status" in option.opts]
    assert list(option.type.choices) == [status.value for status in JobStatus]


@pytest.mark.parametrize(
    "arguments", [("status", "job-1"), ("wait", "job-1"), ("list", "--user", "user-1")], ids=lambda given: given[0]
)
def test_a_refused_table_is_explained(cli, refusing, arguments):
    for operation in ("BatchGetItem", "Query"):
        refusing(clients.get_dynamodb_client(), operation, "AccessDeniedException")
    result = cli(*arguments)
    assert result.exit_code == 1
    assert "operation: on cue: AccessDeniedException" in result.stderr, "AWS's own words name the permission"
    assert "these credentials do not allow this" in result.stderr


def test_the_region_may_be_in_the_aws_clis_own_variable(cli, file, monkeypatch):
    """boto3 reads AWS_DEFAULT_REGION only."""
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    clients.forget_clients()
    assert cli("submit", file(JOB)).exit_code == 0
    assert clients.get_sqs_client().meta.region_name == "eu-west-1"


def test_missing_credentials_are_explained(cli, file, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it remembers credentials
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    result = cli("submit", file(JOB))
    assert result.exit_code == 1
    assert "there are no AWS credentials" in result.stderr


def test_open_jobs_are_cancelled(cli, rows, start, end):
    start("one")
    start("two")
    done = cli("cancel", "one", "two", "--json")
    assert done.exit_code == 0, done.output
    assert [job["status"] for job in json.loads(done.stdout)] == ["cancelled", "cancelled"]
    assert rows.get("one")["status"] == "cancelled"


def test_what_could_not_be_cancelled_is_named(cli, start, end):
    start("open")
    end("ended")
    done = cli("cancel", "open", "ended", "nobody")
    assert done.exit_code == 1
    assert "not cancelled, because they have ended or don't have a row (yet): ended, nobody" in done.stderr
    assert [line.split()[:2] for line in done.stdout.splitlines()[1:]] == [
        ["open", "cancelled"],
        ["ended", "completed"],
        ["nobody", "unknown"],
    ]
