"""What an environment is doing at the moment, as `ai-jobs top` shows it: queues, workers, throughput, waits, alarms."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from ai_jobs.aws.errors import CALL_ERRORS
from ai_jobs.aws.queues import QueueMessageCount, get_queue_attributes, get_queue_message_count
from ai_jobs.contract import timestamps
from ai_jobs.contract.errors import AWSError
from ai_jobs.operate.cloudwatch import (
    JOB_METRICS,
    METRICS_MINUTES,
    Metric,
    describe_alarms,
    function_metrics,
    job_metrics,
    read_metrics,
)
from ai_jobs.operate.triggers import find_trigger

QUEUES = {
    "request": "request_queue_url",
    "response": "response_queue_url",
    "request-dlq": "request_dlq_url",
    "response-dlq": "response_dlq_url",
}
"""The queues in the order of a job's path, each with the output that is its URL."""

WORKERS = {
    "processor": ("processor_function_name", "request_queue_url"),
    "result-handler": ("result_handler_function_name", "response_queue_url"),
}
"""The functions that work on a queue, each with the outputs that name the function and its queue."""

# Metrics cost money (a hundredth of a dollar per thousand), and change once a minute.
_METRICS_EVERY_SECONDS = 30
# Lambda's control plane accepts 15 calls a second from everyone in the account together.
_TRIGGERS_EVERY_SECONDS = 10
# How long to watch a queue to tell how it changes: the counts are approximate, and jump between two refreshes.
_TREND_SECONDS = 60
# A trend over less time than this says nothing yet.
_LEAST_TREND_SECONDS = 10

Values = dict[str, dict[str, float | None]]
"""Values of metrics by group (`jobs`, or a worker's name) and key."""


@dataclass(frozen=True)
class QueueState:
    """A queue's messages.

    Attributes:
        count: None if it could not be read.
        change_per_minute: how fast the queue grows or shrinks: what came in minus what went out. None until it has
            been watched for a while.
    """

    name: str
    count: QueueMessageCount | None
    change_per_minute: float | None = None

    def to_document(self) -> dict[str, Any]:
        """The queue in JSON."""
        count = self.count
        counts = (count.visible, count.in_flight, count.delayed) if count else (None, None, None)
        return {"name": self.name} | dict(zip(("visible", "inFlight", "delayed"), counts, strict=True))


@dataclass(frozen=True)
class WorkerState:
    """A worker function, and what CloudWatch says about its last minutes.

    Attributes:
        state: as `ai_jobs.operate.triggers` names it; `none` without a trigger, None if it could not be read.
        max_duration: the longest run in milliseconds.
    """

    name: str
    state: str | None
    invocations: float | None = None
    errors: float | None = None
    throttles: float | None = None
    max_duration: float | None = None

    def to_document(self) -> dict[str, Any]:
        """The worker in JSON."""
        return {
            "name": self.name,
            "state": self.state,
            "invocations": self.invocations,
            "errors": self.errors,
            "throttles": self.throttles,
            "maxDuration": self.max_duration,
        }


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
        alarms: the ones in ALARM; None if they could not be read.
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
        """The snapshot in JSON; times are in milliseconds, except `oldestOpenJobSeconds`."""
        return {
            "at": timestamps.to_text(self.at),
            "minutes": self.minutes,
            "queues": [queue.to_document() for queue in self.queues],
            "workers": [worker.to_document() for worker in self.workers],
            "jobs": dict(self.jobs),
            "alarms": None if self.alarms is None else [vars(alarm) for alarm in self.alarms],
            "notes": self.notes,
        }


@dataclass
class Watcher:
    """Watches one environment, and asks each service only as often as it makes sense.

    Args:
        outputs: the environment's outputs by name; whatever depends on a missing one is omitted, with a note.
        clock: seconds that only go forward.
        now: the time of day, for CloudWatch.
    """

    outputs: Mapping[str, Any]
    clock: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = timestamps.now
    _queue_arns: dict[str, str] = field(default_factory=dict, init=False)
    _history: dict[str, deque[tuple[float, int]]] = field(default_factory=dict, init=False)
    _kept: dict[str, tuple[float, Any, list[str]]] = field(default_factory=dict, init=False)

    def snapshot(self) -> Snapshot:
        """The environment as it is now.

        Raises:
            AWSError: if no queue at all can be read. Anything else that can't be read is None, and a note says why.
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
        """What `read` returns, or returned if that is less than so many seconds ago; its notes stay with it."""
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
        return (count.total - history[0][1]) * 60 / seconds if seconds >= _LEAST_TREND_SECONDS else None

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
        except CALL_ERRORS as error:
            notes.append(f"cannot read the state of {function}: {error}")
            return None
        return trigger.state if trigger else "none"

    def _metrics(self, notes: list[str]) -> Values:
        groups: dict[str, dict[str, Metric]] = {"jobs": {}}
        namespace = self.outputs.get("metrics_namespace")
        if namespace:
            groups["jobs"] = job_metrics(namespace)
        else:
            notes.append("metrics_namespace is not known, so there are no figures about jobs and the model")
        for name, (output, _) in WORKERS.items():
            if function := self.outputs.get(output):
                groups[name] = function_metrics(function)
        return self._values(groups, notes)

    def _values(self, groups: Mapping[str, Mapping[str, Metric]], notes: list[str]) -> Values:
        wanted = {(group, key): metric for group, metrics in groups.items() for key, metric in metrics.items()}
        try:
            values = read_metrics(wanted, self.now()) if wanted else {}
        except CALL_ERRORS as error:
            notes.append(f"cannot read CloudWatch's metrics: {error}")
            values = {}
        else:
            silent = [
                group for group, keys in groups.items() if keys and all(values[group, key] is None for key in keys)
            ]
            if silent:
                notes.append(f"CloudWatch has no data for the last {METRICS_MINUTES} minutes: {', '.join(silent)}")
        return {group: {key: values.get((group, key)) for key in keys} for group, keys in groups.items()}

    def _alarms(self, notes: list[str]) -> list[Alarm] | None:
        names = list(self.outputs.get("alarm_names") or [])
        if service := self.outputs.get("service_alarm_name"):
            names.append(service)
        if not names:
            notes.append("alarm_names is not known, so there are no alarms")
            return None
        try:
            found = describe_alarms(names, StateValue="ALARM")
        except CALL_ERRORS as error:
            notes.append(f"cannot read the alarms: {error}")
            return None
        return [Alarm(alarm["AlarmName"], alarm.get("StateReason", "")) for alarm in found]
