"""Metrics, as log lines in CloudWatch's embedded format: no call, no permission, nothing to fail."""

from __future__ import annotations

import os

from aws_lambda_powertools.metrics import MetricUnit, single_metric

from ai_jobs.errors import ErrorClass

BUDGET_WAITS = "BudgetWaits"
"""How often a job had to wait because the day's token budget was used up."""


def count(name: str) -> None:
    """Count one event under this name, in the namespace `POWERTOOLS_METRICS_NAMESPACE`, by function."""
    # A metric of its own each time: Powertools' Metrics object is not made for several threads.
    with single_metric(
        name=name,
        unit=MetricUnit.Count,
        value=1,
        namespace=os.environ.get("POWERTOOLS_METRICS_NAMESPACE") or "ai-jobs",
    ) as metric:
        metric.add_dimension("service", os.environ.get("POWERTOOLS_SERVICE_NAME") or "ai-jobs")


def count_failure(error_class: ErrorClass) -> None:
    """Count a failed attempt, message or job under its class's name (`ErrorClass.metric_name`)."""
    count(error_class.metric_name)
