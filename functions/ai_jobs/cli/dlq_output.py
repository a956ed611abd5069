"""What the `dlq` commands print: dead-lettered messages, and what became of them."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from ai_jobs.cli.output import print_fields, print_json, print_table, say
from ai_jobs.contract.errors import plural

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import timedelta

    from ai_jobs.operate.dead_lettered_message import DeadLetteredMessage
    from ai_jobs.operate.redrive import Treated
    from ai_jobs.operate.sweep import Sweep

_COLUMNS = ("JOB", "USER", "TYPE", "CODE", "MESSAGE", "ATTEMPTS", "AGE")

_MESSAGE_WIDTH = 48
_NAMED = 3


def print_messages(messages: Sequence[DeadLetteredMessage], *, as_json: bool) -> None:
    """Print messages as a list."""
    if as_json:
        print_json([_view(message) for message in messages])
    elif messages:
        print_table(_COLUMNS, [_cells(message) for message in messages])


def print_in_full(messages: Sequence[DeadLetteredMessage], job: dict[str, Any] | None, *, as_json: bool) -> None:
    """Print messages with their attributes and bodies; as JSON, with their job's row."""
    if as_json:
        print_json({"letters": [_full_view(message) for message in messages], "job": job})
        return
    for message in messages:
        _print_message(message)


def summary_of(job: dict[str, Any] | None) -> str:
    """What a job's row says, in a line."""
    if job is None:
        return "none: the job never had one, it expired, or its user was erased"
    error = job.get("error")
    why = f" with {error['code']}: {error['message']}" if error else ""
    return f"{job['status']}{why}, since {job['updatedAt']} (ai-jobs status {job['jobId']})"


def print_report(done: Sequence[Treated], sweep: Sweep, *, dry_run: bool, as_json: bool) -> None:
    """Print what became of messages."""
    groups: dict[str, list[Treated]] = {}
    for one in done:
        groups.setdefault(one.outcome.value, []).append(one)
    if as_json:
        print_json(
            {
                "queue": sweep.pair.side,
                "dryRun": dry_run,
                "counts": {outcome: len(treated) for outcome, treated in groups.items()},
                "letters": [
                    {"jobId": one.job_id, "outcome": one.outcome.value} | ({"reason": one.reason} if one.reason else {})
                    for one in done
                ],
                "notSeen": sweep.not_seen,
            }
        )
    elif done:
        print_table(("OUTCOME", "MESSAGES", "REASON", "JOBS"), _outcome_rows(groups, dry_run))
    if not done:
        say_nothing_found(sweep)
    say_not_seen(sweep)


def say_nothing_found(sweep: Sweep) -> None:
    """Say why there is nothing to print."""
    if sweep.looked_at:
        say(f"nothing matches: looked at {plural(sweep.looked_at, 'message')} behind the {sweep.pair.side} queue")
    elif not sweep.not_seen:
        say(f"there are no dead-lettered messages: the {sweep.pair.side} DLQ is empty")


def say_not_seen(sweep: Sweep) -> None:
    """Say which messages the sweep has not seen, and why."""
    if sweep.not_seen and sweep.looked_at >= sweep.limit:
        say(
            f"looked only at the first {plural(sweep.limit, 'message')}; "
            f"there are about {sweep.not_seen} more (--limit)"
        )
    elif sweep.not_seen:
        say(
            f"SQS counts about {sweep.not_seen} more: another reader holds them (the reconciler, or a command that was "
            "killed), or the count lags behind. Try again in a minute."
        )


def _outcome_rows(groups: dict[str, list[Treated]], dry_run: bool) -> Iterator[tuple[object, ...]]:
    for outcome, treated in groups.items():
        job_ids: dict[str | None, list[str]] = {}
        for one in treated:
            job_ids.setdefault(one.reason, []).append(one.job_id)
        word = f"would be {outcome}" if dry_run else outcome
        for reason, ids in job_ids.items():
            more = f" and {len(ids) - _NAMED} more" if len(ids) > _NAMED else ""
            yield word, len(ids), reason, ", ".join(ids[:_NAMED]) + more


def _view(message: DeadLetteredMessage) -> dict[str, Any]:
    from ai_jobs.contract import timestamps

    return {
        "jobId": message.job_id,
        "userId": message.user_id,
        "jobType": message.job_type,
        "errorCode": message.error_code,
        "errorMessage": message.error_message,
        "attempts": message.attempts,
        "failedAt": timestamps.to_text(message.failed_at),
        "messageId": message.received.message_id,
        "problem": message.unusable,
    }


def _full_view(message: DeadLetteredMessage) -> dict[str, Any]:
    received = message.received
    attributes = {"attributes": received.attributes, "systemAttributes": received.system_attributes}
    return _view(message) | attributes | {"body": received.body}


def _cells(message: DeadLetteredMessage) -> list[object]:
    from ai_jobs.contract import timestamps

    text = message.error_message or message.unusable
    if text and sys.stdout.isatty() and len(text) > _MESSAGE_WIDTH:
        text = f"{text[: _MESSAGE_WIDTH - 1]}…"
    age = _age(timestamps.now() - message.failed_at)
    return [message.job_id, message.user_id, message.job_type, message.error_code, text, message.attempts, age]


def _age(age: timedelta) -> str:
    seconds = max(0, int(age.total_seconds()))
    for unit, length in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"


def _print_message(message: DeadLetteredMessage) -> None:
    view = {name: value for name, value in _view(message).items() if value is not None}
    shown = {str(value) for value in view.values()}
    attributes = {
        f"attribute {name}": text for name, text in sorted(message.received.attributes.items()) if text not in shown
    }
    print_fields(view | attributes, _pretty(message.received.body))
    click.echo()


def _pretty(body: str) -> str:
    try:
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return body
