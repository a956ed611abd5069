"""Sending dead-lettered messages back to their queue, or deleting them, as far as that can't lose a job."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from enum import StrEnum

from ai_jobs.aws.queues import send_message, size_of, with_more_attributes
from ai_jobs.contract.errors import AIJobsError, AWSError
from ai_jobs.contract.request import OF_DELAYED_COPIES
from ai_jobs.contract.row import JobRow, JobStatus, has_ended, is_erased
from ai_jobs.contract.rules import MAX_MESSAGE_BYTES
from ai_jobs.operate.dead_lettered_message import DeadLetteredMessage, Side
from ai_jobs.operate.selection import Selection
from ai_jobs.operate.sweep import Sweep
from ai_jobs.service.dead_letters import ERROR_CODE, ERROR_MESSAGE, FAILED_AT, was_moved_by_sqs
from ai_jobs.service.job_store import JobStore

_THREADS = 10

# What a function adds to a dead-lettered message, and what belongs to a delayed copy: a redrive starts the job over.
_NOT_OF_THE_MESSAGE = {ERROR_CODE, ERROR_MESSAGE, "Attempts", FAILED_AT, *OF_DELAYED_COPIES}

_NOT_YET = "the reconciler writes its failure within minutes; try again then (ai-jobs doctor shows whether it runs)"


class Outcome(StrEnum):
    """What became of a message."""

    SENT = "sent"
    PURGED = "purged"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True)
class Treated:
    """A message's job, and what became of the message.

    Attributes:
        reason: why it was skipped, or what failed; the message is still in the DLQ then.
    """

    job_id: str
    outcome: Outcome
    reason: str | None = None


def retry(
    sweep: Sweep,
    selection: Selection,
    report: Callable[[Treated], None],
    *,
    store: JobStore,
    rate: float = 0,
    dry_run: bool = False,
) -> None:
    """Redrive messages: same body, group, and attributes, and the job's id; attempts and deadline start over.

    It sends each copy before it deletes the message: if it is killed, there is an extra message, never one too few. (A
    copy of a finished job is dropped.) It only reads rows: a worker reopens a failed job when it receives a message
    that was sent after the failure. It skips, and so leaves in the DLQ, messages that it would be pointless to send:
    those that are not jobs, those of jobs that have ended otherwise or whose failure is not written yet, and those that
    come back during the run.

    Args:
        report: is told about each selected message.
        store: the jobs' rows. Without them, no one can tell whether a message is the last trace of an open job. If it
            were sent, a worker would take it for a duplicate once the failure is written; if it were deleted, the job
            would never end.
        rate: messages per second at most; 0 for no limit.
        dry_run: only report what would become of each message.

    Raises:
        ValueError: if the queue's URL is not known.
        AWSError: if the DLQ can't be read. Whatever was done until then has been reported.
    """
    if sweep.pair.queue_url is None:
        raise ValueError("the queue to send to is not known")
    run = _Redrive(sweep, sweep.pair.queue_url, store, report, dry_run)
    pace = 0 if dry_run else rate
    _treat_all(sweep, lambda message: selection.matches(message) and run.is_first(message), run.send, report, pace)


class _Redrive:
    """One run of `retry`, which knows what it has sent already."""

    def __init__(
        self, sweep: Sweep, queue_url: str, store: JobStore, report: Callable[[Treated], None], dry_run: bool
    ) -> None:
        self._sweep = sweep
        self._queue_url = queue_url
        self._store = store
        self._report = report
        self._dry_run = dry_run
        self._sent: set[tuple[str, int]] = set()

    def is_first(self, message: DeadLetteredMessage) -> bool:
        """Is this the first time in this run? If not, that is reported: it must not go around in circles."""
        # A job comes back immediately if the cause of its failure is still there.
        key = (message.job_id, hash(message.received.body))
        again = key in self._sent
        self._sent.add(key)
        if again:
            reason = "this run has sent it already: it failed again, or the DLQ had it twice"
            self._report(Treated(message.job_id, Outcome.SKIPPED, reason))
        return not again

    def send(self, message: DeadLetteredMessage) -> Treated:
        """Send the message back unless something speaks against it."""
        obstacle = _obstacle(message, self._store, self._sweep.pair.side)
        if obstacle:
            return Treated(message.job_id, Outcome.SKIPPED, obstacle)
        if not self._dry_run:
            _send_copy(message, self._queue_url)
            try:
                self._sweep.delete(message)
            except AWSError as error:
                return Treated(message.job_id, Outcome.FAILED, f"it was sent, but it is still in the DLQ too: {error}")
        return Treated(message.job_id, Outcome.SENT)


def purge(
    sweep: Sweep,
    selection: Selection,
    report: Callable[[Treated], None],
    *,
    store: JobStore,
    dry_run: bool = False,
) -> None:
    """Delete messages for good; their jobs stay as they are. Arguments and errors are those of `retry`.

    It skips messages in the request DLQ that the reconciler has not handled yet: their jobs would never end.
    """

    def delete(message: DeadLetteredMessage) -> Treated:
        obstacle = _obstacle_to_purge(message, store) if sweep.pair.side == "request" else None
        if obstacle:
            return Treated(message.job_id, Outcome.SKIPPED, obstacle)
        if not dry_run:
            sweep.delete(message)
        return Treated(message.job_id, Outcome.PURGED)

    _treat_all(sweep, selection.matches, delete, report, rate=0)


def _treat_all(
    sweep: Sweep,
    is_meant: Callable[[DeadLetteredMessage], bool],
    treat: Callable[[DeadLetteredMessage], Treated],
    report: Callable[[Treated], None],
    rate: float,
) -> None:
    with sweep, ThreadPoolExecutor(_THREADS) as pool:
        for messages in sweep:
            started = time.monotonic()
            meant = [message for message in messages if is_meant(message)]
            futures = [pool.submit(treat, message) for message in meant]
            try:
                wait(futures)
            finally:
                # After Ctrl-C too: whatever has begun is finished, and counts.
                for message, future in zip(meant, futures, strict=False):
                    report(_outcome_of(message, future))
            if rate:
                time.sleep(max(0.0, len(meant) / rate - (time.monotonic() - started)))


def _outcome_of(message: DeadLetteredMessage, future: Future[Treated]) -> Treated:
    try:
        return future.result()
    except (AIJobsError, ValueError) as error:
        return Treated(message.job_id, Outcome.FAILED, str(error))


def _obstacle(message: DeadLetteredMessage, store: JobStore, side: Side) -> str | None:
    """Why it would be pointless to send this message."""
    if message.unusable:
        return f"it is not a {'job' if side == 'request' else 'result'}: {message.unusable}"
    row = store.find(message.job_id)
    if side == "response":
        return _obstacle_of_result(row)
    return _obstacle_of_job(row, message) if row else None


def _obstacle_of_job(row: JobRow, message: DeadLetteredMessage) -> str | None:
    if is_erased(row):
        return "its job was erased"
    if row["status"] in (JobStatus.COMPLETED, JobStatus.CANCELLED):
        return f"its job is {row['status']}"
    if row.get("payloadHash") != message.payload_hash:
        return "another job has its jobId"
    if row["status"] != JobStatus.FAILED:
        # A worker would take it for a duplicate if the failure were written after it was sent (lifecycle.REOPEN).
        return f"its job is still {row['status']}: {_NOT_YET}"
    return None


def _obstacle_of_result(row: JobRow | None) -> str | None:
    if row is None:
        return "its job has no row, or no longer has one"
    if is_erased(row):
        return "its job was erased"
    stalled = row.get("error", {}).get("code") == "JOB_STALLED"
    return f"its job is {row['status']}" if has_ended(row) and not stalled else None


def _obstacle_to_purge(message: DeadLetteredMessage, store: JobStore) -> str | None:
    """Why no one would hear about the job's end if this message were deleted."""
    if message.unusable:
        return None
    row = store.find(message.job_id)
    if row is None:
        return f"its job has no row yet: {_NOT_YET}" if was_moved_by_sqs(message.received) else None
    of_this_job = row.get("payloadHash") == message.payload_hash
    return f"its job is still {row['status']}: {_NOT_YET}" if of_this_job and not has_ended(row) else None


def _send_copy(message: DeadLetteredMessage, queue_url: str) -> None:
    received = message.received
    own = {name: text for name, text in received.attributes.items() if name not in _NOT_OF_THE_MESSAGE}
    identity = {"JobId": message.job_id}
    choices: Sequence[dict[str, str]] = (with_more_attributes(own, identity), identity)
    if message.names_its_job:
        choices = (*choices, {})
    fitting = (choice for choice in choices if size_of(received.body, choice) <= MAX_MESSAGE_BYTES)
    # If none fits, the job's id is only in an attribute, and there is no room for it: SQS's limit is what is reported.
    group_id = received.group_id or message.user_id
    send_message(queue_url, received.body, next(fitting, identity), group_id, trace_header=received.trace_header)
