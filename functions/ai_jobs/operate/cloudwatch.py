"""What CloudWatch knows about an environment: the values of metrics over the last minutes, and alarms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from ai_jobs.aws.clients import get_cloudwatch_client
from ai_jobs.service import metrics

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.type_defs import MetricDataQueryTypeDef

METRICS_MINUTES = 5
"""The period that sums, percentiles, and maxima cover. CloudWatch itself lags behind by a minute or two."""

# The reconciler measures the oldest open job, and its runs may be further apart than the period above.
_GAUGE_PERIOD = timedelta(minutes=15)

_MAX_ALARM_NAMES = 100


@dataclass(frozen=True)
class Metric:
    """A metric to ask for, and how its values over the period become one."""

    namespace: str
    name: str
    statistic: str
    dimensions: tuple[tuple[str, str], ...]
    per_minute: bool = False
    gauge: bool = False

    @property
    def period_seconds(self) -> int:
        """One value per minute, except for percentiles, which can't be combined."""
        return 60 * METRICS_MINUTES if self.statistic.startswith("p") else 60

    def value_of(self, points: list[tuple[datetime, float]], end: datetime) -> float | None:
        """The value over the period that ends at `end`, from points in any order; None if there are no points."""
        start = end - (_GAUGE_PERIOD if self.gauge else timedelta(minutes=METRICS_MINUTES))
        values = [value for _, value in sorted(point for point in points if point[0] >= start)]
        if not values:
            return None
        if self.gauge or self.statistic.startswith("p"):
            return values[-1]
        if self.statistic == "Maximum":
            return max(values)
        return sum(values) / METRICS_MINUTES if self.per_minute else sum(values)

    def query(self, query_id: str) -> MetricDataQueryTypeDef:
        """The metric as `GetMetricData` asks for it."""
        dimensions = [{"Name": name, "Value": value} for name, value in self.dimensions]
        metric: Any = {"Namespace": self.namespace, "MetricName": self.name, "Dimensions": dimensions}
        return {
            "Id": query_id,
            "MetricStat": {"Metric": metric, "Period": self.period_seconds, "Stat": self.statistic},
        }


# By the key that a snapshot uses: metric, and statistic where it is not the sum.
_COUNTS_PER_MINUTE = {"completedPerMinute": metrics.JOBS_COMPLETED, "failedPerMinute": metrics.JOBS_FAILED}
_SUMS = {
    "stalled": metrics.JOBS_STALLED,
    "modelThrottles": metrics.MODEL_THROTTLES,
    "inputTokens": metrics.INPUT_TOKENS,
    "outputTokens": metrics.OUTPUT_TOKENS,
}
_PERCENTILES = {
    "queueWaitP50": (metrics.QUEUE_WAIT, "p50"),
    "queueWaitP95": (metrics.QUEUE_WAIT, "p95"),
    "totalTimeP95": (metrics.TOTAL_TIME, "p95"),
    "modelLatencyP95": (metrics.MODEL_LATENCY, "p95"),
}
_OLDEST_OPEN_JOB = "oldestOpenJobSeconds"

JOB_METRICS = (*_COUNTS_PER_MINUTE, *_SUMS, *_PERCENTILES, _OLDEST_OPEN_JOB)
"""The keys of `job_metrics`."""

_FUNCTION_METRICS = {
    "invocations": ("Invocations", "Sum"),
    "errors": ("Errors", "Sum"),
    "throttles": ("Throttles", "Sum"),
    "max_duration": ("Duration", "Maximum"),
}


def job_metrics(namespace: str) -> dict[str, Metric]:
    """What the functions report about jobs and the model."""
    service = (("service", metrics.SERVICE),)
    wanted = {key: Metric(namespace, name, "Sum", service, per_minute=True) for key, name in _COUNTS_PER_MINUTE.items()}
    wanted |= {key: Metric(namespace, name, "Sum", service) for key, name in _SUMS.items()}
    wanted |= {key: Metric(namespace, name, part, service) for key, (name, part) in _PERCENTILES.items()}
    wanted[_OLDEST_OPEN_JOB] = Metric(namespace, metrics.OLDEST_OPEN_JOB_AGE, "Maximum", service, gauge=True)
    return wanted


def function_metrics(function_name: str) -> dict[str, Metric]:
    """What Lambda reports about a function."""
    dimensions = (("FunctionName", function_name),)
    return {
        key: Metric("AWS/Lambda", name, statistic, dimensions) for key, (name, statistic) in _FUNCTION_METRICS.items()
    }


def read_metrics(wanted: Mapping[tuple[str, str], Metric], now: datetime) -> dict[tuple[str, str], float | None]:
    """The metrics' values over the last `METRICS_MINUTES` full minutes, in one call; None where there are none.

    Raises:
        ai_jobs.aws.errors.CALL_ERRORS: if the call fails.
    """
    end = now.replace(second=0, microsecond=0)
    ids = {f"m{index}": key for index, key in enumerate(wanted)}
    queries = [wanted[key].query(query_id) for query_id, key in ids.items()]
    points: dict[tuple[str, str], list[tuple[datetime, float]]] = {key: [] for key in wanted}
    pages = get_cloudwatch_client().get_paginator("get_metric_data")
    for page in pages.paginate(
        MetricDataQueries=queries, StartTime=end - _GAUGE_PERIOD, EndTime=end, ScanBy="TimestampDescending"
    ):
        for result in page["MetricDataResults"]:
            points[ids[result["Id"]]] += zip(result["Timestamps"], result["Values"], strict=True)
    return {key: metric.value_of(points[key], end) for key, metric in wanted.items()}


def describe_alarms(names: list[str], **filters: Any) -> list[dict[str, Any]]:
    """CloudWatch's description of the metric and composite alarms with these names, as far as they exist.

    Raises:
        ai_jobs.aws.errors.CALL_ERRORS: if the call fails.
    """
    pages = get_cloudwatch_client().get_paginator("describe_alarms")
    found: list[Any] = []
    for start in range(0, len(names), _MAX_ALARM_NAMES):
        for page in pages.paginate(
            AlarmNames=names[start : start + _MAX_ALARM_NAMES],
            AlarmTypes=["MetricAlarm", "CompositeAlarm"],
            **filters,
        ):
            found += [*page.get("MetricAlarms", []), *page.get("CompositeAlarms", [])]
    return found
