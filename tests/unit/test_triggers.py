"""Triggers: finding one, switching it, and waiting for the switch."""

from __future__ import annotations

import itertools

import pytest
from botocore.exceptions import ClientError

from ai_jobs.operate.triggers import Trigger, find_trigger, switch_trigger

QUEUE = "arn:aws:sqs:eu-west-1:123456789012:request"
ID = "acc8ae47-a15e-4746-ab8a-039ac80da0ea"
ENABLED = Trigger(ID, QUEUE, "enabled", reports_failures=True, last_result="")


def mapping(state="Enabled", **fields):
    return {
        "UUID": ID,
        "EventSourceArn": QUEUE,
        "State": state,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
    } | fields


class Time:
    """A clock that only sleeping moves."""

    def __init__(self):
        self.now = 0.0

    def clock(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


def switch(trigger, enabled, timeout_seconds=60):
    time = Time()
    return switch_trigger(
        trigger, enabled=enabled, timeout_seconds=timeout_seconds, sleep=time.sleep, clock=time.clock
    ), time.now


def states(*names):
    """Answers with these states, the last one forever."""
    left = itertools.chain(names, itertools.repeat(names[-1]))
    return lambda parameters: mapping(next(left))


def test_a_triggers_limits_and_where_it_gives_up(calls):
    fields = {
        "ScalingConfig": {"MaximumConcurrency": 7},
        "DestinationConfig": {"OnFailure": {"Destination": "arn:aws:sqs:eu-west-1:123456789012:failures"}},
    }
    calls.answers["ListEventSourceMappings"] = {"EventSourceMappings": [mapping(**fields)]}
    found = find_trigger("worker", QUEUE)
    assert found is not None
    assert found.maximum_concurrency == 7
    assert found.on_failure_arn == "arn:aws:sqs:eu-west-1:123456789012:failures"


def test_finds_the_trigger_of_the_queue(calls):
    calls.answers["ListEventSourceMappings"] = {
        "EventSourceMappings": [mapping("Disabled", FunctionResponseTypes=[], LastProcessingResult="PROBLEM: x")]
    }
    assert find_trigger("worker", QUEUE) == Trigger(
        ID, QUEUE, "paused", reports_failures=False, last_result="PROBLEM: x"
    )
    live = "arn:aws:lambda:eu-west-1:123456789012:function:worker:live"
    assert calls.of("ListEventSourceMappings") == [{"FunctionName": live, "EventSourceArn": QUEUE}]


def test_the_longest_name_elsewhere_is_asked_for_by_its_arn(calls):
    """Lambda limits a name to 64 characters, and an ARN to 256."""
    calls.answers["ListEventSourceMappings"] = {"EventSourceMappings": []}
    stream = "arn:aws-us-gov:dynamodb:us-gov-west-1:123456789012:table/jobs/stream/2026-01-31T12:08:00.000"
    find_trigger("a" * 64, stream)
    (asked,) = calls.of("ListEventSourceMappings")
    assert asked["FunctionName"] == f"arn:aws-us-gov:lambda:us-gov-west-1:123456789012:function:{'a' * 64}:live"


def test_no_trigger(calls):
    calls.answers["ListEventSourceMappings"] = {"EventSourceMappings": []}
    assert find_trigger("worker", QUEUE) is None


def test_switches_and_waits_until_it_is_done(calls):
    calls.answers["UpdateEventSourceMapping"] = mapping("Disabling")
    calls.answers["GetEventSourceMapping"] = states("Disabling", "Disabling", "Disabled")
    trigger, seconds = switch(ENABLED, enabled=False)
    assert trigger.state == "paused"
    assert seconds == 6
    assert calls.of("UpdateEventSourceMapping") == [{"UUID": ID, "Enabled": False}]


def test_waits_for_another_change_first(calls):
    calls.answers["GetEventSourceMapping"] = states("Updating", "Enabled", "Disabled")
    calls.answers["UpdateEventSourceMapping"] = mapping("Disabling")
    trigger, _ = switch(Trigger(ID, QUEUE, "updating", reports_failures=True, last_result=""), enabled=False)
    assert trigger.state == "paused"
    assert len(calls.of("UpdateEventSourceMapping")) == 1


def test_somebody_else_was_quicker(calls):
    answers = iter([ClientError({"Error": {"Code": "ResourceInUseException"}}, "x"), mapping("Disabled")])
    calls.answers["UpdateEventSourceMapping"] = lambda parameters: next(answers)
    calls.answers["GetEventSourceMapping"] = mapping("Enabled")
    assert switch(ENABLED, enabled=False)[0].state == "paused"


def test_a_switch_that_is_on_its_way_is_only_waited_for(calls):
    calls.answers["GetEventSourceMapping"] = states("Enabled")
    trigger, _ = switch(Trigger(ID, QUEUE, "enabling", reports_failures=True, last_result=""), enabled=True)
    assert trigger.state == "enabled"
    assert calls.of("UpdateEventSourceMapping") == []


def test_gives_up_in_time(calls):
    calls.answers["UpdateEventSourceMapping"] = mapping("Disabling")
    calls.answers["GetEventSourceMapping"] = mapping("Disabling")
    with pytest.raises(TimeoutError, match="after 10 s the trigger is still disabling, not paused"):
        switch(ENABLED, enabled=False, timeout_seconds=10)
    assert len(calls.of("GetEventSourceMapping")) == 5


def test_a_refusal_is_not_waited_out(calls):
    calls.refuse("UpdateEventSourceMapping", "AccessDeniedException")
    with pytest.raises(ClientError, match="AccessDenied"):
        switch(ENABLED, enabled=False)
