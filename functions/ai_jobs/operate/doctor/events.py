"""Events: what runs their publisher, the bus that it publishes to, and the queue for what it could not publish."""

from __future__ import annotations

from collections.abc import Iterator

from ai_jobs.aws.clients import get_dynamodb_client, get_events_client
from ai_jobs.aws.errors import CALL_ERRORS, code_of
from ai_jobs.contract.errors import plural
from ai_jobs.operate.doctor.findings import APPLY, NOT_THERE, Check, Finding, State, Subject
from ai_jobs.operate.doctor.queues import message_count
from ai_jobs.operate.doctor.workers import last_batch_problem
from ai_jobs.operate.triggers import ENABLED, PAUSED, Trigger, find_trigger

_NO_EVENTS = "jobs end without an event"


def where_events_are_on(name: str, check: Check) -> Check:
    """The same check, unless the output `events_enabled` says that there is nothing to check."""

    def checked(subject: Subject) -> Iterator[Finding]:
        if subject.outputs.get("events_enabled") is False:
            yield Finding(name, State.OK, "events are turned off (events.enabled)")
        else:
            yield from check(subject)

    return checked


def _check_stream(subject: Subject) -> Iterator[Finding]:
    name = "event publisher's trigger"
    function_name = subject.function_name("event publisher")
    table = get_dynamodb_client().describe_table(TableName=subject.need("table_name"))["Table"]
    stream_arn = table.get("LatestStreamArn")
    if not stream_arn or not table.get("StreamSpecification", {}).get("StreamEnabled"):
        yield Finding(name, State.FAILED, f"the table has no stream: {_NO_EVENTS}", APPLY)
        return
    trigger = find_trigger(function_name, stream_arn)
    if trigger is None:
        found = f"no trigger runs the event publisher on the table's stream: {_NO_EVENTS}"
        yield Finding(name, State.FAILED, found, APPLY)
        return
    failures = list(_failures_of(trigger, subject))
    yield from (Finding(name, State.FAILED, found, APPLY) for found in failures)
    if problem := last_batch_problem(name, trigger, function_name):
        yield problem
    elif trigger.state not in (ENABLED, PAUSED):
        yield Finding(name, State.WARNING, trigger.state, "check again in a minute")
    elif not failures:
        yield Finding(name, State.OK, "enabled, with an on-failure queue")


def _failures_of(trigger: Trigger, subject: Subject) -> Iterator[str]:
    if trigger.state == PAUSED:
        # The stream forgets a change after 24 hours.
        yield f"paused: {_NO_EVENTS}, and after 24 hours the events are lost for good"
    if not trigger.reports_failures:
        yield "ReportBatchItemFailures is off: one failed event sends its whole batch again"
    if not trigger.on_failure_arn:
        yield "has no on-failure queue: events that it gives up on are lost"
    elif trigger.on_failure_arn != subject.outputs.get("events_dlq_arn", trigger.on_failure_arn):
        yield f"sends what it gives up on to {trigger.on_failure_arn}, not to the environment's queue"


def _check_bus(subject: Subject) -> Iterator[Finding]:
    name = "event bus"
    arn = subject.need("event_bus_arn")
    try:
        # By name if it is in this account: that also works for the default bus.
        account = subject.need("events_dlq_arn").split(":")[4]
        get_events_client().describe_event_bus(Name=arn.rpartition("/")[2] if arn.split(":")[4] == account else arn)
    except CALL_ERRORS as error:
        if code_of(error) not in NOT_THERE:
            raise
        # EventBridge accepts events for a bus that does not exist, and drops them.
        advice = "create it, or set events.event_bus to a bus that exists, and run terraform apply"
        yield Finding(name, State.FAILED, f"{arn} does not exist: events vanish without an error", advice)
        return
    yield Finding(name, State.OK, arn.rpartition("/")[2])


def _check_unpublished(subject: Subject) -> Iterator[Finding]:
    name = "events DLQ"
    if messages := message_count(subject.queue(name)):
        found = f"holds {plural(messages, 'message')}: events that were not published"
        yield Finding(name, State.WARNING, found, "publish them again: see docs/events.md")
    else:
        yield Finding(name, State.OK, "empty: every event was published")


_OF_EVENTS: dict[str, Check] = {
    "event publisher's trigger": _check_stream,
    "event bus": _check_bus,
    "events DLQ": _check_unpublished,
}

EVENT_CHECKS: dict[str, Check] = {name: where_events_are_on(name, check) for name, check in _OF_EVENTS.items()}
"""The checks of events by name."""
