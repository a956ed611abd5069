"""The checks of `ai-jobs doctor` on events: the publisher, what makes it run, its bus, and its on-failure queue."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from botocore.exceptions import ClientError

from ai_jobs.aws.clients import get_dynamodb_client, get_events_client
from ai_jobs.aws.errors import code_of
from ai_jobs.operate.doctor.findings import NOT_THERE, Check, Finding, State, Subject
from ai_jobs.operate.triggers import ENABLED, PAUSED, find_trigger

_APPLY = "terraform apply puts it right"
_NO_EVENTS = "jobs end without an event"


def where_events_are_on(name: str, check: Check) -> Check:
    """The same check, or that there is nothing to check: the output `events_enabled` says which."""

    def checked(subject: Subject) -> Iterator[Finding]:
        if subject.outputs.get("events_enabled") is False:
            yield Finding(name, State.OK, "events are turned off (events.enabled)")
        else:
            yield from check(subject)

    return checked


def _stream(subject: Subject) -> Iterator[Finding]:
    name = "event publisher's trigger"
    function_name = subject.need("event_publisher_function_name")
    table = get_dynamodb_client().describe_table(TableName=subject.need("table_name"))["Table"]
    stream_arn = table.get("LatestStreamArn")
    if not stream_arn or not table.get("StreamSpecification", {}).get("StreamEnabled"):
        yield Finding(name, State.FAILED, f"the table has no stream: {_NO_EVENTS}", _APPLY)
        return
    trigger = find_trigger(function_name, stream_arn)
    if trigger is None:
        found = f"nothing makes the event publisher work on the table's stream: {_NO_EVENTS}"
        yield Finding(name, State.FAILED, found, _APPLY)
        return
    failures = []
    if trigger.state == PAUSED:
        # The stream forgets a change after 24 hours.
        failures.append(f"paused: {_NO_EVENTS}, and are lost for good after 24 hours")
    if not trigger.reports_failures:
        failures.append("ReportBatchItemFailures is off: one failed event sends its whole batch again")
    if not trigger.on_failure_arn:
        failures.append("has no on-failure queue: events that it gives up are lost")
    elif trigger.on_failure_arn != subject.outputs.get("events_dlq_arn", trigger.on_failure_arn):
        failures.append(f"gives events up to {trigger.on_failure_arn}, not to the environment's queue")
    yield from (Finding(name, State.FAILED, found, _APPLY) for found in failures)
    if trigger.last_result.startswith("PROBLEM"):
        advice = f"look at the function's log: aws logs tail /aws/lambda/{function_name} --since 15m"
        yield Finding(name, State.WARNING, f"last batch: {trigger.last_result}", advice)
    elif trigger.state not in (ENABLED, PAUSED):
        yield Finding(name, State.WARNING, trigger.state, "look again in a minute")
    elif not failures:
        yield Finding(name, State.OK, "enabled, with an on-failure queue")


def _bus(subject: Subject) -> Iterator[Finding]:
    name = "event bus"
    arn = subject.need("event_bus_arn")
    try:
        # By its name, where it is this account's: that also covers the default bus.
        account = subject.need("events_dlq_arn").split(":")[4]
        get_events_client().describe_event_bus(Name=arn.rpartition("/")[2] if arn.split(":")[4] == account else arn)
    except ClientError as error:
        if code_of(error) not in NOT_THERE:
            raise
        # EventBridge accepts events for a bus that is gone, and drops them.
        found = f"{arn} does not exist: events vanish without an error"
        yield Finding(
            name, State.FAILED, found, "create it, or set events.event_bus to one that exists, and run terraform apply"
        )
        return
    yield Finding(name, State.OK, arn.rpartition("/")[2])


def _failures(subject: Subject) -> Iterator[Finding]:
    name = "events DLQ"
    attributes = subject.queue(name)
    kinds = ("", "NotVisible", "Delayed")
    messages = sum(int(attributes[f"ApproximateNumberOfMessages{kind}"]) for kind in kinds)
    if messages:
        found = f"holds {messages} message{'s' * (messages != 1)}: events that were not published"
        yield Finding(name, State.WARNING, found, "publish them again as docs/events.md says")
    else:
        yield Finding(name, State.OK, "empty: every event was published")


_OF_EVENTS: dict[str, Callable[[Subject], Iterator[Any]]] = {
    "event publisher's trigger": _stream,
    "event bus": _bus,
    "events DLQ": _failures,
}

EVENT_CHECKS: dict[str, Check] = {name: where_events_are_on(name, check) for name, check in _OF_EVENTS.items()}
