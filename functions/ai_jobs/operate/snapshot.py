"""What an environment does at the moment, as `ai-jobs top` shows it: queues, workers, throughput, waits, alarms."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from ai_jobs.aws.clients import get_cloudwatch_client
from ai_jobs.aws.queues import QueueMessageCount, get_queue_attributes, get_queue_message_count
from ai_jobs.contract import timestamps
from ai_jobs.contract.errors import AWSError
from ai_jobs.operate.triggers import find_trigger

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.type_defs import MetricDataQueryTypeDef

QUEUES = {
    "request": "request_queue_url",
    "response": "response_queue_url",
    "request-dlq": "request_dlq_url",
    "response-dlq": "response_dlq_url",
}
"""The queues in the order of a job's way, and the output that is each one's URL."""

WORKERS = {
    "processor": ("processor_function_name", "request_queue_url"),
    "result-handler": ("result_handler_function_name", "response_queue_url"),
}
"""The functions that work on a queue: the outputs that name the function and its queue."""

METRICS_MINUTES = 5
"""The time that sums, percentiles and maxima cover. CloudWatch itself lags behind by a minute or two."""

# Metrics cost money (a hundredth of a dollar per thousand asked for), and change once a minute.
_METRICS_EVERY_SECONDS = 30
# Lambda's control plane takes 15 calls a second, from everybody in the account together.
_TRIGGERS_EVERY_SECONDS = 10
# The change of a queue is measured over this time: between two refreshes the counts, which are approximate, jump.
_TREND_SECONDS = 60

# The oldest open job is measured by the reconciler, whose runs may lie further apart than the time above.
_GAUGE_TIME = timedelta(minutes=15)

_MAX_ALARM_NAMES = 100


@dataclass(frozen=True)
class QueueState:
    """A queue's messages.

    Attributes:
        count: None when it could not be read.
        change_per_minute: how fast the queue grows (or shrinks): what came in less what went out. None until it has
            been watched for a while.
    """

    name: str
    count: QueueMessageCount | None
    change_per_minute: float | None = None


@dataclass(frozen=True)
class WorkerState:
    """A worker function, and what CloudWatch has of its last minutes.

    Attributes:
        state: as `ai_jobs.operate.triggers` names it, `none` without a trigger, None when it could not be read.
        max_duration: the longest run, in milliseconds.
    """

    name: str
    state: str | None
    invocations: float | None = None
    errors: float | None = None
    throttles: float | None = None
    max_duration: float | None = None


@dataclass(frozen=True)
class Alarm:
    """An alarm that is in ALARM, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Snapshot:
    """Everything at one moment.

    Attributes:
        jobs: values by the keys of `JOB_METRICS`; None where CloudWatch has none.
        alarms: those in ALARM; None when they could not be read.
        notes: why something is missing.
    """

    at: datetime
    queues: list[QueueState]
    workers: list[WorkerState]
    jobs: Mapping[str, float | None]
    alarms: list[Alarm] | None
    notes: list[str]
    minutes: int = METRICS_MINUTES

    def to_document(self) -> dict[str, Any]:
        """The snapshot as JSON has it; times in milliseconds but for `oldestOpenJobSeconds`."""
        return {
            "at": timestamps.to_text(self.at),
            "minutes": self.minutes,
            "queues": [
                {
                    "name": queue.name,
                    "visible": queue.count.visible if queue.count else None,
                    "inFlight": queue.count.in_flight if queue.count else None,
                    "delayed": queue.count.delayed if queue.count else None,
                }
                for queue in self.queues
            ],
            "workers": [
                {
                    "name": worker.name,
                    "state": worker.state,
                    "invocations": worker.invocations,
                    "errors": worker.errors,
                    "throttles": worker.throttles,
                    "maxDuration": worker.max_duration,
                }
                for worker in self.workers
            ],
            "jobs": dict(self.jobs),
            "alarms": None if self.alarms is None else [vars(alarm) for alarm in self.alarms],
            "notes": self.notes,
        }


@dataclass(frozen=True)
class _Metric:
    """A metric to ask for, and how its values over the time become one."""

    namespace: str
    name: str
    statistic: str
    dimensions: tuple[tuple[str, str], ...]
    per_minute: bool = False
    gauge: bool = False

    @property
    def period_seconds(self) -> int:
        """One value a minute, but for percentiles, which can't be put together again."""
        return 60 * METRICS_MINUTES if self.statistic.startswith("p") else 60

    def value_of(self, points: list[tuple[datetime, float]], end: datetime) -> float | None:
        """The value over the time that ends then, from points in any order; None when there are none."""
        start = end - (_GAUGE_TIME if self.gauge else timedelta(minutes=METRICS_MINUTES))
        recent = sorted(point for point in points if point[0] >= start)
        values = [value for _, value in recent]
        if not values:
            return None
        if self.gauge or self.statistic.startswith("p"):
            return values[-1]
        if self.statistic == "Maximum":
            return max(values)
        return sum(values) / METRICS_MINUTES if self.per_minute else sum(values)


