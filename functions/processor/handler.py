"""Entry point of the processor Lambda."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from ai_jobs.contract import timestamps
from ai_jobs.service.budget import Budget
from ai_jobs.service.job_store import JobStore
from ai_jobs.service.job_type_source import JobTypeSource
from ai_jobs.service.safe_logging import function_logger
from processor.batch import process_batch
from processor.settings import ProcessorSettings
from processor.worker import Worker

logger = function_logger()
settings = ProcessorSettings.from_environment()
store = JobStore(settings.table_name, settings.retention_days)
budget = Budget(settings.table_name, settings.daily_tokens_per_user, settings.daily_tokens_total)
job_types = JobTypeSource(
    settings.config_application,
    settings.config_environment,
    settings.config_profile,
    settings.config_max_age_seconds,
)


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Work on one batch from the request queue; the return value names the messages that must come back."""
    ends_at = timestamps.now() + timedelta(milliseconds=context.get_remaining_time_in_millis())
    failed = process_batch(event["Records"], Worker(settings, store, budget, job_types.reread, ends_at), job_types)
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}
