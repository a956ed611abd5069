"""The concurrent variant: AsyncBatchProcessor, with boto3's calls in threads."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from aws_lambda_powertools.utilities.batch import AsyncBatchProcessor, EventType, async_process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.parser import parse
from aws_lambda_powertools.utilities.typing import LambdaContext

from bench.usual_way.work import Job, idempotency, logger, tracer, work_on

processor = AsyncBatchProcessor(event_type=EventType.SQS)
# As many threads as we use. asyncio's own executor has only four more than there are processors.
threads = ThreadPoolExecutor(50)


async def record_handler(record: SQSRecord) -> None:
    """Work on one message, beside the others."""
    job = parse(event=record.json_body, model=Job)
    await asyncio.get_running_loop().run_in_executor(threads, lambda: work_on(job=job))


@logger.inject_lambda_context
@tracer.capture_lambda_handler(capture_response=False)
def handler(event: dict[str, Any], context: LambdaContext) -> Any:
    """Work on one batch from the request queue."""
    idempotency.register_lambda_context(context)
    return async_process_partial_response(
        event=event, record_handler=record_handler, processor=processor, context=context
    )
