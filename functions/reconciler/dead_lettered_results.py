"""Messages in the response DLQ: writes the results that SQS dead-lettered; those with a reason wait for an operator."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from ai_jobs.aws.queues import ReceivedMessage, delete_message
from ai_jobs.contract.errors import NO_ROW, JobError
from ai_jobs.contract.result import AIJobResultMessage
from ai_jobs.contract.row import JobRow, is_erased
from ai_jobs.service import metrics
from ai_jobs.service.dead_letters import was_moved_by_sqs
from ai_jobs.service.job_store import JobStore
from ai_jobs.service.outcomes import Applied
from reconciler.message_handling import LEFT, Handled, calls_of, drop, restamp
from reconciler.summary import Summary


class DeadLetteredResults:
    """Handles the messages of the response DLQ."""

    def __init__(self, dlq_url: str, store: JobStore, clock: Callable[[], datetime]) -> None:
        self.dlq_url = dlq_url
        self._store = store
        self._clock = clock

    def handle(self, message: ReceivedMessage, row: JobRow | None) -> Handled:
        """Try once more to write the result; one that can't be written gets its reason."""
        if row is not None and is_erased(row):
            return drop(self.dlq_url, message)
        if not was_moved_by_sqs(message):
            return LEFT
        try:
            result = AIJobResultMessage.from_body(message.body)
        except JobError as error:
            known = message.attributes.get("JobId", message.message_id)
            return restamp(self.dlq_url, message, known, error, self._clock(), calls=calls_of(row))
        return self._write(message, result)

    def _write(self, message: ReceivedMessage, result: AIJobResultMessage) -> Handled:
        try:
            outcome = self._store.apply_result(result)
        except JobError as error:
            if error.code != "NOT_A_RESULT":
                raise
            return self._restamp(message, result, error)
        if outcome.applied is Applied.UNKNOWN_JOB:
            return self._restamp(message, result, JobError("JOB_UNKNOWN", NO_ROW, "jobId"))
        if outcome.row is None:
            return drop(self.dlq_url, message)
        metrics.count_result(outcome.row)
        delete_message(self.dlq_url, message.receipt_handle)
        return Handled(gone=True, done=Summary(results_applied=1))

    def _restamp(self, message: ReceivedMessage, result: AIJobResultMessage, error: JobError) -> Handled:
        return restamp(self.dlq_url, message, result.job_id, error, self._clock(), result.user_id)
