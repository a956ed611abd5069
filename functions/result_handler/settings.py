"""The settings of the result handler from environment variables, read and checked once, when the function starts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from ai_jobs.aws.settings import integer, required
from ai_jobs.contract import variables


@dataclass(frozen=True)
class ResultHandlerSettings:
    """The settings of the result handler; times are in seconds."""

    response_queue_url: str
    response_dlq_url: str
    table_name: str
    bucket: str
    max_backoff_seconds: int

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> ResultHandlerSettings:
        """Read every variable. Raises ConfigurationError at the first one that is missing or wrong."""
        return cls(
            response_queue_url=required(variables.RESPONSE_QUEUE_URL, environment),
            response_dlq_url=required(variables.RESPONSE_DLQ_URL, environment),
            table_name=required(variables.TABLE_NAME, environment),
            bucket=required(variables.BUCKET, environment),
            max_backoff_seconds=integer("AI_JOB_MAX_BACKOFF_SECONDS", "max_backoff_seconds", environment),
        )
