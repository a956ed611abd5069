"""Metrics in CloudWatch's embedded format."""

from __future__ import annotations

import json

from ai_jobs import metrics
from ai_jobs.errors import ErrorClass


def test_a_failure_is_one_line_that_cloudwatch_understands(capsys, monkeypatch):
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "acme-ai-jobs-test")
    metrics.count_failure(ErrorClass.NOT_A_JOB)
    (line,) = capsys.readouterr().out.splitlines()
    document = json.loads(line)
    (directive,) = document["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "acme-ai-jobs-test"
    assert directive["Dimensions"] == [["service"]]
    assert directive["Metrics"] == [{"Name": "NotAJobErrors", "Unit": "Count"}]
    assert (document["service"], document["NotAJobErrors"]) == ("unit-tests", [1.0])


def test_without_a_namespace_it_has_a_default(capsys, monkeypatch):
    monkeypatch.delenv("POWERTOOLS_METRICS_NAMESPACE", raising=False)
    metrics.count(metrics.BUDGET_WAITS)
    assert json.loads(capsys.readouterr().out)["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "ai-jobs"
