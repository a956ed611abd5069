"""`ai-jobs doctor`: how it prints what the checks find."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from ai_jobs.cli.main import main
from ai_jobs.operate.doctor.findings import Finding, State

OK = Finding("table", State.OK, "active")
WARNING = Finding("request DLQ", State.WARNING, "holds 2 messages", "look at them: ai-jobs dlq list request")
FAILED = Finding("processor's trigger", State.FAILED, "paused", "resume it: ai-jobs resume request")


@pytest.fixture
def run(monkeypatch):
    """Runs `ai-jobs doctor` with checks that find this; the result also has the subject that they were given."""

    def call(findings, *arguments, before=()):
        subjects = []

        def examine(subject):
            subjects.append(subject)
            return iter(findings)

        monkeypatch.setattr("ai_jobs.operate.doctor.checks.examine", examine)
        monkeypatch.setenv("AI_JOB_REQUEST_QUEUE_URL", "https://sqs/1/request")
        done = CliRunner().invoke(main, [*before, "doctor", *arguments])
        done.subjects = subjects
        return done

    return call


def test_a_table_and_what_to_do(run):
    done = run([OK, WARNING, FAILED])
    assert done.exit_code == 1
    assert done.stdout == (
        "CHECK                STATE    FOUND\n"
        "table                ok       active\n"
        "request DLQ          warning  holds 2 messages\n"
        "processor's trigger  failed   paused\n"
        "\n"
        "What to do:\n"
        "- request DLQ: look at them: ai-jobs dlq list request\n"
        "- processor's trigger: resume it: ai-jobs resume request\n"
        "\n"
        "1 ok, 1 warning, 1 failed\n"
    )
    assert "\x1b" not in done.output


def test_warnings_do_not_fail(run):
    done = run([OK, WARNING, WARNING])
    assert done.exit_code == 0
    assert done.stdout.endswith("1 ok, 2 warnings, 0 failed\n")


def test_nothing_to_do(run):
    done = run([OK])
    assert done.exit_code == 0
    assert "What to do" not in done.stdout


def test_json(run):
    done = run([OK, FAILED], "--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout) == {
        "counts": {"ok": 1, "warning": 0, "failed": 1},
        "findings": [
            {"check": "table", "state": "ok", "found": "active", "advice": ""},
            {
                "check": "processor's trigger",
                "state": "failed",
                "found": "paused",
                "advice": "resume it: ai-jobs resume request",
            },
        ],
    }


def test_advice_names_the_environment(run, tmp_path):
    assert (run([OK]).subjects[0].command, run([OK]).subjects[0].named) == ("ai-jobs", False)
    file = tmp_path / "my outputs.json"
    file.write_text('{"request_queue_url": "https://sqs/1/request"}')
    subject = run([OK], before=("--outputs", str(file))).subjects[0]
    assert subject.command == f"ai-jobs --outputs '{file}'"
    assert subject.named
    assert subject.outputs == {"request_queue_url": "https://sqs/1/request"}


def test_the_same_advice_is_given_once(run):
    done = run([Finding(name, State.FAILED, "gone", "terraform apply") for name in ("table", "bucket", "table")])
    assert done.stdout.split("What to do:\n")[1].startswith("- table, bucket: terraform apply\n\n")


def test_no_environment(run, monkeypatch):
    monkeypatch.setattr("ai_jobs.cli.environment.VARIABLES", {})
    done = run([OK])
    assert done.exit_code == 1
    assert "request_queue_url is not known: it is missing from the AI_JOB_ variables" in done.stderr
    assert done.subjects == []


def test_an_unknown_environment(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = run([OK], before=("--env", "nowhere"))
    assert done.exit_code == 1
    assert "there is no environment 'nowhere'" in done.stderr
    assert done.subjects == []


def test_a_file_that_holds_no_outputs(run, tmp_path):
    file = tmp_path / "outputs.json"
    file.write_text("not JSON")
    done = run([OK], before=("--outputs", str(file)))
    assert done.exit_code == 1
    assert "is not JSON" in done.stderr
