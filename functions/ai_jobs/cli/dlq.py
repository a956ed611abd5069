"""The commands `dlq list`, `dlq show`, `dlq retry` and `dlq purge`."""

from __future__ import annotations

import functools
import json
import re
import sys
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

import click

from ai_jobs.cli.exits import FAILED, Problem
from ai_jobs.cli.output import json_option, print_fields, print_json, print_table, progress, say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ai_jobs.cli.environment import Environment, Source
    from ai_jobs.operate.redrive import Letter, QueuePair, Selection, Sweep, Treated
    from ai_jobs.service.job_store import JobStore

_PURGE_QUESTIONS = {
    "request": "Delete {letters} behind the request queue? This can't be undone; their jobs stay failed.",
    "response": "Delete {letters} behind the response queue? This can't be undone; results in them that were paid for "
    "are lost, and their jobs fail.",
}

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}

# As ai_jobs.operate.redrive.MAX_LIMIT, which would import boto3 for the help text.
_MAX_LIMIT = 20_000

_MESSAGE_WIDTH = 48
_NAMED = 3

Side = Literal["request", "response"]


def _as_age(_ctx: click.Context, _param: click.Parameter, value: str | None) -> timedelta | None:
    if value is None:
        return None
    match = re.fullmatch(r"([0-9]{1,6})([smhd])", value)
    if not match:
        raise click.BadParameter(f"{value!r} is no age: give a number and its unit, such as 90s, 15m, 2h or 3d")
    # SQS keeps nothing for ten years, and time does not go back as far as some numbers do.
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
            help="Whose dead letters: those of the request queue hold jobs, those of the response queue results.",
        ),
        click.option(
            "--limit",
            type=click.IntRange(min=1, max=_MAX_LIMIT),
            default=10_000,
            show_default=True,
            help="Letters to look at, at most.",
        ),
        json_option,
    )
    return functools.reduce(lambda decorated, option: option(decorated), reversed(options), command)


def filters(command: Callable[..., None]) -> Callable[..., None]:
    """The options that say which letters are meant; the command gets them as one Selection."""

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
        from ai_jobs.contract import timestamps
        from ai_jobs.operate.redrive import Selection

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
        click.option("--job-id", multiple=True, metavar="ID", help="Only this job's; may be repeated."),
        click.option("--user", "user_id", metavar="ID", help="Only this user's."),
        click.option("--type", "job_type", metavar="TYPE", help="Only jobs of this type."),
        click.option("--error-code", multiple=True, metavar="CODE", help="Only with this code; may be repeated."),
        click.option(
            "--older-than", callback=_as_age, metavar="AGE", help="Only what failed longer ago than 90s, 15m, 2h, 3d."
        ),
        click.option("--newer-than", callback=_as_age, metavar="AGE", help="Only what failed since then."),
    )
    return functools.reduce(lambda decorated, option: option(decorated), reversed(options), with_selection)


dry_run_option = click.option("--dry-run", is_flag=True, help="Only say what would be done.")
yes_option = click.option("--yes", "-y", is_flag=True, help="Do not ask.")


@click.group(short_help="Look at, retry or purge dead letters.")
def dlq() -> None:
    """Look at dead letters, send them back to their queue, or delete them.

    Letters are hidden from other readers while a command looks at them, for a minute at a time.
    """


@dlq.command("list", short_help="List dead letters, the newest first.")
@which_queue
@filters
@click.pass_obj
def list_letters(source: Source, side: Side, limit: int, as_json: bool, selection: Selection) -> None:
    """List dead letters, those that failed last first."""
    from ai_jobs.operate.redrive import Sweep

    sweep = Sweep(_pair(source.load(), side), limit)
    letters = sorted(_selected(sweep, selection), key=lambda letter: letter.failed_at, reverse=True)
    if as_json:
        print_json([_view(letter) for letter in letters])
    elif letters:
        columns = ("JOB", "USER", "TYPE", "CODE", "MESSAGE", "ATTEMPTS", "AGE")
        print_table(columns, [_cells(letter) for letter in letters])
    if not letters:
        _say_nothing_found(sweep)
    _say_not_seen(sweep)


@dlq.command(short_help="Show a job's dead letters and its row.")
@click.argument("job_id")
@which_queue
@click.pass_obj
def show(source: Source, job_id: str, side: Side, limit: int, as_json: bool) -> None:
    """Show a job's dead letters in full, and what its row says. The body holds the user's input."""
    from ai_jobs.aws.objects import signed_url
    from ai_jobs.contract.job_view import job_view
    from ai_jobs.operate.redrive import Selection, Sweep

    environment = source.load()
    store = _store(environment)
    sweep = Sweep(_pair(environment, side), limit)
    letters = list(_selected(sweep, Selection(job_ids={job_id}), with_bodies=True))
    row = store.get(job_id) if store else None
    job = job_view(row, signed_url) if row else None
    if as_json:
        print_json({"letters": [_full_view(letter) for letter in letters], "job": job})
    else:
        for letter in letters:
            _print_letter(letter)
        print_fields({"row": _summary_of(job) if store else "not known without table_name"})
    _say_not_seen(sweep)
    if not letters:
        raise Problem(f"there is no dead letter of job {job_id} behind the {side} queue")


