"""The settings of the processor from environment variables, read and checked once, when the function starts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from ai_jobs.aws.settings import integer, optional_integer, required
from ai_jobs.contract import variables
from ai_jobs.service.model_prices import ModelPrice, model_prices


@dataclass(frozen=True)
class ProcessorSettings:
    """The settings of the processor; times are in seconds."""

    request_queue_url: str
    request_dlq_url: str
    response_queue_url: str
    table_name: str
    bucket: str
    config_application: str
    config_environment: str
    config_profile: str
    config_max_age_seconds: int
    visibility_timeout_seconds: int
    max_receive_count: int
    default_deadline_seconds: int
    max_backoff_seconds: int
    model_access_wait_seconds: int
    retention_days: int
    daily_tokens_per_user: int | None = None
    daily_tokens_total: int | None = None
    prices: Mapping[str, ModelPrice] = field(default_factory=dict)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> ProcessorSettings:
        """Read every variable. Raises ConfigurationError at the first that is missing or wrong."""
        return cls(
            request_queue_url=required(variables.REQUEST_QUEUE_URL, environment),
            request_dlq_url=required(variables.REQUEST_DLQ_URL, environment),
            response_queue_url=required(variables.RESPONSE_QUEUE_URL, environment),
            table_name=required(variables.TABLE_NAME, environment),
            bucket=required(variables.BUCKET, environment),
            config_application=required("AI_JOB_CONFIG_APPLICATION", environment),
            config_environment=required("AI_JOB_CONFIG_ENVIRONMENT", environment),
            config_profile=required("AI_JOB_CONFIG_PROFILE", environment),
            config_max_age_seconds=integer("AI_JOB_CONFIG_MAX_AGE_SECONDS", "config_max_age_seconds", environment),
            visibility_timeout_seconds=integer(
                variables.VISIBILITY_TIMEOUT_SECONDS, "visibility_timeout_seconds", environment
            ),
            max_receive_count=integer(variables.MAX_RECEIVE_COUNT, "max_receive_count", environment),
            default_deadline_seconds=integer("AI_JOB_DEFAULT_DEADLINE_SECONDS", "deadline_seconds", environment),
            max_backoff_seconds=integer("AI_JOB_MAX_BACKOFF_SECONDS", "max_backoff_seconds", environment),
            model_access_wait_seconds=integer(
                "AI_JOB_MODEL_ACCESS_WAIT_SECONDS", "model_access_wait_seconds", environment
            ),
            retention_days=integer("AI_JOB_RETENTION_DAYS", "retention_days", environment),
            daily_tokens_per_user=optional_integer(variables.DAILY_TOKENS_PER_USER, "daily_tokens", environment),
            daily_tokens_total=optional_integer(variables.DAILY_TOKENS_TOTAL, "daily_tokens", environment),
            prices=model_prices(environment),
        )
