"""The commands `submit`, `status`, `wait` and `list`."""

from __future__ import annotations

import itertools
import json
import shutil
import stat
import sys
import tempfile
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from ai_jobs.cli.exits import FAILED, TIMED_OUT, Problem
from ai_jobs.cli.output import json_option, print_fields, print_json, print_table, progress, say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from ai_jobs.cli.environment import Environment, Source
    from ai_jobs.cli.job_files import WrittenJob
    from ai_jobs.contract.request import AIJobMessage
    from ai_jobs.contract.row import JobRow
    from ai_jobs.service.job_store import JobStore

# As ai_jobs.service.job_store.JobStatus, which would import boto3 for the help text.
STATUSES = ("queued", "processing", "completed", "failed", "cancelled")

_STDIN = "standard input"
_SENDERS = 10
# Read from the files and not yet sent: enough to keep all senders busy while the first waits for its answer.
_IN_THE_AIR = 2 * _SENDERS
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
    from ai_jobs.cli.job_files import WrittenJobs

    if not files:
        raise click.UsageError("name the files with the jobs, or - for standard input")
    if twice := [name for name in files if files.count(name) > 1]:
        raise click.UsageError(f"{twice[0]} is named twice: its jobs would run twice")
    environment = source.load()
    environment.need("request_queue_url")
    store = _store(environment) if then_wait else None
    with _opened(files) as contents:
        # Twice through the files, a job at a time: they may be larger than memory.
        jobs = WrittenJobs(contents, user_id, job_type)
        total = _check(jobs, environment.get("bucket_name"))
        job_ids = _send(jobs, total, environment, as_json=as_json, quiet=then_wait)
    if store:
        say(f"submitted {len(job_ids)} jobs")
        _wait(store, job_ids, timeout_seconds, as_json)


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
    from ai_jobs.contract.rules import check_user_id

    _checked(check_user_id, user_id)
    matching = (
        row
        for row in _store(source.load()).listing.history_of(user_id)
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


@contextmanager
def _opened(names: Sequence[str]) -> Iterator[dict[str, BinaryIO]]:
    """The files by the names that messages give them, all of which can be read more than once."""
    with ExitStack() as stack:
        yield {
            _STDIN if name == "-" else name: stack.enter_context(_readable_again(name)) for name in dict.fromkeys(names)
        }


@contextmanager
def _readable_again(name: str) -> Iterator[BinaryIO]:
    """The file, or a copy of standard input or a pipe, which say everything only once."""
    with ExitStack() as stack:
        content = sys.stdin.buffer if name == "-" else stack.enter_context(Path(name).open("rb"))
        if name == "-" or not stat.S_ISREG(Path(name).stat().st_mode):
            copy = stack.enter_context(tempfile.TemporaryFile())
            shutil.copyfileobj(content, copy)
            content = copy
        yield content


def _store(environment: Environment) -> JobStore:
    from ai_jobs.service.job_store import JobStore

    return JobStore(environment.need("table_name"))


def _checked_ids(job_ids: Iterable[str]) -> list[str]:
    from ai_jobs.contract.rules import check_job_id

    return list(dict.fromkeys(_checked(check_job_id, job_id) for job_id in job_ids))


def _checked(check: Callable[[object], str], value: str) -> str:
    from ai_jobs.contract.errors import JobError

    try:
        return check(value)
    except JobError as error:
        raise click.UsageError(error.message) from None


def _check(jobs: Iterable[WrittenJob], bucket: str | None) -> int:
    """How many there are. Raises Problem at the first that can't be sent."""
    from ai_jobs.aws.submission import check_size

    total = 0
    with progress() as bar:
        task = bar.add_task("checking", total=None)
        for job in jobs:
            try:
                check_size(job.message, bucket)
            except ValueError as error:
                raise Problem(f"{job.place}: {error}") from None
            total += 1
            bar.advance(task)
    return total


def _send(jobs: Iterable[WrittenJob], total: int, environment: Environment, *, as_json: bool, quiet: bool) -> list[str]:
    """Send all, print what was sent, and return their ids.

    Args:
        quiet: print nothing when all were sent.

    Raises:
        AWSError: the first failure, after what was sent and what was not has been told.
    """
    from ai_jobs.aws.submission import send_ai_job_request

    queue_url, bucket = environment.need("request_queue_url"), environment.get("bucket_name")
    # As many as were checked: a file may have grown since.
    checked = itertools.islice(jobs, total)
    sending = _Sending(checked, partial(send_ai_job_request, queue_url=queue_url, bucket=bucket))
    try:
        with progress() as bar:
            task = bar.add_task("submitting", total=total)
            for _ in sending.run():
                bar.advance(task)
    finally:
        failed = sending.finish()
        missing = total - len(sending.sent)
        if not quiet or missing:
            _print_sent(sending.sent, as_json=as_json)
        if missing:
            rest = f"all after {sending.last_place}" if sending.last_place else "all of them"
            say(f"{missing} of {total} jobs were not sent: {_named(failed + [rest] * (missing > len(failed)))}")
            if sending.sent and not sending.all_have_own_ids:
                say(
                    "submit only these again: a job that brings no jobId of its own runs once more each time it is sent"
                )
    return [job_id for job_id, _, _ in sending.sent]


@dataclass
class _Begun:
    """A job that is being sent."""

    job: WrittenJob
    was_sent: bool = False
    future: Future[None] = field(init=False)

    def send(self, send: Callable[[AIJobMessage], str]) -> None:
        """In a thread of the pool."""
        send(self.job.message)
        self.was_sent = True


class _Sending:
    """Sends jobs, some at a time, and tells which were sent, in the order in which they are written.

    Attributes:
        sent: id, type and user of each. (Not the job: there may be more of them than fit into memory.)
        all_have_own_ids: whether each of these says its jobId.
        last_place: where the last one was written whose sending was begun; None when none was.
    """

    def __init__(self, jobs: Iterable[WrittenJob], send: Callable[[AIJobMessage], str]) -> None:
        self.sent: list[tuple[str, str, str]] = []
        self.all_have_own_ids = True
        self.last_place: str | None = None
        self._jobs = jobs
        self._send = send
        self._pool = ThreadPoolExecutor(_SENDERS)
        self._air: deque[_Begun] = deque()

    def run(self) -> Iterator[None]:
        """Send all; yields after each. Raises what the first that fails raises."""
        for job in self._jobs:
            begun = _Begun(job)
            # In this order: a Ctrl-C in between must not make anybody submit a job again that was sent.
            self._air.append(begun)
            self.last_place = job.place
            begun.future = self._pool.submit(begun.send, self._send)
            if len(self._air) == _IN_THE_AIR:
                self._land()
                yield
        while self._air:
            self._land()
            yield

    def finish(self) -> list[str]:
        """After a failure or Ctrl-C too: what is in the air is finished, and nothing more is begun.

        Returns:
            Where those were written that were begun and not sent.
        """
        self._pool.shutdown(cancel_futures=True)
        failed = []
        for begun in self._air:
            if begun.was_sent:
                self._note(begun.job)
            else:
                failed.append(begun.job.place)
        return failed

    def _land(self) -> None:
        begun = self._air[0]
        begun.future.result()
        self._note(self._air.popleft().job)

    def _note(self, job: WrittenJob) -> None:
        self.sent.append((job.message.job_id, sys.intern(job.message.job_type), sys.intern(job.message.user_id)))
        self.all_have_own_ids &= job.has_own_id


def _print_sent(sent: Sequence[tuple[str, str, str]], *, as_json: bool) -> None:
    if as_json:
        print_json([dict(zip(("jobId", "jobType", "userId"), row, strict=True)) for row in sent])
    elif sent:
        print_table(("JOB", "TYPE", "USER"), sent)


def _wait(store: JobStore, job_ids: Sequence[str], timeout_seconds: float, as_json: bool) -> None:
    """Wait for the jobs, print them, and end the command with the exit code that says how they ended."""
    from ai_jobs.contract.row import has_ended
    from ai_jobs.operate.waiting import follow

    rows: dict[str, JobRow] = {}
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


def _print_ends(job_ids: Sequence[str], rows: dict[str, JobRow], as_json: bool) -> None:
    if as_json:
        print_json(
            [_view(rows[job_id]) if job_id in rows else {"jobId": job_id, "status": "unknown"} for job_id in job_ids]
        )
    else:
        print_table(_ROW_COLUMNS, [_cells(job_id, rows.get(job_id)) for job_id in job_ids])


def _view(row: JobRow) -> dict[str, Any]:
    from ai_jobs.aws.objects import signed_url
    from ai_jobs.contract.job_view import job_view

    return job_view(row, signed_url)


def _cells(job_id: str, row: JobRow | None) -> list[object]:
    if row is None:
        return [job_id, "unknown", *[None] * (len(_ROW_COLUMNS) - 2)]
    cells = [job_id, row["status"], row.get("jobType"), row.get("userId"), _created(row), _took(row)]
    return [*cells, row.get("errorCode")]


def _listed(row: JobRow) -> list[object]:
    cells = [row["jobId"], row["status"], row["jobType"], _created(row), _took(row)]
    return [*cells, int(row.get("calls", 0)), row.get("errorCode")]


def _created(row: JobRow) -> str | None:
    """To the second: a table is wide enough."""
    return f"{row['createdAt'][:19]}Z" if "createdAt" in row else None


def _took(row: JobRow) -> str | None:
    """From the submission to the end."""
    from ai_jobs.contract import timestamps

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
