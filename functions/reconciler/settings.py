"""The settings of the reconciler from environment variables, read and checked once, when the function starts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from ai_jobs.aws.settings import integer, required
from ai_jobs.contract import variables


@dataclass(frozen=True)
class ReconcilerSettings:
    """The settings of the reconciler."""

    request_dlq_url: str
    response_dlq_url: str
    table_name: str
    bucket: str
    retention_days: int

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> ReconcilerSettings:
        """Read every variable. Raises ConfigurationError at the first that is missing or wrong."""
        return cls(
            request_dlq_url=required(variables.REQUEST_DLQ_URL, environment),
            response_dlq_url=required(variables.RESPONSE_DLQ_URL, environment),
            table_name=required(variables.TABLE_NAME, environment),
            bucket=required(variables.BUCKET, environment),
            retention_days=integer("AI_JOB_RETENTION_DAYS", "retention_days", environment),
        )
