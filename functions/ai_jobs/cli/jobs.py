"""`ai-jobs status`, `wait`, `cancel`, and `list`."""

from __future__ import annotations

import itertools
import sys
from typing import TYPE_CHECKING

import click

from ai_jobs.cli.exits import FAILED, TIMED_OUT, Problem
from ai_jobs.cli.job_tables import named, print_ends, print_job, print_list, print_rows, view
from ai_jobs.cli.output import json_option, print_json, progress, say
from ai_jobs.contract.row import JobStatus, has_ended

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ai_jobs.cli.environment import Environment, Source
    from ai_jobs.contract.row import JobRow
    from ai_jobs.service.job_store import JobStore

timeout_option = click.option(
    "--timeout",
    "timeout_seconds",
    type=click.FloatRange(min=0),
    default=3600,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait.",
)


@click.command
@click.argument("job_ids", nargs=-1, required=True, metavar="JOB_ID...")
@json_option
@click.pass_obj
def status(source: Source, job_ids: Sequence[str], as_json: bool) -> None:
    """Show jobs by id: one in full, several as a table."""
    ids = _checked_ids(job_ids)
    rows = store_of(source.load()).get_all(ids)
    missing = [job_id for job_id in ids if job_id not in rows]
    found = [rows[job_id] for job_id in ids if job_id in rows]
    if as_json:
        print_json([view(row) for row in found])
    elif len(ids) == 1 and found:
        print_job(view(found[0]))
    elif found:
        print_rows(found)
    if missing:
        raise Problem(
            f"no such job: {named(missing)}\n"
            "A job has no row before a worker picks it up, after its retention, or once its user was erased."
        )


@click.command
@click.argument("job_ids", nargs=-1, required=True, metavar="JOB_ID... | -")
@timeout_option
@json_option
@click.pass_obj
def wait(source: Source, job_ids: Sequence[str], timeout_seconds: float, as_json: bool) -> None:
    """Wait until jobs have ended, and show how. - reads more ids from standard input.

    Exits with 0 if all completed, 1 if some failed or were cancelled, 3 if some were still open when the time was up.
    This also waits for an unknown job: a worker may not have picked it up yet.
    """
    given = [job_id for job_id in job_ids if job_id != "-"]
    if "-" in job_ids:
        given += sys.stdin.read().split()
    ids = _checked_ids(given)
    if not ids:
        raise click.UsageError("standard input has no job ids: pass ids separated by blanks or line breaks")
    wait_for(store_of(source.load()), ids, timeout_seconds, as_json=as_json)


@click.command
@click.argument("job_ids", nargs=-1, required=True, metavar="JOB_ID...")
@json_option
@click.pass_obj
def cancel(source: Source, job_ids: Sequence[str], as_json: bool) -> None:
    """Cancel jobs: a waiting job never calls the model, the result of a running one is dropped.

    A model call that is in progress continues, and is billed. Exits with 1 if a job could not be cancelled because it
    had already ended or does not have a row.
    """
    ids = _checked_ids(job_ids)
    store = store_of(source.load())
    found = {job_id: store.cancel(job_id) for job_id in ids}
    rows = {job_id: outcome.row for job_id, outcome in found.items() if outcome.row is not None}
    print_ends(ids, rows, as_json=as_json)
    left = [job_id for job_id, outcome in found.items() if not outcome.done]
    if left:
        raise Problem(f"not cancelled, because they have ended or don't have a row (yet): {named(left)}")


@click.command("list")
@click.option("--user", "user_id", required=True, metavar="ID", help="Whose jobs to list.")
@click.option(
    "--status",
    "wanted_status",
    type=click.Choice([state.value for state in JobStatus]),
    help="Only jobs in this state.",
)
@click.option("--type", "job_type", metavar="TYPE", help="Only jobs of this type.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="How many jobs at most.")
@json_option
@click.pass_obj
def list_jobs(
    source: Source, user_id: str, wanted_status: str | None, job_type: str | None, limit: int, as_json: bool
) -> None:
    """List a user's jobs, newest first, without their results and error texts."""
    from ai_jobs.contract.rules import check_user_id

    _checked(check_user_id, user_id)
    matching = (
        row
        for row in store_of(source.load()).listing.history_of(user_id)
        if (wanted_status in (None, row["status"])) and (job_type in (None, row["jobType"]))
    )
    rows = list(itertools.islice(matching, limit + 1))
    shown = rows[:limit]
    if as_json:
        print_json([view(row) for row in shown])
    elif shown:
        print_list(shown)
    if not shown:
        filtered = " that match" if wanted_status or job_type else ""
        say(f"{user_id} has no jobs{filtered}")
    elif len(rows) > limit:
        say(f"these are the newest {limit}; there are more (--limit)")


def store_of(environment: Environment) -> JobStore:
    """The environment's jobs. Raises Problem if its table is not known."""
    # Imported here: the help does not need boto3.
    from ai_jobs.service.job_store import JobStore

    return JobStore(environment.need("table_name"))


def wait_for(store: JobStore, job_ids: Sequence[str], timeout_seconds: float, *, as_json: bool) -> None:
    """Wait for jobs, print them, and exit with the code that says how they ended."""
    from ai_jobs.operate.polling import poll_until_ended

    rows: dict[str, JobRow] = {}
    try:
        with progress() as bar:
            task = bar.add_task("waiting", total=len(job_ids))
            for rows in poll_until_ended(store, job_ids, timeout_seconds):
                bar.update(task, completed=sum(map(has_ended, rows.values())))
    finally:
        print_ends(job_ids, rows, as_json=as_json)
    still_open = [job_id for job_id in job_ids if job_id not in rows or not has_ended(rows[job_id])]
    if still_open:
        say(
            f"{len(still_open)} of {len(job_ids)} jobs had not ended after {timeout_seconds:g} s: {named(still_open)}"
            "\nIs a worker paused, or is the queue long? Run ai-jobs doctor."
        )
        raise click.exceptions.Exit(TIMED_OUT)
    if any(row["status"] != JobStatus.COMPLETED for row in rows.values()):
        raise click.exceptions.Exit(FAILED)


def _checked_ids(job_ids: Iterable[str]) -> list[str]:
    from ai_jobs.contract.rules import check_job_id

    return list(dict.fromkeys(_checked(check_job_id, job_id) for job_id in job_ids))


def _checked(check: Callable[[object], str], value: str) -> str:
    from ai_jobs.contract.errors import JobError

    try:
        return check(value)
    except JobError as error:
        raise click.UsageError(error.message) from None
