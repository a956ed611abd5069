"""The alarms and the topics that they notify: does anyone hear about a problem?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ai_jobs.aws.clients import get_sns_client
from ai_jobs.contract.errors import plural
from ai_jobs.operate.cloudwatch import describe_alarms
from ai_jobs.operate.doctor.findings import APPLY, Finding, State, Subject, made
from ai_jobs.operate.doctor.keys import CLOUDWATCH, use_of_key

_KEY_VARIABLE = "alarms.topic_kms_key_arn"


def check_alarms(subject: Subject) -> Iterator[Finding]:
    """Does each alarm exist and notify one of the environment's topics, and which ones are in ALARM?"""
    names = list(subject.need("alarm_names"))
    names += [subject.outputs["service_alarm_name"]] if subject.outputs.get("service_alarm_name") else []
    alarms = {alarm["AlarmName"]: alarm for alarm in describe_alarms(names)}
    topics = set(subject.outputs.get("alarm_topic_arns") or [])
    findings = [finding for name in names for finding in _alarm(name, alarms.get(name), topics)]
    yield from findings
    if not any(finding.state is State.FAILED for finding in findings):
        found = f"all {len(names)} exist and notify; in ALARM: {len(findings) or 'none'}"
        yield Finding("alarms", State.OK, found)


def _alarm(alarm_name: str, alarm: Mapping[str, Any] | None, topics: set[str]) -> Iterator[Finding]:
    name = f"alarm {alarm_name}"
    if alarm is None:
        yield Finding(name, State.FAILED, "does not exist", APPLY)
        return
    if not alarm.get("ActionsEnabled"):
        advice = f"aws cloudwatch enable-alarm-actions --alarm-names {alarm_name}"
        yield Finding(name, State.FAILED, "its actions are disabled: no one is notified", advice)
    if not alarm.get("AlarmActions"):
        yield Finding(name, State.FAILED, "has no actions: no one is notified", APPLY)
    elif topics and not topics & set(alarm["AlarmActions"]):
        others = ", ".join(alarm["AlarmActions"])
        yield Finding(name, State.FAILED, f"notifies {others}, none of which is a topic of the environment", APPLY)
    if alarm["StateValue"] == "ALARM":
        advice = alarm.get("AlarmDescription") or "see docs/runbooks.md"
        yield Finding(name, State.WARNING, f"in ALARM: {alarm.get('StateReason', '')}", advice)


def check_topics(subject: Subject) -> Iterator[Finding]:
    """Can CloudWatch publish to each topic, and does anyone subscribe to it?"""
    arns = subject.outputs.get("alarm_topic_arns") or [subject.need("alarm_topic_arn")]
    for arn in arns:
        name = f"topic {arn.rpartition(':')[2]}"
        yield from made(name, _topic(name, arn))


def _topic(name: str, arn: str) -> Iterator[Finding]:
    client = get_sns_client()
    key = client.get_topic_attributes(TopicArn=arn)["Attributes"].get("KmsMasterKeyId", "")
    if key.endswith("alias/aws/sns"):
        found = "is encrypted with alias/aws/sns, which CloudWatch can't use: alarms reach no one"
        advice = f"set {_KEY_VARIABLE} to a key of your own that allows cloudwatch.amazonaws.com, or to null for no key"
        yield Finding(name, State.FAILED, found, advice)
    elif key:
        yield from made(f"{name}'s key", use_of_key(f"{name}'s key", key, _KEY_VARIABLE, CLOUDWATCH))
    pages = client.get_paginator("list_subscriptions_by_topic")
    subscriptions = [item for page in pages.paginate(TopicArn=arn) for item in page["Subscriptions"]]
    # An unconfirmed subscription has a word in place of its ARN: PendingConfirmation.
    confirmed = sum(item["SubscriptionArn"].startswith("arn:") for item in subscriptions)
    if confirmed:
        yield Finding(name, State.OK, plural(confirmed, "confirmed subscription"))
    else:
        yield _unheard(name, arn, len(subscriptions))


def _unheard(name: str, arn: str, pending: int) -> Finding:
    unconfirmed = f", {pending} not confirmed" if pending else ""
    subscribe = f"aws sns subscribe --topic-arn {arn} --protocol email --notification-endpoint YOUR_ADDRESS"
    advice = "confirm the subscription that AWS sent you" if pending else subscribe
    return Finding(name, State.WARNING, f"no confirmed subscription{unconfirmed}: alarms reach no one", advice)