# What the functions emit (docs/how-it-works.md): key of the snapshot, metric, statistic.
_COUNTS_PER_MINUTE = {"completedPerMinute": "JobsCompleted", "failedPerMinute": "JobsFailed"}
_SUMS = {
    "stalled": "JobsStalled",
    "modelThrottles": "ModelThrottles",
    "inputTokens": "InputTokens",
    "outputTokens": "OutputTokens",
}
_PERCENTILES = {
    "queueWaitP50": ("QueueWait", "p50"),
    "queueWaitP95": ("QueueWait", "p95"),
    "totalTimeP95": ("TotalTime", "p95"),
    "modelLatencyP95": ("ModelLatency", "p95"),
}
_OLDEST_OPEN_JOB = "oldestOpenJobSeconds"

JOB_METRICS = (*_COUNTS_PER_MINUTE, *_SUMS, *_PERCENTILES, _OLDEST_OPEN_JOB)
"""The keys of `Snapshot.jobs`."""

_FUNCTION_METRICS = {
    "invocations": ("Invocations", "Sum"),
    "errors": ("Errors", "Sum"),
    "throttles": ("Throttles", "Sum"),
    "max_duration": ("Duration", "Maximum"),
}


def _job_metrics(namespace: str) -> dict[str, _Metric]:
    service = (("service", "ai-jobs"),)
    metrics = {
        key: _Metric(namespace, name, "Sum", service, per_minute=True) for key, name in _COUNTS_PER_MINUTE.items()
    }
    metrics |= {key: _Metric(namespace, name, "Sum", service) for key, name in _SUMS.items()}
    metrics |= {key: _Metric(namespace, name, part, service) for key, (name, part) in _PERCENTILES.items()}
    metrics[_OLDEST_OPEN_JOB] = _Metric(namespace, "OldestOpenJobAge", "Maximum", service, gauge=True)
    return metrics


def _function_metrics(function_name: str) -> dict[str, _Metric]:
    dimensions = (("FunctionName", function_name),)
    return {
        key: _Metric("AWS/Lambda", name, statistic, dimensions) for key, (name, statistic) in _FUNCTION_METRICS.items()
    }


