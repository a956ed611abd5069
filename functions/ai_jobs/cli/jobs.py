"""The commands `submit`, `status`, `wait` and `list`."""

from __future__ import annotations

import itertools
import json
import sys
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ai_jobs.cli.output import json_option, print_fields, print_json, print_table, progress, say
from ai_jobs.cli.problems import FAILED, TIMED_OUT, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ai_jobs.cli.environment import Environment, Source
    from ai_jobs.cli.job_files import WrittenJob
    from ai_jobs.store import JobStore, Row

# As ai_jobs.store.JobStatus, which would import boto3 for the help text.
STATUSES = ("queued", "processing", "completed", "failed", "cancelled")

_STDIN = "standard input"
_SENDERS = 10
_NAMED = 20

_ROW_COLUMNS = ("JOB", "STATUS", "TYPE", "USER", "CREATED", "TOOK", "ERROR")

timeout_option = click.option(
    "--timeout",
    "timeout_seconds",
    type=click.FloatRange(min=0),
    default=3600,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait.",
)


@click.command(short_help="Submit jobs from files or standard input.")
@click.argument(
    "files", nargs=-1, metavar="[FILES]... | -", type=click.Path(exists=True, dir_okay=False, allow_dash=True)
)
@click.option("--user", "user_id", metavar="ID", help="The userId of jobs that do not say.")
@click.option("--type", "job_type", metavar="TYPE", help="The jobType of jobs that do not say.")
@click.option("--wait", "then_wait", is_flag=True, help="Wait until the jobs have ended, as `ai-jobs wait` does.")
@timeout_option
@json_option
@click.pass_obj
def submit(
    source: Source,
    files: Sequence[str],
    user_id: str | None,
    job_type: str | None,
    then_wait: bool,
    timeout_seconds: float,
    as_json: bool,
) -> None:
    """Submit jobs from files or standard input (-).

    A file holds a job {userId, jobType, input, jobId?, traceId?, deadlineSeconds?}, a JSON array of them, or one on
    each line. All are checked before the first is sent. Choose the jobId yourself, and submitting a job twice runs it
    once.
    """
    from ai_jobs.cli.job_files import read_jobs

    if not files:
        raise click.UsageError("name the files with the jobs, or - for standard input")
    if twice := [name for name in files if files.count(name) > 1]:
        raise click.UsageError(f"{twice[0]} is named twice: its jobs would run twice")
    jobs = read_jobs({_STDIN if name == "-" else name: _read(name) for name in files}, user_id, job_type)
    environment = source.load()
    environment.need("request_queue_url")
    store = _store(environment) if then_wait else None
    _check_sizes(jobs, environment.get("bucket_name"))
    sent = _send(jobs, environment, as_json=as_json, quiet=then_wait)
    if store:
        say(f"submitted {len(sent)} jobs")
        _wait(store, [job.message.job_id for job in sent], timeout_seconds, as_json)


@click.command(short_help="Show jobs by their ids.")
@click.argument("job_ids", nargs=-1, required=True, metavar="JOB_ID...")
@json_option
@click.pass_obj
def status(source: Source, job_ids: Sequence[str], as_json: bool) -> None:
    """Show jobs by their ids: one in full, several as a table."""
    ids = _checked_ids(job_ids)
    rows = _store(source.load()).get_all(ids)
    missing = [job_id for job_id in ids if job_id not in rows]
    found = [rows[job_id] for job_id in ids if job_id in rows]
    if as_json:
        print_json([_view(row) for row in found])
    elif len(ids) == 1 and found:
        _print_job(_view(found[0]))
    elif found:
        print_table(_ROW_COLUMNS, [_cells(row["jobId"], row) for row in found])
    if missing:
        raise Problem(
            f"no such job: {_named(missing)}\n"
            "a job has no row until a worker picks it up, nor after its retention, nor when its user was erased"
        )


@click.command(short_help="Wait until jobs have ended.")
@click.argument("job_ids", nargs=-1, required=True, metavar="JOB_ID... | -")
@timeout_option
@json_option
@click.pass_obj
def wait(source: Source, job_ids: Sequence[str], timeout_seconds: float, as_json: bool) -> None:
    """Wait until jobs have ended, and show how. - reads more ids from standard input.

    Exits with 0 when all are completed, 1 when some failed or were cancelled, 3 when some were still open at the end.
    A job that nobody knows is waited for too: a worker may not have picked it up yet.
    """
    given = [job_id for job_id in job_ids if job_id != "-"]
    if "-" in job_ids:
        given += sys.stdin.read().split()
    ids = _checked_ids(given)
    if not ids:
        raise click.UsageError("standard input has no job ids: give them separated by blanks or line ends")
    _wait(_store(source.load()), ids, timeout_seconds, as_json)


