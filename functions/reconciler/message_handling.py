"""What can happen to a dead-lettered message: it stays, it is dropped, or a copy with its reason replaces it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from aws_lambda_powertools import Logger

from ai_jobs.aws.queues import ReceivedMessage, delete_message
from ai_jobs.contract.errors import JobError
from ai_jobs.contract.request import known_job_id
from ai_jobs.contract.row import JobRow
from ai_jobs.service import metrics
from ai_jobs.service.dead_letters import has_room_for_reason, send_to_dlq, was_moved_by_sqs
from reconciler.summary import Summary

logger = Logger()


@dataclass(frozen=True)
class Handled:
    """What happened to a dead-lettered message: is it gone, and what was done?"""

    gone: bool
    done: Summary


LEFT = Handled(gone=False, done=Summary())
"""Nothing: the message stays as it is."""


class MessageHandler(Protocol):
    """Handles the messages of one DLQ."""

    dlq_url: str

    def handle(self, message: ReceivedMessage, row: JobRow | None) -> Handled:
        """Do what there is to do for this message, whose job has this row."""


def row_key(message: ReceivedMessage) -> str:
    """The job id that the row has: SQS's message id if the message does not name a job."""
    return known_job_id(message.body, message.attributes) or message.message_id


def calls_of(row: JobRow | None) -> int:
    """How often work on the job began."""
    return int(row.get("calls", 0)) if row else 0


def drop(dlq_url: str, message: ReceivedMessage) -> Handled:
    """Delete a message that no one needs."""
    delete_message(dlq_url, message.receipt_handle)
    return Handled(gone=True, done=Summary(dropped=1))


def restamp(
    dlq_url: str,
    message: ReceivedMessage,
    job_id: str,
    error: JobError,
    ended_at: datetime,
    user_id: str | None = None,
    calls: int = 0,
    close: Callable[[], bool] | None = None,
) -> Handled:
    """If SQS moved the message, replace it with a copy that names the job and the reason; close the job.

    In this order: a run that is killed in between leaves an extra message, never a failed job without one.

    Args:
        calls: how often work on the job began. (For a message in a DLQ, SQS counts every look as a receive.)
    """
    gone = was_moved_by_sqs(message) and has_room_for_reason(message, job_id)
    if gone:
        send_to_dlq(dlq_url, message, job_id, error, ended_at, user_id, attempts=calls)
    closed = close is not None and close()
    if gone:
        delete_message(dlq_url, message.receipt_handle)
    return Handled(gone, Summary(closed=int(closed), restamped=int(gone)))


def report_closed(job_id: str, job_type: str, error: JobError) -> None:
    """Log and count a job that the reconciler set to `failed`."""
    logger.warning("job closed", extra={"jobId": job_id, "errorCode": error.code, "errorClass": error.error_class})
    metrics.count_failure(error.error_class)
    metrics.emit({metrics.JOBS_FAILED: 1}, job_type, job_id)
    if error.code == "JOB_STALLED":
        metrics.count(metrics.JOBS_STALLED)
