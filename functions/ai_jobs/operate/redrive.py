"""Dead letters for an operator: look at them, send some of them back to their queue, or delete them.

SQS can't filter, and shows a message only to the reader that receives it. So a `Sweep` receives every letter once,
which hides it from everybody else, and shows again at its end what is still there. Letters are hidden for a minute at a
time: a run that is killed leaves nothing out of sight for longer.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import TracebackType
from typing import Any, Literal

from ai_jobs.aws.queues import (
    ReceivedMessage,
    change_visibility_of_all,
    delete_message,
    get_queue_message_count,
    receive_messages,
    send_message,
    size_of,
    with_more_attributes,
)
from ai_jobs.contract.errors import AIJobsError, AWSError, JobError
from ai_jobs.contract.request import OF_DELAYED_COPIES, ReceivedJob, known_job_id
from ai_jobs.contract.result import AIJobResultMessage
from ai_jobs.contract.row import JobRow, JobStatus, is_erased
from ai_jobs.contract.rules import MAX_MESSAGE_BYTES
from ai_jobs.service.dead_letters import ERROR_CODE, ERROR_MESSAGE, FAILED_AT, failed_at, was_moved_by_sqs
from ai_jobs.service.job_store import JobStore

HIDDEN_SECONDS = 60
"""How long a letter is out of sight at a time."""

MAX_LIMIT = 20_000
"""Letters that one sweep can keep hidden: ten a call, in a few seconds."""

# Far enough below HIDDEN_SECONDS for a round with its pause (10 s at most) and the renewal itself.
_RENEW_SECONDS = 20

# The reconciler hides the letters that it looks at, for a few seconds: so long a sweep looks for those it misses.
_PATIENCE_SECONDS = 20

_POLL_SECONDS = 1
_ROUND = 10
_THREADS = 10

# What a dead letter carries beside the message's own, and what belongs to a delayed copy: a redrive starts over.
_NOT_OF_THE_MESSAGE = {ERROR_CODE, ERROR_MESSAGE, "Attempts", FAILED_AT, *OF_DELAYED_COPIES}

_NO_JOB_CODES = {"NOT_A_JOB", "NOT_A_RESULT"}

_NOT_YET = "the reconciler writes its failure within minutes, do it then (does it run? ai-jobs doctor)"


@dataclass(frozen=True)
class QueuePair:
    """A queue and the dead-letter queue behind it.

    Attributes:
        side: which of the two queues: it says what the letters hold, jobs or results.
        queue_url: where a retry sends them; nothing else needs it.
    """

    side: Literal["request", "response"]
    queue_url: str | None
    dlq_url: str


@dataclass(frozen=True)
class Letter:
    """A dead letter, and what is known of it.

    Attributes:
        job_id: the job's id; SQS's message id when the message names none.
        error_code, error_message, attempts: why it is here. None when SQS moved it, which gives no reason.
        failed_at: when it was given up; when it was sent, where nothing says more.
        payload_hash: of a job, to tell it from another with the same id.
        unusable: why no worker could do anything with it; None when one could.
    """

    message: ReceivedMessage
    job_id: str
    user_id: str | None
    job_type: str | None
    error_code: str | None
    error_message: str | None
    attempts: int | None
    failed_at: datetime
    payload_hash: str | None = None
    unusable: str | None = None

    @classmethod
    def read(cls, message: ReceivedMessage, side: Literal["request", "response"]) -> Letter:
        """Find out what a message of a DLQ is; one that is no job gives what it has."""
        job_id = known_job_id(message.body, message.attributes) or message.message_id
        payload_hash = unusable = None
        try:
            if side == "request":
                job = ReceivedJob.parse(message.body, message.attributes, message.message_id, message.sent_at)
                job_id, payload_hash = job.job_id, job.payload_hash
            else:
                AIJobResultMessage.from_body(message.body)
        except JobError as error:
            # Any other code is of a message that the right release of the functions could work on.
            unusable = error.message if error.code in _NO_JOB_CODES else None
        document = _document(message.body)
        moved = was_moved_by_sqs(message)
        reason = {} if moved else message.attributes
        return cls(
            message=message,
            job_id=job_id,
            user_id=_text(document, "userId") or message.attributes.get("UserId"),
            job_type=_text(document, "jobType") or message.attributes.get("JobType"),
            error_code=reason.get(ERROR_CODE),
            error_message=reason.get(ERROR_MESSAGE),
            attempts=_whole_number(reason.get("Attempts", "")),
            failed_at=message.sent_at if moved else failed_at(message),
            payload_hash=payload_hash,
            unusable=unusable,
        )


def _document(body: str) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _text(document: dict[str, Any], name: str) -> str | None:
    value = document.get(name)
    return value if isinstance(value, str) else None


def _whole_number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() else None


@dataclass(frozen=True)
class Selection:
    """Which letters are meant; what is left out does not count. All of what is given must hold.

    Attributes:
        job_ids, error_codes: one of them.
        failed_before, failed_after: of `Letter.failed_at`.
    """

    job_ids: Collection[str] = ()
    user_id: str | None = None
    job_type: str | None = None
    error_codes: Collection[str] = ()
    failed_before: datetime | None = None
    failed_after: datetime | None = None

    def matches(self, letter: Letter) -> bool:
        """Is this letter meant?"""
        return (
            (not self.job_ids or letter.job_id in self.job_ids)
            and (self.user_id is None or letter.user_id == self.user_id)
            and (self.job_type is None or letter.job_type == self.job_type)
            and (not self.error_codes or letter.error_code in self.error_codes)
            and (self.failed_before is None or letter.failed_at < self.failed_before)
            and (self.failed_after is None or letter.failed_at > self.failed_after)
        )


class Sweep:
    """One look at the letters of a DLQ, in rounds of ten, each letter once.

    Use it in a `with` statement: leaving it shows the letters again that are still there.

    Args:
        limit: how many letters to look at. So many receipt handles are kept in memory and hidden anew every 20 s, which
            is why MAX_LIMIT is the most.
        clock: gives seconds that only go forward.

    Attributes:
        looked_at: letters seen so far.
        not_seen: about how many more the queue holds, known once the sweep has ended: beyond the limit, or in the
            hands of another reader all the time.
    """

    def __init__(self, pair: QueuePair, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.pair = pair
        self.limit = limit
        self.looked_at = 0
        self.not_seen = 0
        self._clock = clock
        self._hidden: dict[str, str] = {}
        self._gone: set[str] = set()
        self._renewed_at = self._found_at = clock()

    def __enter__(self) -> Sweep:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._hide(0)

    def __iter__(self) -> Iterator[list[Letter]]:
        """The letters, round by round. Raises AWSError when SQS can't be reached or refuses."""
        while self.looked_at < self.limit:
            self._renew_if_due()
            letters = self._receive(min(_ROUND, self.limit - self.looked_at))
            if letters:
                self._found_at = self._clock()
                self.looked_at += len(letters)
                yield letters
            elif self._is_over():
                return
        self._count_the_others()

    def delete(self, letter: Letter) -> None:
        """Delete a letter of this sweep for good. Raises AWSError when SQS can't be reached or refuses."""
        delete_message(self.pair.dlq_url, letter.message.receipt_handle)
        self._gone.add(letter.message.message_id)
        self._hidden.pop(letter.message.message_id, None)

    def _receive(self, at_most: int) -> list[Letter]:
        messages = receive_messages(
            self.pair.dlq_url,
            max_messages=at_most,
            wait_seconds=_POLL_SECONDS,
            visibility_timeout_seconds=HIDDEN_SECONDS,
        )
        fresh = []
        for message in messages:
            if message.message_id in self._gone:
                # SQS shows a deleted message again once in a while.
                delete_message(self.pair.dlq_url, message.receipt_handle)
                continue
            if message.message_id not in self._hidden:
                fresh.append(Letter.read(message, self.pair.side))
            self._hidden[message.message_id] = message.receipt_handle
        return fresh

    def _is_over(self) -> bool:
        """After a round without a new letter: does nobody else hold any, or was that waited for long enough?"""
        self._count_the_others()
        return self.not_seen == 0 or self._clock() - self._found_at > _PATIENCE_SECONDS

    def _count_the_others(self) -> None:
        self.not_seen = max(0, get_queue_message_count(self.pair.dlq_url).total - len(self._hidden))

    def _renew_if_due(self) -> None:
        if self._clock() - self._renewed_at > _RENEW_SECONDS:
            self._hide(HIDDEN_SECONDS)
            self._renewed_at = self._clock()

    def _hide(self, seconds: int) -> None:
        handles = list(self._hidden.values())
        rounds = [handles[start : start + _ROUND] for start in range(0, len(handles), _ROUND)]
        with ThreadPoolExecutor(_THREADS) as pool:
            for future in [pool.submit(change_visibility_of_all, self.pair.dlq_url, part, seconds) for part in rounds]:
                # Not fatal: what can't be hidden or shown now shows by itself after HIDDEN_SECONDS.
                with suppress(AWSError):
                    future.result()


