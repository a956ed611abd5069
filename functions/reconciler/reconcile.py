"""One run of the reconciler (docs/reliability.md): it closes what nobody works on any more, and starts no job.

Everything it does is a conditional write, or a copy followed by a delete. So two runs at once, or one that is killed,
do no harm: at worst a dead letter is there twice.

A run is bounded by time, not by numbers, and each of its parts has a share of that time. SQS can't filter: to find the
one new message in a dead-letter queue, every old one has to be received too. What keeps that cheap is that of most old
ones the message alone says that nothing is left to do, so that no row is read.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from functools import partial

from aws_lambda_powertools import Logger

from ai_jobs.aws.queues import ReceivedMessage, change_visibility_of_all, delete_message, receive_messages
from ai_jobs.contract import timestamps
from ai_jobs.contract.errors import CODES, AIJobsError, AWSError, ErrorClass, JobError
from ai_jobs.contract.request import ReceivedJob, known_job_id
from ai_jobs.contract.result import AIJobResultMessage
from ai_jobs.contract.row import JobRow, JobStatus, is_erased
from ai_jobs.service import metrics
from ai_jobs.service.dead_letters import failed_at, has_room_for_reason, reason_of, send_to_dlq, was_moved_by_sqs
from ai_jobs.service.job_store import OPEN_SHARDS, JobStore
from ai_jobs.service.outcomes import Applied
from ai_jobs.service.safe_logging import describe
from ai_jobs.service.settings import ReconcilerSettings

logger = Logger()

MARGIN_SECONDS = 15
"""What a run keeps back for its last messages; a long poll and a few calls take about half of it."""

MAX_HELD = 100_000
"""Dead letters of one queue that a run keeps hidden at a time. SQS allows 120,000 (received and not yet deleted), and
an operator's command holds up to 20,000 of them (ai_jobs.operate.redrive.MAX_LIMIT). SQS gives out messages in no
particular order, so that of a longer queue each run looks at others."""

SETTLED_AFTER = timedelta(hours=2)
"""How old a dead letter is that needs no look at its row any more, if it has its reason: by then the lease of the
worker that wrote it is over (15 minutes at most), and a run has looked since (they are an hour apart at most)."""

SECOND_LOOKS = 1 / 24
"""The share of those that each run looks at all the same. The runs after the lease may have failed, and the job's user
may have been erased since. With a run every five minutes, each letter's turn comes every two hours on average."""

# What each part may use up of the run's time, together with those before it.
_REQUESTS_UNTIL, _RESULTS_UNTIL, _OVERDUE_UNTIL = 0.6, 0.75, 1.0

_ROUND = 100  # as many rows as one BatchGetItem takes
_LANES = 16

_LAST_CALL_SECONDS = 5  # for the function to end in

_MEASURED_PER_SHARD = 25

_POLL_SECONDS = 1

_CRASHED = (
    "it was received as often as it may be and not finished: its worker was killed, ran out of memory or time, "
    "or could not send what it had; the processor's log says more"
)
_STALLED = "nothing was heard of it until long after its deadline, and nobody works on it"
_NEVER_ENQUEUED = "its message never arrived in the queue, or waited there until long after the job's deadline"
_CONFLICT = "another job has this jobId: choose a new one"
_UNKNOWN = "there is no row for this job: it expired or was never claimed"


@dataclass
class Summary:
    """What one run did.

    Attributes:
        closed: jobs that it set to `failed`, because of a dead letter or their deadline.
        results_applied: results of the response DLQ that it wrote to their rows.
        restamped: dead letters that SQS had put there, and that carry their reason now.
        dropped: dead letters of jobs that ended otherwise.
        failures: dead letters and jobs that it could not deal with; the next run tries again.
    """

    closed: int = 0
    results_applied: int = 0
    restamped: int = 0
    dropped: int = 0
    failures: int = 0

    def __add__(self, other: Summary) -> Summary:
        sums = {field.name: getattr(self, field.name) + getattr(other, field.name) for field in fields(self)}
        return Summary(**sums)


