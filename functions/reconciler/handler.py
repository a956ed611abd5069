"""Entry point of the reconciler Lambda, which a schedule starts every few minutes."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from ai_jobs.contract import timestamps
from ai_jobs.service.job_store import JobStore
from ai_jobs.service.safe_logging import function_logger
from reconciler.reconcile import Reconciler
from reconciler.settings import ReconcilerSettings

logger = function_logger()
settings = ReconcilerSettings.from_environment()
store = JobStore(settings.table_name, settings.retention_days, bucket=settings.bucket)


@logger.inject_lambda_context
def handler(_event: dict[str, Any], context: LambdaContext) -> dict[str, int]:
    """Go through both DLQs and the open jobs once. Returns counts of what was done."""
    ends_at = timestamps.now() + timedelta(milliseconds=context.get_remaining_time_in_millis())
    done = asdict(Reconciler(settings, store, ends_at).run())
    logger.info("reconciled", extra=done)
    return done
