"""The two queues and the dead-letter queues behind them: do failed messages go where they should, and stay there?"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from ai_jobs.contract.errors import plural
from ai_jobs.operate.doctor.findings import APPLY, Finding, State, Subject


def check_queue(name: str, subject: Subject) -> Iterator[Finding]:
    """Does the queue dead-letter into its own DLQ?"""
    attributes = subject.queue(name)
    dlq = f"{name.split(' ')[0]} DLQ"
    wanted = subject.outputs.get(f"{dlq.lower().replace(' ', '_')}_arn") or subject.queue(dlq)["QueueArn"]
    policy = redrive_policy(attributes)
    target = policy.get("deadLetterTargetArn")
    if not target:
        found = "has no redrive policy: a message that always fails is redelivered until it expires"
        yield Finding(name, State.FAILED, found, APPLY)
    elif target != wanted:
        yield Finding(name, State.FAILED, f"dead-letters to {target}, not to {wanted}", APPLY)
    else:
        receives = policy["maxReceiveCount"]
        yield Finding(name, State.OK, f"{_counts(attributes)}; dead-letters after {receives} receives")


def redrive_policy(attributes: Mapping[str, str]) -> dict[str, str]:
    """A queue's RedrivePolicy; empty if it has none."""
    policy: dict[str, str] = json.loads(attributes.get("RedrivePolicy") or "{}")
    return policy


def _counts(attributes: Mapping[str, str]) -> str:
    return (
        f"{attributes['ApproximateNumberOfMessages']} waiting, "
        f"{attributes['ApproximateNumberOfMessagesNotVisible']} in flight, "
        f"{attributes['ApproximateNumberOfMessagesDelayed']} delayed"
    )


def check_dlq(name: str, subject: Subject) -> Iterator[Finding]:
    """Is the DLQ empty, does it accept its own queue's messages only, and does it keep them long enough?"""
    attributes = subject.queue(name)
    which = name.split(" ", maxsplit=1)[0]
    queue = subject.queue(f"{which} queue")
    findings = [*_redrive_allow(name, attributes, queue["QueueArn"]), *_retention(name, attributes, queue, which)]
    if messages := message_count(attributes):
        advice = f"look at them: {subject.command} dlq list --queue {which}"
        findings.append(Finding(name, State.WARNING, f"holds {plural(messages, 'message')}", advice))
    days = int(attributes["MessageRetentionPeriod"]) / 86_400
    yield from findings or [Finding(name, State.OK, f"empty; keeps messages for {days:g} days")]


def message_count(attributes: Mapping[str, str]) -> int:
    """How many messages the queue holds: waiting, in flight, and delayed."""
    return sum(int(attributes[f"ApproximateNumberOfMessages{kind}"]) for kind in ("", "NotVisible", "Delayed"))


def _redrive_allow(name: str, attributes: Mapping[str, str], source: str) -> Iterator[Finding]:
    policy = json.loads(attributes.get("RedriveAllowPolicy") or "{}")
    permission = policy.get("redrivePermission", "allowAll")
    allowed = policy.get("sourceQueueArns", []) if permission == "byQueue" else []
    others = ", ".join(arn for arn in allowed if arn != source)
    if permission == "allowAll":
        yield Finding(name, State.WARNING, "any queue in the account can dead-letter into it", APPLY)
    elif source not in allowed:
        yield Finding(name, State.FAILED, f"does not let {source} dead-letter into it", APPLY)
    elif others:
        yield Finding(name, State.WARNING, f"lets other queues dead-letter into it: {others}", APPLY)


def _retention(name: str, attributes: Mapping[str, str], queue: Mapping[str, str], which: str) -> Iterator[Finding]:
    keeps, queue_keeps = int(attributes["MessageRetentionPeriod"]), int(queue["MessageRetentionPeriod"])
    if keeps < queue_keeps:
        # SQS counts from when a message was first sent, not from when it was dead-lettered.
        found = (
            f"keeps messages for {keeps} s, its queue for {queue_keeps} s: "
            "an old message expires as soon as it is dead-lettered"
        )
        advice = f"set {which}_queue.dlq_message_retention_seconds = {queue_keeps}, and run terraform apply"
        yield Finding(name, State.WARNING, found, advice)
