"""The plan of the module as a caller gets it without settings; and a service to let things happen to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.alarms.evaluator import ALARM, OK, Alarm, Composite, Metrics
from tests.plans import Plan


@pytest.fixture(scope="session")
def plan(plans: dict[str, Plan]) -> Plan:
    return plans["defaults"]


class Service:
    """The module's alarms over time, fed with what AWS and the functions would report."""

    def __init__(self, plan: Plan) -> None:
        definitions = plan.of_type("aws_cloudwatch_metric_alarm")
        self.alarms = {short(definition["alarm_name"]): Alarm(definition) for definition in definitions}
        (composite,) = plan.of_type("aws_cloudwatch_composite_alarm")
        self.page = Composite(composite)
        self.metrics = Metrics()
        self.minute = 0
        self.reconciler_is_on = True
        self.notifications: list[tuple[int, str, str]] = []

    def queue(self, name: str, **values: float) -> None:
        """What SQS reports of a queue in this minute: visible, in_flight, delayed, age."""
        names = {
            "visible": "ApproximateNumberOfMessagesVisible",
            "in_flight": "ApproximateNumberOfMessagesNotVisible",
            "delayed": "ApproximateNumberOfMessagesDelayed",
            "age": "ApproximateAgeOfOldestMessage",
        }
        for key, value in ({"visible": 0, "in_flight": 0, "delayed": 0, "age": 0} | values).items():
            queue = {"QueueName": f"bayon-coagent-ai-job-{name}-test"}
            self.metrics.add("AWS/SQS", names[key], queue, self.minute, value)

    def own(self, name: str, value: float) -> None:
        """A value that a function wrote."""
        self.metrics.add("bayon-coagent-ai-jobs-test", name, {"service": "ai-jobs"}, self.minute, value)

    def function(self, name: str, metric: str, value: float) -> None:
        self.metrics.add("AWS/Lambda", metric, {"FunctionName": f"bayon-coagent-ai-{name}-test"}, self.minute, value)

    def api(self, metric: str, value: float) -> None:
        where = {"ApiName": "bayon-coagent-ai-jobs-test", "Stage": "v1"}
        self.metrics.add("AWS/ApiGateway", metric, where, self.minute, value)

    def post(self, metric: str, value: float) -> None:
        """What the gateway counts of POST /jobs, which is in its figures of the whole stage too."""
        where = {"ApiName": "bayon-coagent-ai-jobs-test", "Stage": "v1"} | {"Resource": "/jobs", "Method": "POST"}
        self.metrics.add("AWS/ApiGateway", metric, where, self.minute, value)
        self.api(metric, value)

    def table(self, metric: str, value: float, index: str | None = None) -> None:
        where = {"TableName": "bayon-coagent-ai-jobs-test"} | ({"GlobalSecondaryIndexName": index} if index else {})
        self.metrics.add("AWS/DynamoDB", metric, where, self.minute, value)

    def reconciler_runs(self, oldest: float = 0) -> None:
        """What the reconciler writes with each run (tests/unit/test_reconciler.py)."""
        self.function("job-reconciler", "Invocations", 1)
        for name in ("JobsCompleted", "JobsFailed", "JobsStalled"):
            self.own(name, 0)
        self.own("OldestOpenJobAge", oldest)

    def run(self, minutes: int, happening: Callable[[Service], Any] | None = None, oldest: float = 0) -> None:
        """Let time pass, with this happening in every minute of it."""
        for _ in range(minutes):
            if happening:
                happening(self)
            if self.minute % 5 == 0 and self.reconciler_is_on:
                self.reconciler_runs(oldest)
            self.minute += 1
            self._step()

    def _step(self) -> None:
        for name, alarm in self.alarms.items():
            before, after = alarm.state, alarm.step(self.metrics, self.minute)
            self._notify(name, before, after)
        states = {alarm.name: alarm.state for alarm in self.alarms.values()}
        before, after = self.page.state, self.page.step(states)
        self._notify("service-unhealthy", before, after)

    def _notify(self, name: str, before: str, after: str) -> None:
        if before != after and ALARM in (before, after):
            self.notifications.append((self.minute, name, after))

    @property
    def in_alarm(self) -> set[str]:
        return {name for name, alarm in self.alarms.items() if alarm.state == ALARM}

    def told(self, name: str) -> list[tuple[int, str]]:
        """When this alarm notified, and of what."""
        return [(minute, state) for minute, alarm, state in self.notifications if alarm == name]


def short(alarm_name: str) -> str:
    return alarm_name.removeprefix("bayon-coagent-ai-job-").removesuffix("-test")


@pytest.fixture
def service(plan: Plan) -> Service:
    """A service that has been idle for an hour."""
    service = Service(plan)
    service.run(60)
    assert {alarm.state for alarm in service.alarms.values()} == {OK}
    return service
