"""Entry point of the event publisher Lambda, which the jobs table's stream triggers."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from ai_jobs.service.safe_logging import function_logger
from event_publisher.publish import publish
from event_publisher.settings import EventPublisherSettings

logger = function_logger()
settings = EventPublisherSettings.from_environment()


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Publish one batch of changes; the return value names the first record to be retried, with all after it."""
    return {"batchItemFailures": [{"itemIdentifier": number} for number in publish(event["Records"], settings)]}
