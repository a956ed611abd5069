"""One batch: all its jobs at once, since each of them does little but wait for the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

from aws_lambda_powertools import Logger

from ai_jobs.aws.clients import MAX_POOL_CONNECTIONS
from ai_jobs.aws.queues import ReceivedMessage, change_visibility_of_all
from ai_jobs.contract.errors import AWSError, JobError
from ai_jobs.contract.request import known_job_id
from ai_jobs.service.job_type_source import JobTypeSource
from ai_jobs.service.job_types import JobTypes
from ai_jobs.service.safe_logging import describe
from processor.worker import Disposition, Worker

logger = Logger()

# Of the process, because a thread costs more to start than what it does for a job. Their threads are free.
_free_pools: list[ThreadPoolExecutor] = []


def process_batch(records: Sequence[Mapping[str, Any]], worker: Worker, source: JobTypeSource) -> list[str]:
    """Work on every record and return the message ids that must come back to the queue.

    They include the jobs that are still waiting for their model shortly before the function's end: if the batch waited
    for them, the timeout would bring back all of it.
    """
    messages = [ReceivedMessage.from_lambda_record(record) for record in records]
    _hide(messages, worker.settings.request_queue_url, worker.settings.visibility_timeout_seconds)
    job_types = _job_types(source)
    worker.expect(messages)
    pool = _free_pools.pop() if _free_pools else ThreadPoolExecutor(MAX_POOL_CONNECTIONS)
    futures: list[Future[Disposition]] = []
    try:
        futures += [pool.submit(worker.work_on, message, job_types) for message in messages]
        wait(futures, timeout=worker.seconds_left())
        pairs = zip(messages, futures, strict=True)
        return [message.message_id for message, future in pairs if _must_come_back(worker, message, future)]
    finally:
        _free(pool, futures)
        worker.finish()


def _free(pool: ThreadPoolExecutor, futures: Sequence[Future[Disposition]]) -> None:
    """Keep the threads for the next batch, unless one of them is still at work.

    Threads can't be ended: one that is still waiting for its model is left behind, with its pool. If it wakes up in a
    later invocation, the attempt number on its result and the check in Worker._settle keep it from doing harm.
    """
    if all(future.done() for future in futures):
        _free_pools.append(pool)
    else:
        pool.shutdown(wait=False, cancel_futures=True)


def _hide(messages: Sequence[ReceivedMessage], queue_url: str, seconds: int) -> None:
    """Give the jobs the full visibility timeout: its clock has been running since the poll, before the window."""
    try:
        codes = change_visibility_of_all(queue_url, [message.receipt_handle for message in messages], seconds)
    except AWSError as error:
        codes = [error.code]
    if codes:
        # Not fatal: if a message becomes visible too early, the lease on its row keeps a second worker away.
        logger.warning("visibility could not be extended", extra={"errorCodes": codes})


def _job_types(source: JobTypeSource) -> JobTypes | JobError:
    try:
        return source.get()
    except JobError as error:
        logger.error("job types are not available", extra={"errorCode": error.code})
        return error


def _must_come_back(worker: Worker, message: ReceivedMessage, future: Future[Disposition]) -> bool:
    if future.cancel():  # more messages than threads, and no thread got to this one: that must not use a receive
        return worker.put_off(message) is Disposition.COMES_BACK
    if not future.done():
        logger.error("job outlived the function", extra=_known_of(message))
        return True
    error = future.exception()
    if error is not None:
        logger.error("message could not be worked on", extra=_known_of(message) | describe(error))
        return True
    return future.result() is Disposition.COMES_BACK


def _known_of(message: ReceivedMessage) -> dict[str, Any]:
    known = known_job_id(message.body, message.attributes)
    return {"messageId": message.message_id, "jobId": known or message.message_id}
