"""One batch of results. They are applied at the same time, so that one slow write does not use up the others' time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from aws_lambda_powertools import Logger

from ai_jobs import timestamps
from ai_jobs.clients import MAX_POOL_CONNECTIONS
from ai_jobs.dead_letters import send_to_dlq
from ai_jobs.errors import JobError
from ai_jobs.messages import AIJobResultMessage
from ai_jobs.queues import ReceivedMessage
from ai_jobs.safe_logging import describe
from ai_jobs.store import Applied, JobStore

logger = Logger()


def apply_batch(records: Sequence[Mapping[str, Any]], store: JobStore, dlq_url: str) -> list[str]:
    """Apply every result and return the message ids that must come back to the queue."""
    messages = [ReceivedMessage.from_lambda_record(record) for record in records]
    with ThreadPoolExecutor(max_workers=MAX_POOL_CONNECTIONS) as pool:
        applied = pool.map(lambda message: _try_to_apply(message, store, dlq_url), messages)
    return [message.message_id for message, done in zip(messages, applied, strict=True) if not done]


def _try_to_apply(message: ReceivedMessage, store: JobStore, dlq_url: str) -> bool:
    try:
        _apply(message, store, dlq_url)
    except Exception as error:  # noqa: BLE001  # the boundary: one bad message must not bring back the others
        logger.error("result not applied", extra={"messageId": message.message_id} | describe(error))
        return False
    return True


def _apply(message: ReceivedMessage, store: JobStore, dlq_url: str) -> None:
    try:
        result = AIJobResultMessage.from_body(message.body)
    except JobError as error:
        logger.error("message is no result", extra={"messageId": message.message_id, "errorCode": error.code})
        send_to_dlq(dlq_url, message, message.attributes.get("JobId"), error, timestamps.now())
        return
    fields = {"jobId": result.job_id, "userId": result.user_id, "jobType": result.job_type, "attempt": result.attempt}
    applied = store.apply_result(result)
    logger.info("result handled", extra=fields | {"status": result.status, "outcome": applied.value})
    if applied is Applied.UNKNOWN_JOB:
        # A result was paid for: it goes where an operator sees it rather than nowhere.
        unknown = JobError("JOB_UNKNOWN", "there is no row for this job: it was erased or never claimed", "jobId")
        send_to_dlq(dlq_url, message, result.job_id, unknown, timestamps.now())