@dataclass(frozen=True)
class _Looked:
    """What became of a dead letter: is it gone, and what was done."""

    gone: bool
    done: Summary


_LEFT = _Looked(gone=False, done=Summary())

_Look = Callable[[ReceivedMessage, JobRow | None], _Looked]


class _Held:
    """Receipt handles of the messages that the lanes of a sweep keep hidden."""

    def __init__(self) -> None:
        self._handles: set[str] = set()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._handles)

    def add(self, messages: Iterable[ReceivedMessage]) -> None:
        with self._lock:
            self._handles |= {message.receipt_handle for message in messages}

    def drop(self, message: ReceivedMessage) -> None:
        with self._lock:
            self._handles.discard(message.receipt_handle)

    def in_tens(self) -> list[list[str]]:
        """All of them, as many at a time as one call takes."""
        handles = list(self._handles)
        return [handles[start : start + 10] for start in range(0, len(handles), 10)]


class Reconciler:
    """One run.

    Args:
        ends_at: when Lambda will end this invocation.
        clock: gives the current time.
        chance: gives a number from 0 to 1.
    """

    def __init__(
        self,
        settings: ReconcilerSettings,
        store: JobStore,
        ends_at: datetime,
        clock: Callable[[], datetime] = timestamps.now,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._settings = settings
        self._store = store
        self._ends_at = ends_at
        self._clock = clock
        self._chance = chance
        self._started_at = clock()

    def run(self) -> Summary:
        """Look through the request DLQ, the response DLQ and the overdue jobs, within the time there is.

        Raises:
            AIJobsError: when a queue or the table failed as a whole, after the rest was done all the same.
        """
        parts = (self._sweep_requests, self._sweep_results, self._close_overdue, self._measure)
        summary = Summary()
        broken: AIJobsError | None = None
        for part in parts:
            try:
                summary += part()
            except AIJobsError as error:
                logger.error("a part of the run failed", extra={"part": part.__name__} | describe(error))
                broken = broken or error
        if broken:
            raise broken
        return summary

    def _sweep_requests(self) -> Summary:
        return self._sweep(self._settings.request_dlq_url, self._look_at_request, self._share(_REQUESTS_UNTIL))

    def _sweep_results(self) -> Summary:
        return self._sweep(self._settings.response_dlq_url, self._look_at_result, self._share(_RESULTS_UNTIL))

    def _seconds_left(self) -> float:
        return (self._ends_at - self._clock()).total_seconds() - MARGIN_SECONDS

    def _share(self, of_all: float) -> datetime:
        """When a part has to end."""
        return self._started_at + of_all * (self._ends_at - timedelta(seconds=MARGIN_SECONDS) - self._started_at)

    def _sweep(self, dlq_url: str, look: _Look, until: datetime) -> Summary:
        """Look at each message once. What stays is hidden meanwhile, and shown again at the end of the sweep."""
        held = _Held()
        try:
            summary, is_long = self._round(dlq_url, look, until, held)
            if is_long:
                with ThreadPoolExecutor(_LANES) as pool:
                    lanes = [pool.submit(self._lane, dlq_url, look, until, held) for _ in range(_LANES)]
                summary = sum((lane.result() for lane in lanes), summary)
        finally:
            self._show(dlq_url, held)
        return summary

    def _lane(self, dlq_url: str, look: _Look, until: datetime, held: _Held) -> Summary:
        summary, goes_on = Summary(), True
        while goes_on:
            done, goes_on = self._round(dlq_url, look, until, held)
            summary += done
        return summary

    def _round(self, dlq_url: str, look: _Look, until: datetime, held: _Held) -> tuple[Summary, bool]:
        """Look at up to a hundred messages; is there time for more, and may there be any?"""
        messages: list[ReceivedMessage] = []
        is_empty = False
        while not is_empty and len(messages) < _ROUND and len(held) < MAX_HELD and self._clock() < until:
            received = self._receive(dlq_url)
            is_empty = not received
            held.add(received)
            messages += received
        goes_on = not is_empty and len(held) < MAX_HELD and self._clock() < until
        fresh = [message for message in messages if not self._is_settled(message)]
        try:
            rows = self._store.find_all(_key(message) for message in fresh)
        except JobError as error:  # one slow answer must not keep the other letters waiting
            logger.error("rows not read", extra={"deadLetters": len(fresh)} | describe(error))
            return Summary(failures=len(fresh)), goes_on
        summary = Summary()
        for message in fresh:
            if self._seconds_left() <= 0:
                break
            looked = _guarded(look, message, rows.get(_key(message)))
            if looked.gone:
                held.drop(message)
            summary += looked.done
        return summary, goes_on

    def _receive(self, dlq_url: str) -> list[ReceivedMessage]:
        hidden_seconds = max(1, int(self._seconds_left() + MARGIN_SECONDS))
        return receive_messages(dlq_url, wait_seconds=_POLL_SECONDS, visibility_timeout_seconds=hidden_seconds)

    def _is_settled(self, message: ReceivedMessage) -> bool:
        """Does the message alone say that nothing is left to do for its job?"""
        if was_moved_by_sqs(message) or self._clock() - failed_at(message) <= SETTLED_AFTER:
            return False
        return self._chance() >= SECOND_LOOKS

    def _show(self, dlq_url: str, held: _Held) -> None:
        with ThreadPoolExecutor(_LANES) as pool:
            for shown in [pool.submit(self._show_some, dlq_url, handles) for handles in held.in_tens()]:
                shown.result()

    def _show_some(self, dlq_url: str, receipt_handles: list[str]) -> None:
        # Not fatal: what can't be shown any more, or not now, shows by itself when this run's function ends.
        if self._clock() < self._ends_at - timedelta(seconds=_LAST_CALL_SECONDS):
            try:
                change_visibility_of_all(dlq_url, receipt_handles, 0)
            except AWSError as error:
                logger.warning("dead letters stay hidden for now", extra=describe(error))

    def _look_at_request(self, message: ReceivedMessage, row: JobRow | None) -> _Looked:
        now = self._clock()
        try:
            job = ReceivedJob.parse(
                message.body, message.attributes, message.message_id, message.sent_at, message.trace_header
            )
        except JobError as error:
            return self._restamp(self._settings.request_dlq_url, message, _key(message), error, now)
        if row is None:
            return self._close_unseen(message, job)
        if is_erased(row):
            return self._drop(self._settings.request_dlq_url, message)
        if row.get("payloadHash") != job.payload_hash:
            return self._restamp_request(message, job, JobError("JOB_ID_CONFLICT", _CONFLICT, "jobId"), now)
        if row["status"] in (JobStatus.COMPLETED, JobStatus.CANCELLED):
            return self._drop(self._settings.request_dlq_url, message)
        if row["status"] == JobStatus.FAILED:
            ended_at = timestamps.from_text(row["completedAt"])
            return self._restamp_request(message, job, _error_of(row), ended_at, _calls(row))
        if not self._is_given_up(message, row):
            return _LEFT
        reason, ended_at = _reason(message), self._given_up_at(message)
        close = partial(self._store.close, row, reason, ended_at)
        return self._restamp_request(message, job, reason, ended_at, _calls(row), close)

    def _close_unseen(self, message: ReceivedMessage, job: ReceivedJob) -> _Looked:
        error, ended_at = _reason(message), self._given_up_at(message)
        if error.error_class is ErrorClass.NOT_A_JOB:  # the row that it was in conflict with is gone
            return _LEFT
        if job.created_at + timedelta(days=self._settings.retention_days) <= self._clock():
            return self._restamp_request(message, job, error, ended_at)  # its row has expired, and stays gone
        create = partial(self._store.create_failed, job, message.message_id, error, ended_at)
        return self._restamp_request(message, job, error, ended_at, close=create)

    def _given_up_at(self, message: ReceivedMessage) -> datetime:
        """What the job's row has to name as its end, so that a redrive that was sent since counts as one."""
        return self._clock() if was_moved_by_sqs(message) else failed_at(message)

    def _is_given_up(self, message: ReceivedMessage, row: JobRow) -> bool:
        """Is this dead letter the open job's last message? (A duplicate's may be there while the job is worked on.)"""
        if row["status"] == JobStatus.PROCESSING and timestamps.from_text(row["leaseExpiresAt"]) > self._clock():
            return False
        if was_moved_by_sqs(message):
            return bool(row.get("messageId", message.message_id) == message.message_id)
        return failed_at(message) >= timestamps.from_text(row["updatedAt"])

    def _restamp_request(
        self,
        message: ReceivedMessage,
        job: ReceivedJob,
        error: JobError,
        ended_at: datetime,
        calls: int = 0,
        close: Callable[[], bool] | None = None,
    ) -> _Looked:
        def close_and_report() -> bool:
            closed = close is not None and close()
            if closed:
                _report_closed(job.job_id, job.job_type, error)
            return closed

        dlq_url = self._settings.request_dlq_url
        return self._restamp(dlq_url, message, job.job_id, error, ended_at, job.user_id, calls, close=close_and_report)

    def _restamp(
        self,
        dlq_url: str,
        message: ReceivedMessage,
        job_id: str,
        error: JobError,
        ended_at: datetime,
        user_id: str | None = None,
        calls: int = 0,
        close: Callable[[], bool] | None = None,
    ) -> _Looked:
        """Let a copy that carries job and reason take the message's place, where SQS moved it; close the job.

        In this order: a run that is killed in between leaves a dead letter too many, never a failed job without one.

        Args:
            calls: how often work on the job began. (Of a message in a DLQ, SQS counts every look as a receive.)
        """
        gone = was_moved_by_sqs(message) and has_room_for_reason(message, job_id)
        if gone:
            send_to_dlq(dlq_url, message, job_id, error, ended_at, user_id, attempts=calls)
        closed = close is not None and close()
        if gone:
            delete_message(dlq_url, message.receipt_handle)
        return _Looked(gone, Summary(closed=int(closed), restamped=int(gone)))

    def _drop(self, dlq_url: str, message: ReceivedMessage) -> _Looked:
        delete_message(dlq_url, message.receipt_handle)
        return _Looked(gone=True, done=Summary(dropped=1))

    def _look_at_result(self, message: ReceivedMessage, row: JobRow | None) -> _Looked:
        """Try once more to write a result that SQS moved; one that has its reason waits for an operator."""
        dlq_url, now = self._settings.response_dlq_url, self._clock()
        calls = _calls(row) if row else 0
        if row is not None and is_erased(row):
            return self._drop(dlq_url, message)
        if not was_moved_by_sqs(message):
            return _LEFT
        try:
            result = AIJobResultMessage.from_body(message.body)
        except JobError as error:
            known = message.attributes.get("JobId", message.message_id)
            return self._restamp(dlq_url, message, known, error, now, calls=calls)
        try:
            outcome = self._store.apply_result(result)
        except JobError as error:
            if error.code != "NOT_A_RESULT":
                raise
            return self._restamp(dlq_url, message, result.job_id, error, now, result.user_id)
        if outcome.applied is Applied.UNKNOWN_JOB:
            unknown = JobError("JOB_UNKNOWN", _UNKNOWN, "jobId")
            return self._restamp(dlq_url, message, result.job_id, unknown, now, result.user_id)
        if outcome.row is None:
            return self._drop(dlq_url, message)
        metrics.count_result(outcome.row)
        delete_message(dlq_url, message.receipt_handle)
        return _Looked(gone=True, done=Summary(results_applied=1))

    def _close_overdue(self) -> Summary:
        until = self._share(_OVERDUE_UNTIL)
        # In another order each time: what one run has no time for must not be the same shards again and again.
        shards = random.sample(range(OPEN_SHARDS), OPEN_SHARDS)
        with ThreadPoolExecutor(_LANES) as pool:
            return sum(pool.map(partial(self._close_overdue_of, until=until), shards), Summary())

    def _close_overdue_of(self, shard: int, until: datetime) -> Summary:
        summary = Summary()
        for row in self._store.listing.open_jobs_past_due(shard):
            if self._clock() >= until:
                break
            summary += self._close_one(row)
        return summary

    def _close_one(self, row: JobRow) -> Summary:
        started = "startedAt" in row
        error = JobError("JOB_STALLED", _STALLED) if started else JobError("ENQUEUE_FAILED", _NEVER_ENQUEUED)
        try:
            closed = self._store.close_stalled(row["jobId"], error, started=started)
        except JobError as failure:
            logger.error("overdue job not dealt with", extra={"jobId": row["jobId"], "errorCode": failure.code})
            return Summary(failures=1)
        if closed:
            _report_closed(row["jobId"], row["jobType"], error)
        return Summary(closed=int(closed))

    def _measure(self) -> Summary:
        """Report the age of the oldest open job; the zeros keep the other series alive, which alarms compute with."""
        with ThreadPoolExecutor(_LANES) as pool:
            oldest = pool.map(
                lambda shard: self._store.listing.oldest_open_jobs(shard, _MEASURED_PER_SHARD), range(OPEN_SHARDS)
            )
            rows = [row for rows in oldest for row in rows]
        # A redriven job counts from its redrive; one that no worker has had yet is a matter of the queue's alarms.
        starts = (row["startedAt"] for row in rows if "startedAt" in row)
        since = min(map(timestamps.from_text, starts), default=None)
        age = max(0.0, (self._clock() - since).total_seconds()) if since else 0.0
        metrics.emit(
            {
                metrics.OLDEST_OPEN_JOB_AGE: age,
                metrics.JOBS_COMPLETED: 0,
                metrics.JOBS_FAILED: 0,
                metrics.JOBS_STALLED: 0,
            }
        )
        return Summary()


def _guarded(look: _Look, message: ReceivedMessage, row: JobRow | None) -> _Looked:
    try:
        return look(message, row)
    except Exception as error:  # noqa: BLE001  # the boundary: one bad message must not keep the others waiting
        logger.error("dead letter not dealt with", extra={"messageId": message.message_id} | describe(error))
        return _Looked(gone=False, done=Summary(failures=1))


def _report_closed(job_id: str, job_type: str, error: JobError) -> None:
    logger.warning("job closed", extra={"jobId": job_id, "errorCode": error.code, "errorClass": error.error_class})
    metrics.count_failure(error.error_class)
    metrics.emit({metrics.JOBS_FAILED: 1}, job_type, job_id)
    if error.code == "JOB_STALLED":
        metrics.count(metrics.JOBS_STALLED)


def _key(message: ReceivedMessage) -> str:
    """The job id that a row would have: SQS's message id where the message names none."""
    return known_job_id(message.body, message.attributes) or message.message_id


def _calls(row: JobRow) -> int:
    return int(row.get("calls", 0))


def _reason(message: ReceivedMessage) -> JobError:
    return JobError("WORKER_CRASHED", _CRASHED) if was_moved_by_sqs(message) else reason_of(message)


def _error_of(row: JobRow) -> JobError:
    error = row.get("error", {})
    code = error.get("code")
    return JobError(code if code in CODES else "WORKER_CRASHED", error.get("message", _CRASHED))
