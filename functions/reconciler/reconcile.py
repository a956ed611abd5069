"""One run of the reconciler (contract.md): it closes what nobody works on any more, and starts no job.

Everything it does is a conditional write, or a copy followed by a delete. So two runs at once, or one that is killed,
do no harm: at worst a dead letter is there twice.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from functools import partial

from aws_lambda_powertools import Logger

from ai_jobs import metrics, timestamps
from ai_jobs.configuration import ReconcilerSettings
from ai_jobs.dead_letters import failed_at, has_room_for_reason, reason_of, send_to_dlq, was_moved_by_sqs
from ai_jobs.errors import CODES, AIJobsError, ErrorClass, JobError
from ai_jobs.messages import AIJobResultMessage, ReceivedJob, known_job_id
from ai_jobs.queues import ReceivedMessage, change_visibility_of_all, delete_message, receive_messages
from ai_jobs.safe_logging import describe
from ai_jobs.store import OPEN_SHARDS, Applied, JobStatus, JobStore, Row, is_erased

logger = Logger()

MARGIN_SECONDS = 15
"""What a run keeps back for its last messages; a long poll and a few calls take about half of it."""

MAX_MESSAGES = 1000
"""Messages that one run looks at in each DLQ."""

MAX_JOBS_PER_SHARD = 100
"""Overdue jobs that one run closes in each of the ten shards."""

_MEASURED_PER_SHARD = 25

_POLL_SECONDS = 1
_THREADS = 10

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


class Reconciler:
    """One run.

    Args:
        ends_at: when Lambda will end this invocation.
        clock: gives the current time.
    """

    def __init__(
        self,
        settings: ReconcilerSettings,
        store: JobStore,
        ends_at: datetime,
        clock: Callable[[], datetime] = timestamps.now,
    ) -> None:
        self._settings = settings
        self._store = store
        self._ends_at = ends_at
        self._clock = clock

    def run(self) -> Summary:
        """Look through the request DLQ, the response DLQ and the overdue jobs, within the time there is.

        Raises:
            AIJobsError, JobError: when a queue or the table failed as a whole, after the rest was done all the same.
        """
        parts = (self._sweep_requests, self._sweep_results, self._close_overdue, self._measure)
        summary = Summary()
        broken: AIJobsError | JobError | None = None
        for part in parts:
            try:
                summary += part()
            except (AIJobsError, JobError) as error:
                logger.error("a part of the run failed", extra={"part": part.__name__} | describe(error))
                broken = broken or error
        if broken:
            raise broken
        return summary

    def _sweep_requests(self) -> Summary:
        return self._sweep(self._settings.request_dlq_url, self._look_at_request)

    def _sweep_results(self) -> Summary:
        return self._sweep(self._settings.response_dlq_url, self._look_at_result)

    def _seconds_left(self) -> float:
        return (self._ends_at - self._clock()).total_seconds() - MARGIN_SECONDS

    def _sweep(self, dlq_url: str, look: Callable[[ReceivedMessage], _Looked]) -> Summary:
        """Look at each message once. What stays is hidden meanwhile, and shown again at the end of the sweep."""
        summary, staying, seen = Summary(), [], 0
        hidden_seconds = max(1, int(self._seconds_left() + MARGIN_SECONDS))
        try:
            with ThreadPoolExecutor(_THREADS) as pool:
                while seen < MAX_MESSAGES and self._seconds_left() > 0:
                    messages = receive_messages(
                        dlq_url, wait_seconds=_POLL_SECONDS, visibility_timeout_seconds=hidden_seconds
                    )
                    if not messages:
                        break
                    seen += len(messages)
                    looked = list(pool.map(partial(_guarded, look), messages))
                    summary = sum((found.done for found in looked), summary)
                    pairs = zip(messages, looked, strict=True)
                    staying += [message.receipt_handle for message, found in pairs if not found.gone]
        finally:
            change_visibility_of_all(dlq_url, staying, 0)
        return summary

    def _look_at_request(self, message: ReceivedMessage) -> _Looked:
        try:
            job = ReceivedJob.parse(
                message.body, message.attributes, message.message_id, message.sent_at, message.trace_header
            )
        except JobError as error:
            known = known_job_id(message.body, message.attributes) or message.message_id
            return self._restamp(self._settings.request_dlq_url, message, known, error)
        row = self._store.find(job.job_id)
        if row is None:
            return self._close_unseen(message, job)
        if is_erased(row):
            return self._drop(self._settings.request_dlq_url, message)
        if row.get("payloadHash") != job.payload_hash:
            return self._restamp_request(message, job, JobError("JOB_ID_CONFLICT", _CONFLICT, "jobId"))
        if row["status"] in (JobStatus.COMPLETED, JobStatus.CANCELLED):
            return self._drop(self._settings.request_dlq_url, message)
        if row["status"] == JobStatus.FAILED:
            return self._restamp_request(message, job, _error_of(row))
        if not self._is_given_up(message, row):
            return _LEFT
        reason = _reason(message)
        return self._restamp_request(message, job, reason, close=partial(self._store.close, row, reason))

    def _close_unseen(self, message: ReceivedMessage, job: ReceivedJob) -> _Looked:
        error = _reason(message)
        if error.error_class is ErrorClass.NOT_A_JOB:  # the row that it was in conflict with is gone
            return _LEFT
        if job.created_at + timedelta(days=self._settings.retention_days) <= self._clock():
            return self._restamp_request(message, job, error)  # its row has expired, and stays gone
        create = partial(self._store.create_failed, job, message.message_id, error)
        return self._restamp_request(message, job, error, close=create)

    def _is_given_up(self, message: ReceivedMessage, row: Row) -> bool:
        """Is this dead letter the open job's last message? (A duplicate's may be there while the job is worked on.)"""
        if row["status"] == JobStatus.PROCESSING and timestamps.from_text(row["leaseExpiresAt"]) > self._clock():
            return False
        if was_moved_by_sqs(message):
            return bool(row.get("messageId", message.message_id) == message.message_id)
        return failed_at(message) >= timestamps.from_text(row["updatedAt"])

    def _restamp_request(
        self, message: ReceivedMessage, job: ReceivedJob, error: JobError, close: Callable[[], bool] | None = None
    ) -> _Looked:
        def close_and_report() -> bool:
            closed = close is not None and close()
            if closed:
                _report_closed(job.job_id, job.job_type, error)
            return closed

        dlq_url = self._settings.request_dlq_url
        return self._restamp(dlq_url, message, job.job_id, error, job.user_id, close_and_report)

    def _restamp(
        self,
        dlq_url: str,
        message: ReceivedMessage,
        job_id: str,
        error: JobError,
        user_id: str | None = None,
        close: Callable[[], bool] | None = None,
    ) -> _Looked:
        """Let a copy that carries job and reason take the message's place, where SQS moved it; close the job.

        In this order: a run that is killed in between leaves a dead letter too many, never a failed job without one.
        """
        gone = was_moved_by_sqs(message) and has_room_for_reason(message, job_id)
        if gone:
            send_to_dlq(dlq_url, message, job_id, error, self._clock(), user_id)
        closed = close is not None and close()
        if gone:
            delete_message(dlq_url, message.receipt_handle)
        return _Looked(gone, Summary(closed=int(closed), restamped=int(gone)))

    def _drop(self, dlq_url: str, message: ReceivedMessage) -> _Looked:
        delete_message(dlq_url, message.receipt_handle)
        return _Looked(gone=True, done=Summary(dropped=1))

    def _look_at_result(self, message: ReceivedMessage) -> _Looked:
        """Try once more to write a result that SQS moved; one that has its reason waits for an operator."""
        dlq_url = self._settings.response_dlq_url
        if self._is_of_erased_job(message):
            return self._drop(dlq_url, message)
        if not was_moved_by_sqs(message):
            return _LEFT
        try:
            result = AIJobResultMessage.from_body(message.body)
        except JobError as error:
            known = message.attributes.get("JobId", message.message_id)
            return self._restamp(dlq_url, message, known, error)
        try:
            outcome = self._store.apply_result(result)
        except JobError as error:
            if error.code != "NOT_A_RESULT":
                raise
            return self._restamp(dlq_url, message, result.job_id, error, result.user_id)
        if outcome.applied is Applied.UNKNOWN_JOB:
            unknown = JobError("JOB_UNKNOWN", _UNKNOWN, "jobId")
            return self._restamp(dlq_url, message, result.job_id, unknown, result.user_id)
        if outcome.row is None:
            return self._drop(dlq_url, message)
        metrics.count_result(outcome.row)
        delete_message(dlq_url, message.receipt_handle)
        return _Looked(gone=True, done=Summary(results_applied=1))

    def _is_of_erased_job(self, message: ReceivedMessage) -> bool:
        job_id = known_job_id(message.body, message.attributes)
        row = self._store.find(job_id) if job_id else None
        return row is not None and is_erased(row)

    def _close_overdue(self) -> Summary:
        summary = Summary()
        for shard in range(OPEN_SHARDS):
            for row in self._store.open_jobs_past_due(shard, MAX_JOBS_PER_SHARD):
                if self._seconds_left() <= 0:
                    return summary
                summary += self._close_one(row)
        return summary

    def _close_one(self, row: Row) -> Summary:
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
        rows = [row for shard in range(OPEN_SHARDS) for row in self._store.oldest_open_jobs(shard, _MEASURED_PER_SHARD)]
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


def _guarded(look: Callable[[ReceivedMessage], _Looked], message: ReceivedMessage) -> _Looked:
    try:
        return look(message)
    except Exception as error:  # noqa: BLE001  # the boundary: one bad message must not keep the others waiting
        logger.error("dead letter not dealt with", extra={"messageId": message.message_id} | describe(error))
        return _Looked(gone=False, done=Summary(failures=1))


def _report_closed(job_id: str, job_type: str, error: JobError) -> None:
    logger.warning("job closed", extra={"jobId": job_id, "errorCode": error.code, "errorClass": error.error_class})
    metrics.count_failure(error.error_class)
    metrics.emit({metrics.JOBS_FAILED: 1}, job_type, job_id)
    if error.code == "JOB_STALLED":
        metrics.count(metrics.JOBS_STALLED)


def _reason(message: ReceivedMessage) -> JobError:
    return JobError("WORKER_CRASHED", _CRASHED) if was_moved_by_sqs(message) else reason_of(message)


def _error_of(row: Row) -> JobError:
    error = row.get("error", {})
    code = error.get("code")
    return JobError(code if code in CODES else "WORKER_CRASHED", error.get("message", _CRASHED))
