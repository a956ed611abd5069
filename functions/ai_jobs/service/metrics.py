"""Metrics, as log lines in CloudWatch's embedded metric format: no call, no permission, nothing that can fail.

The namespace is `POWERTOOLS_METRICS_NAMESPACE`. The dimension `service` is `ai-jobs` for all functions, so that one
alarm can cover them all. Metrics of jobs are also available by `JobType`. There are no other dimensions: each user or
job id would become, and be billed as, its own metric.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from typing import Any

from ai_jobs.contract import timestamps
from ai_jobs.contract.errors import ErrorClass

SERVICE = "ai-jobs"

OTHER_TYPE = "other"
"""Stands for job types that are not configured: a name that a caller makes up must not become a metric."""

JOBS_COMPLETED = "JobsCompleted"
JOBS_FAILED = "JobsFailed"
JOBS_CANCELLED = "JobsCancelled"
JOBS_STALLED = "JobsStalled"
QUEUE_WAIT = "QueueWait"
MODEL_LATENCY = "ModelLatency"
TOTAL_TIME = "TotalTime"
ATTEMPTS = "Attempts"
INPUT_TOKENS = "InputTokens"
OUTPUT_TOKENS = "OutputTokens"
CACHE_READ_TOKENS = "CacheReadTokens"
CACHE_WRITE_TOKENS = "CacheWriteTokens"
ESTIMATED_COST = "EstimatedCost"
OUTPUT_REPAIRS = "OutputRepairs"
MODEL_FALLBACKS = "ModelFallbacks"
MODEL_THROTTLES = "ModelThrottles"
BUDGET_WAITS = "BudgetWaits"
OLDEST_OPEN_JOB_AGE = "OldestOpenJobAge"
REQUEST_TIME = "RequestTime"
WAITS_REFUSED = "WaitsRefused"

BY_TYPE: dict[str, str] = {
    JOBS_COMPLETED: "Count",
    JOBS_FAILED: "Count",
    JOBS_CANCELLED: "Count",
    QUEUE_WAIT: "Milliseconds",
    MODEL_LATENCY: "Milliseconds",
    TOTAL_TIME: "Milliseconds",
    ATTEMPTS: "Count",
    INPUT_TOKENS: "Count",
    OUTPUT_TOKENS: "Count",
    CACHE_READ_TOKENS: "Count",
    CACHE_WRITE_TOKENS: "Count",
    ESTIMATED_COST: "None",  # US dollars
    OUTPUT_REPAIRS: "Count",
    MODEL_FALLBACKS: "Count",
}
"""Metrics of a job: by `service`, and by `service` and `JobType`."""

OVERALL: dict[str, str] = {
    JOBS_STALLED: "Count",
    MODEL_THROTTLES: "Count",
    BUDGET_WAITS: "Count",
    OLDEST_OPEN_JOB_AGE: "Seconds",
    REQUEST_TIME: "Milliseconds",
    WAITS_REFUSED: "Count",
} | {error_class.metric_name: "Count" for error_class in ErrorClass}
"""Metrics of the service, by `service` alone."""

# One line at a time: several jobs report concurrently, and CloudWatch can't parse two lines that are mixed.
_writing = threading.Lock()
_UNITS = OVERALL | BY_TYPE


def emit(values: Mapping[str, float], job_type: str | None = None, job_id: str | None = None) -> None:
    """Write one line with these values.

    Args:
        values: by metric name, in the unit that `BY_TYPE` or `OVERALL` gives.
        job_type: also count them by this type; every name must then be in `BY_TYPE`.
        job_id: goes into the line, for searching the log; it is not a dimension.
    """
    # Not with Powertools: its metrics are meant to collect those of a whole invocation, and cost three times as much as
    # the line itself. The format: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/
    # CloudWatch_Embedded_Metric_Format_Specification.html
    namespace = os.environ.get("POWERTOOLS_METRICS_NAMESPACE") or "ai-jobs"
    units = _UNITS if job_type is None else BY_TYPE
    directive = {
        "Namespace": namespace,
        "Dimensions": [["service"]] if job_type is None else [["service"], ["service", "JobType"]],
        "Metrics": [{"Name": name, "Unit": units[name]} for name in values],
    }
    metadata = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]}
    document = {"_aws": metadata, "service": SERVICE} | {name: [float(value)] for name, value in values.items()}
    if job_type is not None:
        document["JobType"] = _bounded(job_type)
    if job_id is not None:
        document["jobId"] = job_id
    line = json.dumps(document, separators=(",", ":"))
    with _writing:
        sys.stdout.write(f"{line}\n")


def count(name: str) -> None:
    """Count one event."""
    emit({name: 1})


def count_failure(error_class: ErrorClass) -> None:
    """Count a failed attempt, message, or job under its class's name (`ErrorClass.metric_name`)."""
    count(error_class.metric_name)


def count_result(row: Mapping[str, Any]) -> None:
    """Count a job that a worker has just completed or failed, from its row."""
    took = timestamps.from_text(row["completedAt"]) - timestamps.from_text(row["createdAt"])
    ended = JOBS_COMPLETED if row["status"] == "completed" else JOBS_FAILED
    values = {ended: 1, TOTAL_TIME: milliseconds(took), ATTEMPTS: float(row["calls"])}
    emit(values, row["jobType"], row["jobId"])


def milliseconds(span: timedelta) -> float:
    """A duration in milliseconds; never negative, although clocks differ."""
    return max(0.0, round(span.total_seconds() * 1000))


def _bounded(job_type: str) -> str:
    return job_type if job_type in _configured_types(os.environ.get("AI_JOB_TYPES", "")) else OTHER_TYPE


@cache
def _configured_types(names: str) -> frozenset[str]:
    return frozenset(names.split(","))
