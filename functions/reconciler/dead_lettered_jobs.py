"""Messages in the request DLQ: closes the jobs that no one works on anymore, and adds the reason to their messages."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from ai_jobs.aws.queues import ReceivedMessage
from ai_jobs.contract import timestamps
from ai_jobs.contract.errors import CODES, JOB_ID_TAKEN, ErrorClass, JobError
from ai_jobs.contract.request import ReceivedJob
from ai_jobs.contract.row import JobRow, JobStatus, is_erased
from ai_jobs.service.dead_letters import failed_at, reason_of, was_moved_by_sqs
from ai_jobs.service.job_store import JobStore
from reconciler.message_handling import LEFT, Handled, calls_of, drop, report_closed, restamp, row_key

_CRASHED = (
    "it was received the maximum number of times and not finished: its worker was killed, ran out of memory or time, "
    "or could not send the outcome; see the processor's log"
)


class DeadLetteredJobs:
    """Handles the messages of the request DLQ."""

    def __init__(self, dlq_url: str, store: JobStore, retention_days: int, clock: Callable[[], datetime]) -> None:
        self.dlq_url = dlq_url
        self._store = store
        self._retention = timedelta(days=retention_days)
        self._clock = clock

    def handle(self, message: ReceivedMessage, row: JobRow | None) -> Handled:
        """Close the message's job if this is its last message, and drop the message if the job ended otherwise."""
        now = self._clock()
        try:
            job = ReceivedJob.parse(
                message.body, message.attributes, message.message_id, message.sent_at, message.trace_header
            )
        except JobError as error:
            return restamp(self.dlq_url, message, row_key(message), error, now)
        if row is None:
            return self._close_unseen(message, job)
        if is_erased(row):
            return drop(self.dlq_url, message)
        if row.get("payloadHash") != job.payload_hash:
            return self._restamp(message, job, JobError("JOB_ID_CONFLICT", JOB_ID_TAKEN, "jobId"), now)
        if row["status"] in (JobStatus.COMPLETED, JobStatus.CANCELLED):
            return drop(self.dlq_url, message)
        if row["status"] == JobStatus.FAILED:
            ended_at = timestamps.from_text(row["completedAt"])
            return self._restamp(message, job, _error_of(row), ended_at, calls_of(row))
        return self._close(message, job, row) if self._is_given_up(message, row) else LEFT

    def _close(self, message: ReceivedMessage, job: ReceivedJob, row: JobRow) -> Handled:
        reason, ended_at = _reason(message), self._given_up_at(message)
        close = partial(self._store.close, row, reason, ended_at)
        return self._restamp(message, job, reason, ended_at, calls_of(row), close)

    def _close_unseen(self, message: ReceivedMessage, job: ReceivedJob) -> Handled:
        """Write the row of a job that has none."""
        error, ended_at = _reason(message), self._given_up_at(message)
        if error.error_class is ErrorClass.NOT_A_JOB:  # the row that it was in conflict with is gone
            return LEFT
        if job.created_at + self._retention <= self._clock():
            return self._restamp(message, job, error, ended_at)  # its row has expired, and stays gone
        create = partial(self._store.create_failed, job, message.message_id, error, ended_at)
        return self._restamp(message, job, error, ended_at, close=create)

    def _given_up_at(self, message: ReceivedMessage) -> datetime:
        """What the job's row has to name as its end, so that a redrive that has been sent since counts as one."""
        return self._clock() if was_moved_by_sqs(message) else failed_at(message)

    def _is_given_up(self, message: ReceivedMessage, row: JobRow) -> bool:
        """Is this the open job's last message? (A duplicate may be dead-lettered while a worker runs the job.)"""
        if row["status"] == JobStatus.PROCESSING and timestamps.from_text(row["leaseExpiresAt"]) > self._clock():
            return False
        if was_moved_by_sqs(message):
            return bool(row.get("messageId", message.message_id) == message.message_id)
        return failed_at(message) >= timestamps.from_text(row["updatedAt"])

    def _restamp(
        self,
        message: ReceivedMessage,
        job: ReceivedJob,
        error: JobError,
        ended_at: datetime,
        calls: int = 0,
        close: Callable[[], bool] | None = None,
    ) -> Handled:
        def close_and_report() -> bool:
            closed = close is not None and close()
            if closed:
                report_closed(job.job_id, job.job_type, error)
            return closed

        return restamp(self.dlq_url, message, job.job_id, error, ended_at, job.user_id, calls, close_and_report)


def _reason(message: ReceivedMessage) -> JobError:
    return JobError("WORKER_CRASHED", _CRASHED) if was_moved_by_sqs(message) else reason_of(message)


def _error_of(row: JobRow) -> JobError:
    error = row.get("error", {})
    code = error.get("code")
    return JobError(code if code in CODES else "WORKER_CRASHED", error.get("message", _CRASHED))