@dataclass
class Watcher:
    """Takes snapshots of one environment, and asks each service only as often as it makes sense.

    Args:
        outputs: the environment's outputs by name; what depends on one that is missing is left out, with a note.
        clock: seconds, never going back.
        now: the time of day, for CloudWatch.
    """

    outputs: Mapping[str, Any]
    clock: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = timestamps.now
    _queue_arns: dict[str, str] = field(default_factory=dict, init=False)
    _history: dict[str, deque[tuple[float, int]]] = field(default_factory=dict, init=False)
    _kept: dict[str, tuple[float, Any, list[str]]] = field(default_factory=dict, init=False)

    def snapshot(self) -> Snapshot:
        """What there is to see now.

        Raises:
            AWSError: when no queue at all can be read; otherwise what can't be read is None, and a note says why.
        """
        notes: list[str] = []
        queues = self._queues(notes)
        states = self._every(_TRIGGERS_EVERY_SECONDS, "triggers", self._trigger_states, notes)
        metrics = self._every(_METRICS_EVERY_SECONDS, "metrics", self._metrics, notes)
        alarms = self._every(_METRICS_EVERY_SECONDS, "alarms", self._alarms, notes)
        return Snapshot(
            at=self.now(),
            queues=queues,
            workers=[replace(WorkerState(name, states[name]), **metrics.get(name, {})) for name in WORKERS],
            jobs={key: metrics["jobs"].get(key) for key in JOB_METRICS},
            alarms=alarms,
            notes=list(dict.fromkeys(notes)),
        )

    def _every(self, seconds: float, name: str, read: Callable[[list[str]], Any], notes: list[str]) -> Any:
        kept = self._kept.get(name)
        if kept is None or self.clock() - kept[0] >= seconds:
            why: list[str] = []
            kept = (self.clock(), read(why), why)
            self._kept[name] = kept
        notes += kept[2]
        return kept[1]

    def _queues(self, notes: list[str]) -> list[QueueState]:
        states, errors = [], []
        for name, output in QUEUES.items():
            url = self.outputs.get(output)
            count = None
            if not url:
                notes.append(f"{output} is not known")
            else:
                try:
                    count = get_queue_message_count(url)
                except AWSError as error:
                    errors.append(error)
                    notes.append(str(error))
            states.append(QueueState(name, count, self._change(name, count)))
        if errors and all(state.count is None for state in states):
            raise errors[0]
        return states

    def _change(self, name: str, count: QueueMessageCount | None) -> float | None:
        history = self._history.setdefault(name, deque())
        now = self.clock()
        while history and now - history[0][0] > _TREND_SECONDS:
            history.popleft()
        if count is None:
            return None
        history.append((now, count.total))
        seconds = now - history[0][0]
        # Ten seconds of approximate counts say nothing yet.
        return (count.total - history[0][1]) * 60 / seconds if seconds >= 10 else None

    def _trigger_states(self, notes: list[str]) -> dict[str, str | None]:
        return {name: self._trigger_state(*outputs, notes) for name, outputs in WORKERS.items()}

    def _trigger_state(self, function_output: str, url_output: str, notes: list[str]) -> str | None:
        function, url = self.outputs.get(function_output), self.outputs.get(url_output)
        if not function or not url:
            notes.append(f"{function_output if not function else url_output} is not known")
            return None
        try:
            if url not in self._queue_arns:
                self._queue_arns[url] = get_queue_attributes(url)["QueueArn"]
            trigger = find_trigger(function, self._queue_arns[url])
        except AWSError:
            # The queues have a note of their own.
            return None
        except (ClientError, BotoCoreError) as error:
            notes.append(f"the state of {function} can't be read: {error}")
            return None
        return trigger.state if trigger else "none"

    def _metrics(self, notes: list[str]) -> dict[str, dict[str, float | None]]:
        """Values by `jobs` or a worker's name, and by key."""
        groups: dict[str, dict[str, _Metric]] = {"jobs": {}}
        namespace = self.outputs.get("metrics_namespace")
        if namespace:
            groups["jobs"] = _job_metrics(namespace)
        else:
            notes.append("metrics_namespace is not known: no figures of jobs and the model")
        for name, (output, _) in WORKERS.items():
            if function := self.outputs.get(output):
                groups[name] = _function_metrics(function)
        wanted = {(group, key): metric for group, metrics in groups.items() for key, metric in metrics.items()}
        values: dict[tuple[str, str], float | None] = {}
        if wanted:
            try:
                values = _read_metrics(wanted, self.now())
            except (ClientError, BotoCoreError) as error:
                notes.append(f"CloudWatch's metrics can't be read: {error}")
            else:
                silent = [
                    group
                    for group in groups
                    if groups[group] and all(values[group, key] is None for key in groups[group])
                ]
                if silent:
                    notes.append(
                        f"CloudWatch has nothing of the last {METRICS_MINUTES} minutes on: {', '.join(silent)}"
                    )
        return {group: {key: values.get((group, key)) for key in metrics} for group, metrics in groups.items()}

    def _alarms(self, notes: list[str]) -> list[Alarm] | None:
        names = list(self.outputs.get("alarm_names") or [])
        if service := self.outputs.get("service_alarm_name"):
            names.append(service)
        if not names:
            notes.append("alarm_names is not known: no alarms")
            return None
        try:
            found = describe_alarms(names, StateValue="ALARM")
        except (ClientError, BotoCoreError) as error:
            notes.append(f"the alarms can't be read: {error}")
            return None
        return [Alarm(alarm["AlarmName"], alarm.get("StateReason", "")) for alarm in found]


def describe_alarms(names: list[str], **filters: Any) -> list[dict[str, Any]]:
    """CloudWatch's description of the metric and composite alarms of these names, as far as they exist.

    Raises:
        botocore.exceptions.ClientError: when CloudWatch refuses.
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


def _read_metrics(wanted: Mapping[tuple[str, str], _Metric], now: datetime) -> dict[tuple[str, str], float | None]:
    """The metrics' values over the last `METRICS_MINUTES` whole minutes, in one call; None where there are none.

    Raises:
        botocore.exceptions.ClientError: when CloudWatch refuses.
    """
    end = now.replace(second=0, microsecond=0)
    ids = {f"m{index}": key for index, key in enumerate(wanted)}
    queries: list[MetricDataQueryTypeDef] = [
        {
            "Id": query_id,
            "MetricStat": {
                "Metric": {
                    "Namespace": wanted[key].namespace,
                    "MetricName": wanted[key].name,
                    "Dimensions": [{"Name": dimension, "Value": of} for dimension, of in wanted[key].dimensions],
                },
                "Period": wanted[key].period_seconds,
                "Stat": wanted[key].statistic,
            },
        }
        for query_id, key in ids.items()
    ]
    points: dict[tuple[str, str], list[tuple[datetime, float]]] = {key: [] for key in wanted}
    pages = get_cloudwatch_client().get_paginator("get_metric_data")
    for page in pages.paginate(
        MetricDataQueries=queries, StartTime=end - _GAUGE_TIME, EndTime=end, ScanBy="TimestampDescending"
    ):
        for result in page["MetricDataResults"]:
            points[ids[result["Id"]]] += zip(result["Timestamps"], result["Values"], strict=True)
    return {key: wanted[key].value_of(points[key], end) for key in wanted}
