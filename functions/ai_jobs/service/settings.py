"""The functions' settings from environment variables, read and checked once, when a function starts."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ai_jobs.aws.settings import flag, integer, optional_integer, required
from ai_jobs.contract import variables
from ai_jobs.contract.errors import ConfigurationError
from ai_jobs.contract.limits import LIMITS, USER_FROM_REQUEST, USER_FROM_TOKEN

if TYPE_CHECKING:
    from ai_jobs.contract.result import Usage


@dataclass(frozen=True)
class ModelPrice:
    """What a model costs, in US dollars per million tokens."""

    input: float
    output: float

    def of(self, usage: Usage) -> float:
        """What one call costs, in US dollars."""
        return (usage.input_tokens * self.input + usage.output_tokens * self.output) / 1_000_000


def model_prices(environment: Mapping[str, str] = os.environ) -> dict[str, ModelPrice]:
    """Prices by model id, from the JSON `{id: {input, output}}` in `AI_JOB_MODEL_PRICES`; empty if that is unset.

    Raises:
        ConfigurationError: if it can't be read.
    """
    text = environment.get("AI_JOB_MODEL_PRICES", "").strip() or "{}"
    try:
        return {
            model: ModelPrice(float(price["input"]), float(price["output"]))
            for model, price in json.loads(text).items()
        }
    except (ValueError, TypeError, KeyError, AttributeError):
        raise ConfigurationError(
            "AI_JOB_MODEL_PRICES",
            f'is {text[:200]!r}. It must look like {{"MODEL ID": {{"input": 0.06, "output": 0.24}}}}.',
        ) from None


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
            daily_tokens_per_user=optional_integer("AI_JOB_DAILY_TOKENS_PER_USER", "daily_tokens", environment),
            daily_tokens_total=optional_integer("AI_JOB_DAILY_TOKENS_TOTAL", "daily_tokens", environment),
            prices=model_prices(environment),
        )


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


MAX_WAIT_SECONDS = LIMITS["wait_seconds"].max
"""The longest wait that `GET /jobs/{jobId}?wait=` may ask for: API Gateway gives up after 29 s."""

TOKEN_MODES = USER_FROM_TOKEN
"""The authorization modes in which the gateway determines the user; in the others, the caller names the user."""

AUTHORIZATION_MODES = (*USER_FROM_REQUEST, *USER_FROM_TOKEN)


@dataclass(frozen=True)
class JobsApiSettings:
    """The settings of the jobs API; times are in seconds.

    Attributes:
        authorization: one of `AUTHORIZATION_MODES`.
        cors_allow_origins: the origins whose pages may call from a browser; `*` allows every page, none allows no page.
        max_wait_seconds: the longest time that a GET may wait, 0 to 25.
        max_concurrent_waits: how many GETs may wait at the same time; None for any number.
    """

    table_name: str
    bucket: str
    request_queue_url: str
    config_application: str
    config_environment: str
    config_profile: str
    config_max_age_seconds: int
    default_deadline_seconds: int
    visibility_timeout_seconds: int
    retention_days: int
    max_wait_seconds: int
    authorization: str
    max_concurrent_waits: int | None = None
    cors_allow_origins: tuple[str, ...] = ()

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> JobsApiSettings:
        """Read every variable. Raises ConfigurationError at the first that is missing or wrong."""
        authorization = required("AI_JOB_AUTHORIZATION", environment)
        if authorization not in AUTHORIZATION_MODES:
            problem = f"is {authorization!r}. It must be one of {', '.join(AUTHORIZATION_MODES)}."
            raise ConfigurationError("AI_JOB_AUTHORIZATION", problem)
        return cls(
            table_name=required(variables.TABLE_NAME, environment),
            bucket=required(variables.BUCKET, environment),
            request_queue_url=required(variables.REQUEST_QUEUE_URL, environment),
            config_application=required("AI_JOB_CONFIG_APPLICATION", environment),
            config_environment=required("AI_JOB_CONFIG_ENVIRONMENT", environment),
            config_profile=required("AI_JOB_CONFIG_PROFILE", environment),
            config_max_age_seconds=integer("AI_JOB_CONFIG_MAX_AGE_SECONDS", "config_max_age_seconds", environment),
            default_deadline_seconds=integer("AI_JOB_DEFAULT_DEADLINE_SECONDS", "deadline_seconds", environment),
            visibility_timeout_seconds=integer(
                variables.VISIBILITY_TIMEOUT_SECONDS, "visibility_timeout_seconds", environment
            ),
            retention_days=integer("AI_JOB_RETENTION_DAYS", "retention_days", environment),
            max_wait_seconds=integer(variables.MAX_WAIT_SECONDS, "wait_seconds", environment),
            authorization=authorization,
            max_concurrent_waits=optional_integer(variables.MAX_CONCURRENT_WAITS, "concurrent_waits", environment),
            cors_allow_origins=tuple(environment.get("AI_JOB_CORS_ALLOW_ORIGINS", "").split()),
        )


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


@dataclass(frozen=True)
class EventPublisherSettings:
    """The settings of the event publisher.

    Attributes:
        failure_queue_url: the queue for events that EventBridge will never accept.
        include_result: whether events carry results and error messages.
    """

    event_bus_arn: str
    table_arn: str
    failure_queue_url: str
    include_result: bool

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> EventPublisherSettings:
        """Read every variable. Raises ConfigurationError at the first that is missing or wrong."""
        return cls(
            event_bus_arn=required("AI_JOB_EVENT_BUS_ARN", environment),
            table_arn=required("AI_JOB_TABLE_ARN", environment),
            failure_queue_url=required("AI_JOB_FAILURE_QUEUE_URL", environment),
            include_result=flag("AI_JOB_EVENTS_INCLUDE_RESULT", environment),
        )
