"""`ai-jobs submit`: checks all jobs in the files, then sends them."""

from __future__ import annotations

import itertools
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
from typing import TYPE_CHECKING, BinaryIO

import click

from ai_jobs.cli.exits import Problem
from ai_jobs.cli.job_tables import named
from ai_jobs.cli.jobs import store_of, timeout_option, wait_for
from ai_jobs.cli.output import json_option, print_json, print_table, progress, say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from ai_jobs.cli.environment import Environment, Source
    from ai_jobs.cli.job_files import WrittenJob
    from ai_jobs.contract.request import AIJobMessage

_STDIN = "standard input"
_SENDERS = 10
# Jobs read from the files and not yet sent: enough to keep all senders busy while the first job waits for its response.
_IN_THE_AIR = 2 * _SENDERS


@click.command
@click.argument(
    "files", nargs=-1, metavar="[FILES]... | -", type=click.Path(exists=True, dir_okay=False, allow_dash=True)
)
@click.option("--user", "user_id", metavar="ID", help="The userId of jobs that omit it.")
@click.option("--type", "job_type", metavar="TYPE", help="The jobType of jobs that omit it.")
@click.option(
    "--attach",
    "attached",
    metavar="FILE",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False),
    help="A file for the job (repeatable). Submit one job at a time then.",
)
@click.option("--wait", "then_wait", is_flag=True, help="Wait until the jobs have ended, like `ai-jobs wait`.")
@timeout_option
@json_option
@click.pass_obj
def submit(
    source: Source,
    files: Sequence[str],
    user_id: str | None,
    job_type: str | None,
    attached: Sequence[str],
    then_wait: bool,
    timeout_seconds: float,
    as_json: bool,
) -> None:
    """Submit jobs from files or standard input (-).

    A file contains a job {userId, jobType, input, jobId?, traceId?, deadlineSeconds?}, a JSON array of jobs, or one job
    per line. All jobs are checked before the first one is sent. If you choose the jobId yourself, submitting a job
    twice runs it once.
    """
    from ai_jobs.cli.job_files import WrittenJobs

    if not files:
        raise click.UsageError("there is nothing to submit: pass the files with the jobs, or - for standard input")
    if twice := [name for name in files if files.count(name) > 1]:
        raise click.UsageError(f"{twice[0]} is named twice, and its jobs would run twice: pass it once")
    environment = source.load()
    environment.need("request_queue_url")
    attach = _attaching(attached, environment) if attached else None
    store = store_of(environment) if then_wait else None
    with _opened(files) as contents:
        # Twice through the files, one job at a time: they may be larger than memory.
        jobs = WrittenJobs(contents, user_id, job_type)
        total = _check(jobs, environment.get("bucket_name"))
        if attach and total > 1:
            raise Problem(f"--attach is for one job, and there are {total}: submit the jobs with files one by one")
        job_ids = _send(jobs, total, environment, attach, as_json=as_json, quiet=then_wait)
    if store:
        from ai_jobs.contract.errors import plural

        say(f"submitted {plural(len(job_ids), 'job')}")
        wait_for(store, job_ids, timeout_seconds, as_json=as_json)


def _attaching(paths: Sequence[str], environment: Environment) -> Callable[[AIJobMessage], AIJobMessage]:
    """Returns what adds the files to a job. Raises Problem if they can't be attached to any."""
    from ai_jobs.cli.attachments import read_files, with_files

    return partial(with_files, files=read_files(paths), bucket=environment.need("bucket_name"))


@contextmanager
def _opened(names: Sequence[str]) -> Iterator[dict[str, BinaryIO]]:
    """The files by their names in messages; each can be read more than once."""
    with ExitStack() as stack:
        yield {
            _STDIN if name == "-" else name: stack.enter_context(_readable_again(name)) for name in dict.fromkeys(names)
        }


@contextmanager
def _readable_again(name: str) -> Iterator[BinaryIO]:
    """The file; or a copy of standard input or a pipe, which can be read only once."""
    with ExitStack() as stack:
        content = sys.stdin.buffer if name == "-" else stack.enter_context(Path(name).open("rb"))
        if name == "-" or not stat.S_ISREG(Path(name).stat().st_mode):
            copy = stack.enter_context(tempfile.TemporaryFile())
            shutil.copyfileobj(content, copy)
            content = copy
        yield content


def _check(jobs: Iterable[WrittenJob], bucket: str | None) -> int:
    """How many jobs there are. Raises Problem at the first one that can't be sent."""
    # Imported here: the help does not need boto3.
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


def _send(
    jobs: Iterable[WrittenJob],
    total: int,
    environment: Environment,
    attach: Callable[[AIJobMessage], AIJobMessage] | None,
    *,
    as_json: bool,
    quiet: bool,
) -> list[str]:
    """Send all jobs, print what was sent, and return their ids.

    Args:
        attach: adds files to a job.
        quiet: print nothing if all were sent.

    Raises:
        AWSError: the first failure, after the command has said what was sent and what was not.
    """
    from ai_jobs.aws.submission import send_ai_job_request

    queue_url, bucket = environment.need("request_queue_url"), environment.get("bucket_name")
    # Only as many as were checked: a file may have grown since.
    checked = itertools.islice(jobs, total)
    send = partial(send_ai_job_request, queue_url=queue_url, bucket=bucket)
    sending = _Sending(checked, (lambda message: send(attach(message))) if attach else send)
    try:
        with progress() as bar:
            task = bar.add_task("submitting", total=total)
            for _ in sending.run():
                bar.advance(task)
    finally:
        failed = sending.finish()
        if not quiet or len(sending.sent) < total:
            _print_sent(sending.sent, as_json=as_json)
        _say_what_is_missing(sending, failed, total)
    return [job_id for job_id, _, _ in sending.sent]


def _say_what_is_missing(sending: _Sending, failed: list[str], total: int) -> None:
    missing = total - len(sending.sent)
    if not missing:
        return
    from ai_jobs.contract.errors import plural

    rest = f"all after {sending.last_place}" if sending.last_place else "all of them"
    was = "was" if missing == 1 else "were"
    say(f"{missing} of {plural(total, 'job')} {was} not sent: {named(failed + [rest] * (missing > len(failed)))}")
    if sending.sent and not sending.all_have_own_ids:
        say("Submit only these again: a job without a jobId of its own runs once more each time it is sent.")


def _print_sent(sent: Sequence[tuple[str, str, str]], *, as_json: bool) -> None:
    if as_json:
        print_json([dict(zip(("jobId", "jobType", "userId"), row, strict=True)) for row in sent])
    elif sent:
        print_table(("JOB", "TYPE", "USER"), sent)


@dataclass
class _Begun:
    """A job that is being sent."""

    job: WrittenJob
    was_sent: bool = False
    future: Future[None] = field(init=False)

    def send(self, send: Callable[[AIJobMessage], str]) -> None:
        """Send it, in a thread of the pool."""
        send(self.job.message)
        self.was_sent = True


class _Sending:
    """Sends jobs, some at a time, and records which ones were sent, in the order of the files.

    Attributes:
        sent: id, type, and user of each. (Not the job: there may be more of them than fit into memory.)
        all_have_own_ids: whether each of these has its own jobId.
        last_place: where the last job is in the files whose sending has begun; None if none has.
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
        """Send all jobs; yields after each. Raises what the first failure raises."""
        for job in self._jobs:
            begun = _Begun(job)
            # In this order: a Ctrl-C in between must not make anyone submit a job again that was sent.
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
        """Finish what has begun, and begin nothing more; after a failure or Ctrl-C too.

        Returns:
            Where the jobs are in the files whose sending has begun, but failed.
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
