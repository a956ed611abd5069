"""`ai-jobs dlq list`, `show`, `retry`, and `purge`."""

from __future__ import annotations

import functools
import re
import sys
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from ai_jobs.cli.dlq_output import (
    print_in_full,
    print_messages,
    print_report,
    say_not_seen,
    say_nothing_found,
    summary_of,
)
from ai_jobs.cli.exits import FAILED, Problem
from ai_jobs.cli.output import json_option, print_fields, progress, say
from ai_jobs.contract import timestamps
from ai_jobs.contract.errors import plural
from ai_jobs.operate.selection import MAX_LIMIT, Selection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ai_jobs.cli.environment import Environment, Source
    from ai_jobs.operate.dead_lettered_message import DeadLetteredMessage, Side
    from ai_jobs.operate.redrive import Treated
    from ai_jobs.operate.sweep import QueuePair, Sweep
    from ai_jobs.service.job_store import JobStore

_RETRY_QUESTION = "Send {messages} back to the {side} queue?"
_PURGE_QUESTIONS = {
    "request": "Delete {messages} behind the request queue? This can't be undone; their jobs stay failed.",
    "response": "Delete {messages} behind the response queue? This can't be undone: results in them that were paid for "
    "are lost, and their jobs fail.",
}

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def _as_age(_ctx: click.Context, _param: click.Parameter, value: str | None) -> timedelta | None:
    if value is None:
        return None
    match = re.fullmatch(r"([0-9]{1,6})([smhd])", value)
    if not match:
        raise click.BadParameter(f"{value!r} is not an age: pass a number and its unit, such as 90s, 15m, 2h, or 3d")
    # SQS keeps nothing for ten years, and dates do not go back as far as some numbers do.
    return min(timedelta(**{_UNITS[match[2]]: int(match[1])}), timedelta(days=3650))


def which_queue(command: Callable[..., None]) -> Callable[..., None]:
    """The options of every command here."""
    options = (
        click.option(
            "--queue",
            "side",
            type=click.Choice(["request", "response"]),
            default="request",
            show_default=True,
            help="Whose DLQ: the request queue's messages hold jobs, the response queue's hold results.",
        ),
        click.option(
            "--limit",
            type=click.IntRange(min=1, max=MAX_LIMIT),
            default=10_000,
            show_default=True,
            help="How many messages to look at, at most.",
        ),
        json_option,
    )
    return functools.reduce(lambda decorated, option: option(decorated), reversed(options), command)


def filters(command: Callable[..., None]) -> Callable[..., None]:
    """The options that select messages; the command gets them as one Selection."""

    @functools.wraps(command)
    def with_selection(
        *args: Any,
        job_id: Sequence[str],
        user_id: str | None,
        job_type: str | None,
        error_code: Sequence[str],
        older_than: timedelta | None,
        newer_than: timedelta | None,
        **kwargs: Any,
    ) -> None:
        now = timestamps.now()
        selection = Selection(
            job_ids=frozenset(job_id),
            user_id=user_id,
            job_type=job_type,
            error_codes=frozenset(error_code),
            failed_before=now - older_than if older_than is not None else None,
            failed_after=now - newer_than if newer_than is not None else None,
        )
        command(*args, selection=selection, **kwargs)

    options = (
        click.option("--job-id", multiple=True, metavar="ID", help="Only this job; can be repeated."),
        click.option("--user", "user_id", metavar="ID", help="Only this user's jobs."),
        click.option("--type", "job_type", metavar="TYPE", help="Only jobs of this type."),
        click.option("--error-code", multiple=True, metavar="CODE", help="Only this error code; can be repeated."),
        click.option(
            "--older-than", callback=_as_age, metavar="AGE", help="Only what failed longer ago: 90s, 15m, 2h, 3d."
        ),
        click.option("--newer-than", callback=_as_age, metavar="AGE", help="Only what failed since then."),
    )
    return functools.reduce(lambda decorated, option: option(decorated), reversed(options), with_selection)