@click.command(short_help="Cancel jobs that have not ended.")
@click.argument("job_ids", nargs=-1, required=True, metavar="JOB_ID...")
@json_option
@click.pass_obj
def cancel(source: Source, job_ids: Sequence[str], as_json: bool) -> None:
    """Cancel jobs: a waiting one never calls the model, the result of a running one is dropped.

    A model call that is under way goes on, and is paid. Exits with 1 when a job could not be cancelled, for it had
    ended already or has no row.
    """
    ids = _checked_ids(job_ids)
    store = _store(source.load())
    found = {job_id: store.cancel(job_id) for job_id in ids}
    rows = {job_id: outcome.row for job_id, outcome in found.items() if outcome.row is not None}
    _print_ends(ids, rows, as_json)
    left = [job_id for job_id, outcome in found.items() if not outcome.done]
    if left:
        raise Problem(f"not cancelled, for they have ended or have no row (yet): {_named(left)}")


@click.command("list", short_help="List a user's jobs, the newest first.")
@click.option("--user", "user_id", required=True, metavar="ID", help="Whose jobs.")
@click.option("--status", "wanted_status", type=click.Choice(STATUSES), help="Only jobs in this state.")
@click.option("--type", "job_type", metavar="TYPE", help="Only jobs of this type.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="How many, at most.")
@json_option
@click.pass_obj
def list_jobs(
    source: Source, user_id: str, wanted_status: str | None, job_type: str | None, limit: int, as_json: bool
) -> None:
    """List a user's jobs, the newest first, without their results and error texts."""
    from ai_jobs.messages import check_user_id

    _checked(check_user_id, user_id)
    matching = (
        row
        for row in _store(source.load()).history_of(user_id)
        if (wanted_status in (None, row["status"])) and (job_type in (None, row["jobType"]))
    )
    rows = list(itertools.islice(matching, limit + 1))
    shown = rows[:limit]
    if as_json:
        print_json([_view(row) for row in shown])
    elif shown:
        columns = ("JOB", "STATUS", "TYPE", "CREATED", "TOOK", "ATTEMPTS", "ERROR")
        print_table(columns, [_listed(row) for row in shown])
    if not shown:
        filtered = " that match" if wanted_status or job_type else ""
        say(f"{user_id} has no jobs{filtered}")
    elif len(rows) > limit:
        say(f"these are the newest {limit}; there are more (--limit)")


def _read(name: str) -> str:
    content = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Problem(f"{_STDIN if name == '-' else name} is no UTF-8 text: {error}") from None


def _store(environment: Environment) -> JobStore:
    from ai_jobs.store import JobStore

    return JobStore(environment.need("table_name"))


def _checked_ids(job_ids: Iterable[str]) -> list[str]:
    from ai_jobs.messages import check_job_id

    return list(dict.fromkeys(_checked(check_job_id, job_id) for job_id in job_ids))


def _checked(check: Callable[[object], str], value: str) -> str:
    from ai_jobs.errors import JobError

    try:
        return check(value)
    except JobError as error:
        raise click.UsageError(error.message) from None


def _check_sizes(jobs: Iterable[WrittenJob], bucket: str | None) -> None:
    from ai_jobs.queues import check_size

    for job in jobs:
        try:
            check_size(job.message, bucket)
        except ValueError as error:
            raise Problem(f"{job.place}: {error}") from None


def _send(jobs: Sequence[WrittenJob], environment: Environment, *, as_json: bool, quiet: bool) -> list[WrittenJob]:
    """Send all, and print what was sent.

    Args:
        quiet: print nothing when all were sent.

    Raises:
        AIJobsError: the first failure, after what was sent and what was not has been told.
    """
    from ai_jobs.queues import send_ai_job_request

    queue_url, bucket = environment.need("request_queue_url"), environment.get("bucket_name")
    futures: dict[Future[str], WrittenJob] = {}
    pool = ThreadPoolExecutor(_SENDERS)
    try:
        with progress() as bar:
            task = bar.add_task("submitting", total=len(jobs))
            for job in jobs:
                futures[pool.submit(send_ai_job_request, job.message, queue_url=queue_url, bucket=bucket)] = job
            for future in as_completed(futures):
                if future.exception():
                    break
                bar.advance(task)
    finally:
        # After a failure or Ctrl-C: what is in the air is finished, and nothing more is begun.
        pool.shutdown(cancel_futures=True)
        sent = [job for future, job in futures.items() if _was_sent(future)]
        if not quiet or len(sent) < len(jobs):
            _print_sent(sent, as_json=as_json)
        if len(sent) < len(jobs):
            say(_what_was_not_sent(jobs, sent))
    for future in futures:
        if not future.cancelled() and (error := future.exception()):
            raise error
    return sent


def _was_sent(future: Future[str]) -> bool:
    return not future.cancelled() and future.exception() is None


def _print_sent(sent: Sequence[WrittenJob], *, as_json: bool) -> None:
    rows = [(job.message.job_id, job.message.job_type, job.message.user_id) for job in sent]
    if as_json:
        print_json([dict(zip(("jobId", "jobType", "userId"), row, strict=True)) for row in rows])
    elif rows:
        print_table(("JOB", "TYPE", "USER"), rows)


def _what_was_not_sent(jobs: Sequence[WrittenJob], sent: Sequence[WrittenJob]) -> str:
    done = {job.message.job_id for job in sent}
    rest = [job for job in jobs if job.message.job_id not in done]
    text = f"{len(rest)} of {len(jobs)} jobs were not sent: {_named([job.place for job in rest])}"
    if sent and not all(job.has_own_id for job in sent):
        text += "\nsubmit only these again: a job that brings no jobId of its own runs once more each time it is sent"
    return text


def _wait(store: JobStore, job_ids: Sequence[str], timeout_seconds: float, as_json: bool) -> None:
    """Wait for the jobs, print them, and end the command with the exit code that says how they ended."""
    from ai_jobs.waiting import follow, has_ended

    rows: dict[str, Row] = {}
    try:
        with progress() as bar:
            task = bar.add_task("waiting", total=len(job_ids))
            for rows in follow(store, job_ids, timeout_seconds):
                bar.update(task, completed=sum(map(has_ended, rows.values())))
    finally:
        _print_ends(job_ids, rows, as_json)
    still_open = [job_id for job_id in job_ids if job_id not in rows or not has_ended(rows[job_id])]
    if still_open:
        say(
            f"{len(still_open)} of {len(job_ids)} jobs had not ended after {timeout_seconds:g} s: {_named(still_open)}"
            "\nis a worker paused, or the queue long? see: ai-jobs doctor"
        )
        raise click.exceptions.Exit(TIMED_OUT)
    if any(row["status"] != "completed" for row in rows.values()):
        raise click.exceptions.Exit(FAILED)


def _print_ends(job_ids: Sequence[str], rows: dict[str, Row], as_json: bool) -> None:
    if as_json:
        print_json(
            [_view(rows[job_id]) if job_id in rows else {"jobId": job_id, "status": "unknown"} for job_id in job_ids]
        )
    else:
        print_table(_ROW_COLUMNS, [_cells(job_id, rows.get(job_id)) for job_id in job_ids])


def _view(row: Row) -> dict[str, Any]:
    from ai_jobs.objects import signed_url
    from ai_jobs.views import job_view

    return job_view(row, signed_url)


def _cells(job_id: str, row: Row | None) -> list[object]:
    if row is None:
        return [job_id, "unknown", *[None] * (len(_ROW_COLUMNS) - 2)]
    cells = [job_id, row["status"], row.get("jobType"), row.get("userId"), _created(row), _took(row)]
    return [*cells, row.get("errorCode")]


def _listed(row: Row) -> list[object]:
    cells = [row["jobId"], row["status"], row["jobType"], _created(row), _took(row)]
    return [*cells, int(row.get("calls", 0)), row.get("errorCode")]


def _created(row: Row) -> str | None:
    """To the second: a table is wide enough."""
    return f"{row['createdAt'][:19]}Z" if "createdAt" in row else None


def _took(row: Row) -> str | None:
    """From the submission to the end."""
    from ai_jobs import timestamps

    if not {"createdAt", "completedAt"} <= row.keys():
        return None
    seconds = (timestamps.from_text(row["completedAt"]) - timestamps.from_text(row["createdAt"])).total_seconds()
    return f"{seconds:.1f} s"


def _print_job(view: dict[str, Any]) -> None:
    """One job as a block of lines, the result's text last."""
    fields = dict(view)
    result = fields.pop("result", None)
    if error := fields.pop("error", None):
        where = f" ({error['field']})" if "field" in error else ""
        fields["error"] = f"{error['code']}{where}: {error['message']}"
    if usage := fields.get("usage"):
        fields["usage"] = f"{usage.get('inputTokens')} tokens in, {usage.get('outputTokens')} out"
    text = result and result.get("text")
    if isinstance(text, str):
        fields["stopReason"] = f"{result.get('stopReason')}{' (cut off)' if result.get('truncated') else ''}"
    elif result:  # another producer's, which may be any object
        text = json.dumps(result, indent=2, ensure_ascii=False)
    print_fields(fields, text)


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
