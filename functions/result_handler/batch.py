"""One batch of results. They are applied concurrently, so that one slow write does not use up the others' time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from aws_lambda_powertools import Logger

from ai_jobs.aws.clients import MAX_POOL_CONNECTIONS
from ai_jobs.aws.queues import ReceivedMessage
from ai_jobs.contract import timestamps
from ai_jobs.contract.errors import NO_ROW, ErrorClass, JobError
from ai_jobs.contract.request import first_sent_at
from ai_jobs.contract.result import AIJobResultMessage
from ai_jobs.service import metrics
from ai_jobs.service.dead_letters import send_to_dlq
from ai_jobs.service.delayed_copies import send_delayed_copy
from ai_jobs.service.job_store import JobStore
from ai_jobs.service.outcomes import Applied
from ai_jobs.service.retries import RESULT_PATIENCE
from ai_jobs.service.safe_logging import describe
from result_handler.settings import ResultHandlerSettings

logger = Logger()

# Of the process, because threads cost more than what they do for a result. Each batch waits for all of its own.
_pool = ThreadPoolExecutor(max_workers=MAX_POOL_CONNECTIONS)


def apply_batch(records: Sequence[Mapping[str, Any]], store: JobStore, settings: ResultHandlerSettings) -> list[str]:
    """Apply every result and return the message ids that must come back to the queue."""
    messages = [ReceivedMessage.from_lambda_record(record) for record in records]
    applied = _pool.map(lambda message: _try_to_apply(message, store, settings), messages)
    return [message.message_id for message, done in zip(messages, applied, strict=True) if not done]


def _try_to_apply(message: ReceivedMessage, store: JobStore, settings: ResultHandlerSettings) -> bool:
    try:
        _apply(message, store, settings)
    except Exception as error:  # noqa: BLE001  # the boundary: one bad message must not bring back the others
        fields = {"messageId": message.message_id, "jobId": message.attributes.get("JobId")}
        logger.error("result not applied", extra=fields | describe(error))
        return False
    return True


def _apply(message: ReceivedMessage, store: JobStore, settings: ResultHandlerSettings) -> None:
    try:
        result = AIJobResultMessage.from_body(message.body)
    except JobError as error:
        logger.error("message is not a result", extra={"messageId": message.message_id, "errorCode": error.code})
        _give_up(message, message.attributes.get("JobId"), error, settings)
        return
    fields = {"jobId": result.job_id, "userId": result.user_id, "jobType": result.job_type, "attempt": result.attempt}
    fields |= {"traceId": result.trace_id} if result.trace_id else {}
    try:
        outcome = store.apply_result(result)
    except JobError as error:
        logger.warning("result could not be written", extra=fields | {"errorCode": error.code})
        _wait_or_give_up(message, result, error, settings)
        return
    if outcome.row is not None:
        # Not what the message says about the job: another producer may have that wrong.
        fields |= {name: outcome.row[name] for name in ("userId", "jobType", "attempt")}
        metrics.count_result(outcome.row)
    logger.info("result handled", extra=fields | {"status": result.status, "outcome": outcome.applied.value})
    if outcome.applied is Applied.UNKNOWN_JOB:
        # The result has been paid for: it goes where an operator sees it rather than nowhere.
        _give_up(message, result.job_id, JobError("JOB_UNKNOWN", NO_ROW, "jobId"), settings, result.user_id)


def _wait_or_give_up(
    message: ReceivedMessage, result: AIJobResultMessage, error: JobError, settings: ResultHandlerSettings
) -> None:
    """Let the result wait as a delayed copy while the table is down; if an operator has to act, dead-letter it."""
    waiting_since = first_sent_at(message.attributes, message.sent_at)
    if error.error_class is not ErrorClass.THROTTLED or timestamps.now() - waiting_since > RESULT_PATIENCE:
        _give_up(message, result.job_id, error, settings, result.user_id)
        return
    metrics.count_failure(error.error_class)
    send_delayed_copy(settings.response_queue_url, message, result.job_id, result.user_id, settings.max_backoff_seconds)


def _give_up(
    message: ReceivedMessage,
    job_id: str | None,
    error: JobError,
    settings: ResultHandlerSettings,
    user_id: str | None = None,
) -> None:
    metrics.count_failure(error.error_class)
    send_to_dlq(settings.response_dlq_url, message, job_id, error, timestamps.now(), user_id)