dry_run_option = click.option("--dry-run", is_flag=True, help="Only show what would be done.")
yes_option = click.option("--yes", "-y", is_flag=True, help="Do not ask for confirmation.")


@click.group
def dlq() -> None:
    """List dead-lettered messages, send them back to their queue, or delete them.

    While a command looks at messages, they are hidden from other readers, for a minute at a time.
    """


@dlq.command("list", short_help="List dead-lettered messages, newest first.")
@which_queue
@filters
@click.pass_obj
def list_messages(source: Source, side: Side, limit: int, as_json: bool, selection: Selection) -> None:
    """List dead-lettered messages, the most recent failure first."""
    # Imported here: the help does not need boto3.
    from ai_jobs.operate.sweep import Sweep

    sweep = Sweep(_pair(source.load(), side), limit)
    messages = sorted(_selected(sweep, selection), key=lambda message: message.failed_at, reverse=True)
    print_messages(messages, as_json=as_json)
    if not messages:
        say_nothing_found(sweep)
    say_not_seen(sweep)


@dlq.command(short_help="Show a job's dead-lettered messages and its row.")
@click.argument("job_id")
@which_queue
@click.pass_obj
def show(source: Source, job_id: str, side: Side, limit: int, as_json: bool) -> None:
    """Show a job's dead-lettered messages in full, and what its row says. The body contains the user's input."""
    from ai_jobs.cli.job_tables import view
    from ai_jobs.operate.sweep import Sweep

    environment = source.load()
    store = _store(environment)
    sweep = Sweep(_pair(environment, side), limit)
    messages = list(_selected(sweep, Selection(job_ids={job_id}), with_bodies=True))
    row = store.get(job_id) if store else None
    job = view(row) if row else None
    print_in_full(messages, job, as_json=as_json)
    if not as_json:
        print_fields({"row": summary_of(job) if store else "not known without table_name"})
    say_not_seen(sweep)
    if not messages:
        raise Problem(f"there is no dead-lettered message of job {job_id} behind the {side} queue")


@dlq.command(short_help="Send dead-lettered messages back to their queue.")
@which_queue
@filters
@click.option(
    "--rate",
    type=click.IntRange(min=0),
    default=50,
    show_default=True,
    metavar="N",
    help="Messages per second at most; 0 for no limit.",
)
@dry_run_option
@yes_option
@click.pass_obj
def retry(
    source: Source,
    side: Side,
    limit: int,
    as_json: bool,
    selection: Selection,
    rate: int,
    dry_run: bool,
    yes: bool,
) -> None:
    """Send dead-lettered messages back to their queue: each failed job starts over, with new attempts and deadline.

    A copy is sent before its message is deleted, so nothing is lost if this is interrupted: run it again. Messages of
    completed, cancelled, or erased jobs stay where they are, and so do messages that are not jobs: purge deletes them.
    Messages of jobs whose failure is not written yet also stay, until the reconciler has written it.
    """
    from ai_jobs.operate import redrive
    from ai_jobs.operate.sweep import Sweep

    environment = source.load()
    environment.need(f"{side}_queue_url")
    pair, store = _pair(environment, side), _needed_store(environment)
    confirmed = selection if dry_run or yes else _confirmed(pair, selection, limit, _RETRY_QUESTION)

    def run(sweep: Sweep, report: Callable[[Treated], None]) -> None:
        redrive.retry(sweep, confirmed, report, store=store, rate=rate, dry_run=dry_run)

    _run(Sweep(pair, limit), run, "retrying", dry_run=dry_run, as_json=as_json)


