"""The command `ai-jobs` on the local AWS: R-C4, R-E4."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from ai_jobs.cli.main import main


@pytest.fixture
def outputs_file(outputs, tmp_path):
    """What `terraform output -json` prints."""
    file = tmp_path / "outputs.json"
    file.write_text(json.dumps({name: {"value": value} for name, value in vars(outputs).items()}))
    return str(file)


@pytest.fixture
def cli(outputs_file):
    """Runs the command on the stack and returns its exit code and what it printed as JSON."""

    def run(*arguments, stdin=None):
        result = CliRunner().invoke(main, ["--outputs", outputs_file, *arguments, "--json"], input=stdin)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result.exit_code, json.loads(result.stdout)

    return run


def test_an_operator_mends_what_a_model_refused(cli, submit, ended, until, model, text):  # R-E4
    prompt = text("404,200")
    job_id = submit(prompt, traceId="trace-1")
    assert ended(job_id)["error"]["code"] == "MODEL_NOT_FOUND"

    _, messages = cli("dlq", "list", "--job-id", job_id)
    (message,) = messages
    assert (message["userId"], message["jobType"], message["attempts"]) == ("user-1", "echo", 1)
    assert message["errorCode"] == "MODEL_NOT_FOUND"

    code, done = cli("dlq", "retry", "--job-id", job_id, "--yes")
    assert (code, done["counts"]) == (0, {"sent": 1})

    # The row says `failed` until a worker reopens it.
    until(lambda: cli("status", job_id)[1][0]["status"] == "completed", f"job {job_id}")
    job = cli("status", job_id)[1][0]
    assert (job["userId"], job["traceId"], job["attempts"]) == ("user-1", "trace-1", 1)
    assert "error" not in job
    assert model.calls(prompt) == 2
    assert cli("dlq", "list", "--job-id", job_id) == (0, [])


def test_a_retry_that_is_killed_and_run_again_loses_nothing(
    cli, outputs_file, submit, ended, until, model, text
):  # R-E4
    prompts = [text("404,200") for _ in range(40)]
    job_ids = [submit(prompt, userId="killed") for prompt in prompts]
    assert {ended(job_id)["error"]["code"] for job_id in job_ids} == {"MODEL_NOT_FOUND"}

    command = [str(Path(sys.executable).with_name("ai-jobs")), "--outputs", outputs_file, "dlq", "retry"]
    process = subprocess.Popen([*command, "--yes", "--user", "killed", "--rate", "10"])
    until(lambda: sum(model.calls(prompt) for prompt in prompts) >= 50, "the first jobs that were sent back")
    process.kill()
    process.wait()
    assert cli("dlq", "list", "--user", "killed")[1], "killed in the middle, not after the end"

    def all_completed():
        # What it held when it was killed becomes visible again within a minute.
        cli("dlq", "retry", "--yes", "--user", "killed", "--rate", "0")
        return {job["status"] for job in cli("status", *job_ids)[1]} == {"completed"}

    until(all_completed, "all jobs to be retried")
    assert {model.calls(prompt) for prompt in prompts} == {2}, "none was billed twice for being sent twice"


def test_jobs_are_submitted_waited_for_and_listed(cli, text, model):
    prompts = [text() for _ in range(3)]
    lines = "\n".join(json.dumps({"jobType": "echo", "input": {"text": prompt}}) for prompt in prompts)
    code, jobs = cli("submit", "-", "--user", "cli-user", "--wait", "--timeout", "60", stdin=lines)
    assert (code, [job["status"] for job in jobs]) == (0, ["completed"] * 3)
    assert [job["result"]["text"] for job in jobs] == [f"You said: {prompt}" for prompt in prompts]
    code, listed = cli("list", "--user", "cli-user", "--status", "completed")
    assert {job["jobId"] for job in listed} == {job["jobId"] for job in jobs}


def test_the_test_job_goes_all_the_way(cli):  # R-C4
    code, document = cli("verify", "--test-send")
    assert code == 0, document
    assert [queue["state"] for queue in document["queues"]] == ["ok"] * 4
    assert document["test"]["errorCode"] == "UNKNOWN_JOB_TYPE"
