"""What the library reads from the environment: endpoints, queue URLs, and functions that read and check a variable."""

from __future__ import annotations

import os
from collections.abc import Mapping

from ai_jobs.contract import variables
from ai_jobs.contract.errors import ConfigurationError
from ai_jobs.contract.limits import LIMITS

LOCAL_ENDPOINT_URL = "http://localhost:4566"


def required(name: str, environment: Mapping[str, str] = os.environ) -> str:
    """The variable's value.

    Raises:
        ConfigurationError: if it is unset or empty; the error names it.
    """
    value = environment.get(name, "").strip()
    if not value:
        raise ConfigurationError(name, "is not set. Set it in the environment of this process.")
    return value


def integer(name: str, limit: str, environment: Mapping[str, str] = os.environ) -> int:
    """The variable as a whole number within a limit, by the limit's name in `ai_jobs.contract.limits`.

    Raises:
        ConfigurationError: if it is unset, not a whole number, or out of range.
    """
    text, bounds = required(name, environment), LIMITS[limit]
    rule = f"It must be a whole number from {bounds.min} to {bounds.max}."
    try:
        value = int(text)
    except ValueError:
        raise ConfigurationError(name, f"is {text!r}. {rule}") from None
    if not bounds.min <= value <= bounds.max:
        raise ConfigurationError(name, f"is {value}. {rule}")
    return value


def optional_integer(name: str, limit: str, environment: Mapping[str, str] = os.environ) -> int | None:
    """Like `integer`, but None if the variable is unset or empty."""
    return integer(name, limit, environment) if environment.get(name, "").strip() else None


def flag(name: str, environment: Mapping[str, str] = os.environ) -> bool:
    """The variable as a boolean.

    Raises:
        ConfigurationError: if it is unset, or neither true nor false.
    """
    text = required(name, environment).lower()
    if text not in ("true", "false"):
        raise ConfigurationError(name, f"is {text!r}. It must be true or false.")
    return text == "true"


def bucket(environment: Mapping[str, str] = os.environ) -> str | None:
    """The bucket for inputs that are too large for a message, from `AI_JOB_BUCKET`; None if that is unset."""
    return environment.get(variables.BUCKET, "").strip() or None


def request_queue_url() -> str:
    """The URL of the request queue, from `AI_JOB_REQUEST_QUEUE_URL`. Raises ConfigurationError if that is unset."""
    return required(variables.REQUEST_QUEUE_URL)


def response_queue_url() -> str:
    """The URL of the response queue, from `AI_JOB_RESPONSE_QUEUE_URL`. Raises ConfigurationError if that is unset."""
    return required(variables.RESPONSE_QUEUE_URL)


def endpoint_url(environment: Mapping[str, str] = os.environ) -> str | None:
    """The endpoint to pass to boto3: the local AWS if `USE_LOCAL_AWS=true`, else None.

    None leaves the choice to boto3, which reads `AWS_ENDPOINT_URL` and `AWS_ENDPOINT_URL_<SERVICE>` itself
    (https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html). If one of them is set, it takes
    precedence over `USE_LOCAL_AWS`, because it is more specific.

    Raises:
        ConfigurationError: if `USE_LOCAL_AWS` is neither true nor false.
    """
    local = environment.get("USE_LOCAL_AWS", "").strip().lower()
    if local not in ("", "true", "false"):
        raise ConfigurationError("USE_LOCAL_AWS", f"is {local!r}. It must be true or false.")
    named = any(name.startswith("AWS_ENDPOINT_URL") and value for name, value in environment.items())
    return LOCAL_ENDPOINT_URL if local == "true" and not named else None