@dlq.command(short_help="Delete dead-lettered messages for good.")
@which_queue
@filters
@dry_run_option
@yes_option
@click.pass_obj
def purge(
    source: Source, side: Side, limit: int, as_json: bool, selection: Selection, dry_run: bool, yes: bool
) -> None:
    """Delete dead-lettered messages for good: their jobs stay failed; results that were never written are lost.

    Messages of jobs whose failure the reconciler has not written yet are left alone.
    """
    from ai_jobs.operate import redrive
    from ai_jobs.operate.sweep import Sweep

    environment = source.load()
    pair, store = _pair(environment, side), _needed_store(environment)
    confirmed = selection if dry_run or yes else _confirmed(pair, selection, limit, _PURGE_QUESTIONS[side])

    def run(sweep: Sweep, report: Callable[[Treated], None]) -> None:
        redrive.purge(sweep, confirmed, report, store=store, dry_run=dry_run)

    _run(Sweep(pair, limit), run, "purging", dry_run=dry_run, as_json=as_json)


def _pair(environment: Environment, side: Side) -> QueuePair:
    from ai_jobs.operate.sweep import QueuePair

    return QueuePair(side, environment.get(f"{side}_queue_url"), environment.need(f"{side}_dlq_url"))


def _store(environment: Environment) -> JobStore | None:
    from ai_jobs.service.job_store import JobStore

    table_name = environment.get("table_name")
    return JobStore(table_name) if table_name else None


def _needed_store(environment: Environment) -> JobStore:
    """The rows, for a command that deletes messages. Raises Problem before it looks at any message."""
    store = _store(environment)
    if store is None:
        raise Problem(
            "this command deletes messages, and without the jobs table it can't tell which of them are the last trace "
            f"of a job that is still open. {environment.missing('table_name')}"
        )
    return store


def _selected(sweep: Sweep, selection: Selection, *, with_bodies: bool = False) -> Iterator[DeadLetteredMessage]:
    """The selected messages; without their bodies by default, which may be 256 KiB each."""
    with sweep, progress() as bar:
        task = bar.add_task("looking at messages", total=_count(sweep.pair))
        for messages in sweep:
            bar.update(task, completed=sweep.looked_at)
            for message in messages:
                if selection.matches(message):
                    yield message if with_bodies else replace(message, received=replace(message.received, body=""))


def _confirmed(pair: QueuePair, selection: Selection, limit: int, question: str) -> Selection:
    """Count the messages and ask. What is agreed to is these jobs' messages, and no later ones."""
    from ai_jobs.operate.sweep import Sweep

    if not sys.stdin.isatty():
        raise click.UsageError("there is no terminal to ask on: check with --dry-run first, then pass --yes")
    sweep = Sweep(pair, limit)
    job_ids = [message.job_id for message in _selected(sweep, selection)]
    say_not_seen(sweep)
    if not job_ids:
        say_nothing_found(sweep)
        raise click.exceptions.Exit(FAILED)
    click.confirm(question.format(messages=plural(len(job_ids), "message"), side=pair.side), abort=True, err=True)
    return replace(selection, job_ids=frozenset(job_ids))


def _run(
    sweep: Sweep, run: Callable[[Sweep, Callable[[Treated], None]], None], title: str, *, dry_run: bool, as_json: bool
) -> None:
    """Run the command, and print what became of the messages; after Ctrl-C or a failure, what was done until then.

    It is a failure if there is nothing to do: whoever runs this assumes that there is something.
    """
    done: list[Treated] = []
    try:
        with progress() as bar:
            task = bar.add_task(title, total=_count(sweep.pair))

            def count(treated: Treated) -> None:
                done.append(treated)
                bar.update(task, completed=sweep.looked_at)

            run(sweep, count)
    except BaseException as error:
        if done:
            print_report(done, sweep, dry_run=dry_run, as_json=as_json)
        if isinstance(error, KeyboardInterrupt):
            say("messages that are not named here are where they were: run the command again to continue")
        raise
    print_report(done, sweep, dry_run=dry_run, as_json=as_json)
    if not done or any(treated.outcome.value == "failed" for treated in done):
        raise click.exceptions.Exit(FAILED)


def _count(pair: QueuePair) -> int:
    from ai_jobs.aws.queues import get_queue_message_count

    return get_queue_message_count(pair.dlq_url).total