class Outcome(StrEnum):
    """What became of a letter."""

    SENT = "sent"
    PURGED = "purged"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True)
class Treated:
    """A letter, and what became of it.

    Attributes:
        reason: why it was skipped, or what failed: then the letter is still there.
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
    """Send letters back to their queue: same body, group and attributes, the job's id, and a life that starts over.

    Each copy is sent before its letter is deleted: a run that is killed leaves a letter too many, never one too few.
    (A copy of a finished job is dropped.) The rows are only read: a worker reopens a failed job when it finds a message
    that was sent after the failure. Skipped, and so left where they are, are letters that would come to nothing: no
    jobs, jobs that have ended otherwise or whose failure is not written yet, and any that comes back while this runs.

    Args:
        report: is told of each letter that was meant.
        store: the jobs' rows. Without them nobody can tell whether a letter is the last trace of an open job: sent, it
            would be taken for a duplicate once the job's failure is written; deleted, its job would never end.
        rate: letters per second, at most; 0 for as many as there can be.
        dry_run: only report what would become of each.

    Raises:
        ValueError: when the queue's URL is not known.
        AWSError: when the DLQ can't be read (any more). What was done is reported by then.
    """
    if sweep.pair.queue_url is None:
        raise ValueError("the queue to send to is not known")
    queue_url = sweep.pair.queue_url
    sent: set[tuple[str, int]] = set()

    def treat(letter: Letter) -> Treated:
        obstacle = _obstacle(letter, store, sweep.pair.side)
        if obstacle:
            return Treated(letter.job_id, Outcome.SKIPPED, obstacle)
        if not dry_run:
            _send_copy(letter, queue_url)
            try:
                sweep.delete(letter)
            except AWSError as error:
                return Treated(letter.job_id, Outcome.FAILED, f"it was sent, but its letter is still there: {error}")
        return Treated(letter.job_id, Outcome.SENT)

    def first_time(letter: Letter) -> bool:
        # A job whose cause of failure is still there comes back at once: it must not go round and round.
        key = (letter.job_id, hash(letter.message.body))
        again = key in sent
        sent.add(key)
        if again:
            report(
                Treated(
                    letter.job_id,
                    Outcome.SKIPPED,
                    "it was sent in this run already: it has failed again, or had two letters",
                )
            )
        return not again

    pace = 0 if dry_run else rate
    _treat_all(sweep, lambda letter: selection.matches(letter) and first_time(letter), treat, report, pace)


def purge(
    sweep: Sweep,
    selection: Selection,
    report: Callable[[Treated], None],
    *,
    store: JobStore,
    dry_run: bool = False,
) -> None:
    """Delete letters for good; their jobs stay as they are. Arguments and errors are those of `retry`.

    Skipped are letters of the request DLQ that the reconciler has not dealt with: their jobs would never end.
    """

    def treat(letter: Letter) -> Treated:
        obstacle = _obstacle_to_purge(letter, store) if sweep.pair.side == "request" else None
        if obstacle:
            return Treated(letter.job_id, Outcome.SKIPPED, obstacle)
        if not dry_run:
            sweep.delete(letter)
        return Treated(letter.job_id, Outcome.PURGED)

    _treat_all(sweep, selection.matches, treat, report, rate=0)


def _treat_all(
    sweep: Sweep,
    is_meant: Callable[[Letter], bool],
    treat: Callable[[Letter], Treated],
    report: Callable[[Treated], None],
    rate: float,
) -> None:
    with sweep, ThreadPoolExecutor(_THREADS) as pool:
        for letters in sweep:
            started = time.monotonic()
            meant = [letter for letter in letters if is_meant(letter)]
            futures = [pool.submit(treat, letter) for letter in meant]
            try:
                wait(futures)
            finally:
                # After Ctrl-C too: what is in the air is finished, and counts.
                for letter, future in zip(meant, futures, strict=False):
                    report(_result(letter, future))
            if rate:
                time.sleep(max(0.0, len(meant) / rate - (time.monotonic() - started)))


def _result(letter: Letter, future: Future[Treated]) -> Treated:
    try:
        return future.result()
    except (AIJobsError, ValueError) as error:
        return Treated(letter.job_id, Outcome.FAILED, str(error))


def _obstacle(letter: Letter, store: JobStore, side: Literal["request", "response"]) -> str | None:
    """Why sending this letter would come to nothing."""
    if letter.unusable:
        return f"it is no job: {letter.unusable}" if side == "request" else f"it is no result: {letter.unusable}"
    row = store.find(letter.job_id)
    if side == "response":
        return _obstacle_of_result(row)
    return _obstacle_of_job(row, letter) if row else None


def _obstacle_of_job(row: JobRow, letter: Letter) -> str | None:
    if is_erased(row):
        return "its job was erased"
    if row["status"] in (JobStatus.COMPLETED, JobStatus.CANCELLED):
        return f"its job is {row['status']}"
    if row.get("payloadHash") != letter.payload_hash:
        return "another job has its jobId"
    if row["status"] != JobStatus.FAILED:
        # Sent now, it would be taken for a duplicate if its failure were written after that (store._reopens).
        return f"its job is still {row['status']}: {_NOT_YET}"
    return None


def _obstacle_to_purge(letter: Letter, store: JobStore) -> str | None:
    """Why nobody would hear of the job's end, if this were deleted."""
    if letter.unusable:
        return None
    row = store.find(letter.job_id)
    if row is None:
        return f"its job has no row yet: {_NOT_YET}" if was_moved_by_sqs(letter.message) else None
    is_open = row["status"] in (JobStatus.QUEUED, JobStatus.PROCESSING)
    of_this_job = row.get("payloadHash") == letter.payload_hash
    return f"its job is still {row['status']}: {_NOT_YET}" if is_open and of_this_job else None


def _obstacle_of_result(row: JobRow | None) -> str | None:
    if row is None:
        return "its job has no row (any more)"
    if is_erased(row):
        return "its job was erased"
    stalled = row.get("error", {}).get("code") == "JOB_STALLED"
    if row["status"] in (JobStatus.COMPLETED, JobStatus.CANCELLED, JobStatus.FAILED) and not stalled:
        return f"its job is {row['status']}"
    return None


def _send_copy(letter: Letter, queue_url: str) -> None:
    message = letter.message
    own = {name: text for name, text in message.attributes.items() if name not in _NOT_OF_THE_MESSAGE}
    identity = {"JobId": letter.job_id}
    choices: Sequence[dict[str, str]] = (with_more_attributes(own, identity), identity)
    if _text(_document(message.body), "jobId"):
        choices = (*choices, {})
    fitting = (choice for choice in choices if size_of(message.body, choice) <= MAX_MESSAGE_BYTES)
    # None fits: a job that has its id only in an attribute, and no room for that. SQS's limit is then what is reported.
    group_id = message.group_id or letter.user_id
    send_message(queue_url, message.body, next(fitting, identity), group_id, trace_header=message.trace_header)