@dlq.command(short_help="Send dead letters back to their queue.")
@which_queue
@filters
@click.option(
    "--rate",
    type=click.IntRange(min=0),
    default=50,
    show_default=True,
    metavar="N",
    help="Letters per second, at most; 0 for as fast as it goes.",
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
    """Send dead letters back to their queue: each failed job starts over, with attempts and deadline anew.

    A copy is sent before its letter is deleted, so that nothing is lost when this is interrupted: run it again. Letters
    of jobs that are completed, cancelled or erased stay where they are, as does what is no job: purge deletes them.
    Those of jobs whose failure is not written yet stay too, until the reconciler has been there.
    """
    from ai_jobs.operate import redrive as library

    environment = source.load()
    environment.need(f"{side}_queue_url")
    pair, store = _pair(environment, side), _needed_store(environment)
    question = "Send {letters} back to the {side} queue?"
    confirmed = selection if dry_run or yes else _confirmed(pair, selection, limit, question)

    def run(sweep: Sweep, report: Callable[[Treated], None]) -> None:
        library.retry(sweep, confirmed, report, store=store, rate=rate, dry_run=dry_run)

    _run(library.Sweep(pair, limit), run, "retrying", dry_run=dry_run, as_json=as_json)


@dlq.command(short_help="Delete dead letters for good.")
@which_queue
@filters
@dry_run_option
@yes_option
@click.pass_obj
def purge(
    source: Source, side: Side, limit: int, as_json: bool, selection: Selection, dry_run: bool, yes: bool
) -> None:
    """Delete dead letters for good: their jobs stay failed; results that nobody has written are lost.

    Letters of jobs whose failure the reconciler has not written yet are left alone.
    """
    from ai_jobs.operate import redrive as library

    environment = source.load()
    pair, store = _pair(environment, side), _needed_store(environment)
    confirmed = selection if dry_run or yes else _confirmed(pair, selection, limit, _PURGE_QUESTIONS[side])

    def run(sweep: Sweep, report: Callable[[Treated], None]) -> None:
        library.purge(sweep, confirmed, report, store=store, dry_run=dry_run)

    _run(library.Sweep(pair, limit), run, "purging", dry_run=dry_run, as_json=as_json)


def _pair(environment: Environment, side: Side) -> QueuePair:
    from ai_jobs.operate.redrive import QueuePair

    return QueuePair(side, environment.get(f"{side}_queue_url"), environment.need(f"{side}_dlq_url"))


def _store(environment: Environment) -> JobStore | None:
    from ai_jobs.service.job_store import JobStore

    table_name = environment.get("table_name")
    return JobStore(table_name) if table_name else None


def _needed_store(environment: Environment) -> JobStore:
    """The rows, for a command that deletes letters. Raises Problem, before any letter is looked at."""
    store = _store(environment)
    if store is None:
        raise Problem(
            "this command deletes letters, and without the jobs table it cannot tell which of them are the last trace "
            f"of a job that is still open. {environment.missing('table_name')}"
        )
    return store


def _selected(sweep: Sweep, selection: Selection, *, with_bodies: bool = False) -> Iterator[Letter]:
    """The letters that are meant. Without their bodies, unless these are wanted: they may be 256 KiB each."""
    with sweep, progress() as bar:
        task = bar.add_task("looking at letters", total=_count(sweep.pair))
        for letters in sweep:
            bar.update(task, completed=sweep.looked_at)
            for letter in letters:
                if selection.matches(letter):
                    yield letter if with_bodies else replace(letter, message=replace(letter.message, body=""))


def _confirmed(pair: QueuePair, selection: Selection, limit: int, question: str) -> Selection:
    """Count the letters and ask: what was agreed to, which are these jobs' letters and no later ones."""
    from ai_jobs.operate.redrive import Sweep

    if not sys.stdin.isatty():
        raise click.UsageError("there is no terminal to ask on: look with --dry-run, then say --yes")
    sweep = Sweep(pair, limit)
    job_ids = [letter.job_id for letter in _selected(sweep, selection)]
    _say_not_seen(sweep)
    if not job_ids:
        _say_nothing_found(sweep)
        raise click.exceptions.Exit(FAILED)
    letters = f"{len(job_ids)} letter{'s' * (len(job_ids) != 1)}"
    click.confirm(question.format(letters=letters, side=pair.side), abort=True, err=True)
    return replace(selection, job_ids=frozenset(job_ids))


def _run(
    sweep: Sweep, run: Callable[[Sweep, Callable[[Treated], None]], None], title: str, *, dry_run: bool, as_json: bool
) -> None:
    """Treat the letters, and print what became of them; after Ctrl-C or a failure, what was done until then.

    Nothing to treat is a failure: whoever asked for it took it that there was something.
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
            _print_report(done, sweep, dry_run=dry_run, as_json=as_json)
        if isinstance(error, KeyboardInterrupt):
            say("the letters that are not named here are where they were: run it again to go on")
        raise
    _print_report(done, sweep, dry_run=dry_run, as_json=as_json)
    if not done or any(treated.outcome.value == "failed" for treated in done):
        raise click.exceptions.Exit(FAILED)


def _count(pair: QueuePair) -> int:
    from ai_jobs.aws.queues import get_queue_message_count

    return get_queue_message_count(pair.dlq_url).total


def _print_report(done: Sequence[Treated], sweep: Sweep, *, dry_run: bool, as_json: bool) -> None:
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
        print_table(("OUTCOME", "LETTERS", "REASON", "JOBS"), _outcome_rows(groups, dry_run))
    if not done:
        _say_nothing_found(sweep)
    _say_not_seen(sweep)


def _outcome_rows(groups: dict[str, list[Treated]], dry_run: bool) -> Iterator[tuple[object, ...]]:
    for outcome, treated in groups.items():
        job_ids: dict[str | None, list[str]] = {}
        for one in treated:
            job_ids.setdefault(one.reason, []).append(one.job_id)
        word = f"would be {outcome}" if dry_run else outcome
        for reason, ids in job_ids.items():
            more = f" and {len(ids) - _NAMED} more" if len(ids) > _NAMED else ""
            yield word, len(ids), reason, ", ".join(ids[:_NAMED]) + more


def _say_nothing_found(sweep: Sweep) -> None:
    if sweep.looked_at:
        say(f"nothing matches: looked at {sweep.looked_at} letters behind the {sweep.pair.side} queue")
    elif not sweep.not_seen:
        say(f"there are no dead letters: the {sweep.pair.side} DLQ is empty")


def _say_not_seen(sweep: Sweep) -> None:
    if sweep.not_seen and sweep.looked_at >= sweep.limit:
        say(f"only the first {sweep.limit} letters were looked at; there are about {sweep.not_seen} more (--limit)")
    elif sweep.not_seen:
        say(
            f"SQS counts about {sweep.not_seen} more letters: they are in other hands (the reconciler's, or those of a "
            "command that was killed), or its count lags behind: look again in a minute"
        )


def _view(letter: Letter) -> dict[str, Any]:
    from ai_jobs.contract import timestamps

    return {
        "jobId": letter.job_id,
        "userId": letter.user_id,
        "jobType": letter.job_type,
        "errorCode": letter.error_code,
        "errorMessage": letter.error_message,
        "attempts": letter.attempts,
        "failedAt": timestamps.to_text(letter.failed_at),
        "messageId": letter.message.message_id,
        "problem": letter.unusable,
    }


def _full_view(letter: Letter) -> dict[str, Any]:
    message = letter.message
    more = {"attributes": message.attributes, "systemAttributes": message.system_attributes, "body": message.body}
    return _view(letter) | more


def _cells(letter: Letter) -> list[object]:
    from ai_jobs.contract import timestamps

    message = letter.error_message or letter.unusable
    if message and sys.stdout.isatty() and len(message) > _MESSAGE_WIDTH:
        message = f"{message[: _MESSAGE_WIDTH - 1]}…"
    age = _age(timestamps.now() - letter.failed_at)
    return [letter.job_id, letter.user_id, letter.job_type, letter.error_code, message, letter.attempts, age]


def _age(age: timedelta) -> str:
    seconds = max(0, int(age.total_seconds()))
    for unit, length in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"


def _print_letter(letter: Letter) -> None:
    view = {name: value for name, value in _view(letter).items() if value is not None}
    shown = {str(value) for value in view.values()}
    attributes = {
        f"attribute {name}": text for name, text in sorted(letter.message.attributes.items()) if text not in shown
    }
    print_fields(view | attributes, _pretty(letter.message.body))
    click.echo()


def _pretty(body: str) -> str:
    try:
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return body


def _summary_of(job: dict[str, Any] | None) -> str:
    if job is None:
        return "none: the job never had one, it expired, or its user was erased"
    error = job.get("error")
    why = f" with {error['code']}: {error['message']}" if error else ""
    return f"{job['status']}{why}, since {job['updatedAt']} (ai-jobs status {job['jobId']})"
