"""Metrics in CloudWatch's embedded format."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from typing import Any

import pytest

from ai_jobs.contract.errors import ErrorClass
from ai_jobs.service import metrics


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "acme-ai-jobs-test")
    monkeypatch.setenv("AI_JOB_TYPES", "greeting,blog-post")


@pytest.fixture
def written(capsys):
    """The documents written since the last call."""
    return lambda: [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def directive_of(document: dict[str, Any]) -> dict[str, Any]:
    (directive,) = document["_aws"]["CloudWatchMetrics"]
    return directive


def test_a_failure_is_one_line_that_cloudwatch_understands(written):
    metrics.count_failure(ErrorClass.NOT_A_JOB)
    (document,) = written()
    assert directive_of(document) == {
        "Namespace": "acme-ai-jobs-test",
        "Dimensions": [["service"]],
        "Metrics": [{"Name": "NotAJobErrors", "Unit": "Count"}],
    }
    # The same for every function: an alarm looks at the whole service.
    assert (document["service"], document["NotAJobErrors"]) == ("ai-jobs", [1.0])


def test_without_a_namespace_it_has_a_default(written, monkeypatch):
    monkeypatch.delenv("POWERTOOLS_METRICS_NAMESPACE", raising=False)
    metrics.count(metrics.BUDGET_WAITS)
    assert directive_of(written()[0])["Namespace"] == "ai-jobs"


def test_a_jobs_metrics_are_there_as_a_whole_and_by_type(written):
    metrics.emit({metrics.MODEL_LATENCY: 812.5, metrics.INPUT_TOKENS: 12}, "greeting")
    (document,) = written()
    assert directive_of(document)["Dimensions"] == [["service"], ["service", "JobType"]]
    assert directive_of(document)["Metrics"] == [
        {"Name": "ModelLatency", "Unit": "Milliseconds"},
        {"Name": "InputTokens", "Unit": "Count"},
    ]
    assert (document["JobType"], document["ModelLatency"], document["InputTokens"]) == ("greeting", [812.5], [12.0])


@pytest.mark.parametrize("configured", ["greeting,blog-post", ""])
def test_a_type_that_a_caller_made_up_does_not_become_a_metric(written, monkeypatch, configured):
    monkeypatch.setenv("AI_JOB_TYPES", configured)
    for number in range(100):
        metrics.emit({metrics.JOBS_FAILED: 1}, f"made-up-{number}")
    assert {document["JobType"] for document in written()} == {"other"}


def test_a_finished_job_is_counted_with_its_time_and_attempts(written):
    row = {
        "jobId": "job-1",
        "jobType": "greeting",
        "status": "completed",
        "attempt": 5,
        "calls": 2,
        "createdAt": "2026-01-31T12:00:00.000Z",
        "completedAt": "2026-01-31T12:00:01.500Z",
    }
    metrics.count_result(row)
    metrics.count_result(row | {"status": "failed"})
    completed, failed = written()
    assert (completed["JobsCompleted"], completed["TotalTime"], completed["Attempts"]) == ([1.0], [1500.0], [2.0])
    assert failed["JobsFailed"] == [1.0]
    assert completed["jobId"] == "job-1"
    assert all("jobId" not in names for names in directive_of(completed)["Dimensions"]), (
        "it would be a metric of its own"
    )
    assert "JobsCompleted" not in failed


def test_clocks_that_differ_give_no_negative_time():
    assert metrics.milliseconds(timedelta(seconds=-3)) == 0
    assert metrics.milliseconds(timedelta(milliseconds=1)) == 1


def test_a_name_that_is_not_in_the_table_is_a_bug():
    with pytest.raises(KeyError):
        metrics.emit({"Surprise": 1})
    with pytest.raises(KeyError):
        metrics.emit({metrics.BUDGET_WAITS: 1}, "greeting")  # not of a job


def test_lines_of_several_threads_do_not_run_into_each_other(capsys):
    def work():
        for _ in range(200):
            metrics.emit({metrics.QUEUE_WAIT: 1}, "greeting")

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1600
    assert all(json.loads(line)["QueueWait"] == [1.0] for line in lines)
