"""Entry point of the result handler Lambda."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from ai_jobs.service.job_store import JobStore
from ai_jobs.service.safe_logging import function_logger
from result_handler.batch import apply_batch
from result_handler.settings import ResultHandlerSettings

logger = function_logger()
settings = ResultHandlerSettings.from_environment()
store = JobStore(settings.table_name, bucket=settings.bucket)


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Apply one batch of results; the return value names the messages that must come back."""
    failed = apply_batch(event["Records"], store, settings)
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}
