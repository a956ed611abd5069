"""The settings of the jobs API from environment variables, read and checked once, when the function starts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from ai_jobs.aws.settings import integer, optional_integer, required
from ai_jobs.contract import variables
from ai_jobs.contract.errors import ConfigurationError
from ai_jobs.contract.limits import LIMITS, USER_FROM_REQUEST, USER_FROM_TOKEN

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
