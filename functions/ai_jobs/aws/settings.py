"""What the library reads from the environment: endpoints, queue URLs, and the readers that check a variable's value."""

from __future__ import annotations

import os
from collections.abc import Mapping

from ai_jobs.contract import variables
from ai_jobs.contract.errors import ConfigurationError

LOCAL_ENDPOINT_URL = "http://localhost:4566"


def required(name: str, environment: Mapping[str, str] = os.environ) -> str:
    """The variable's value.

    Raises:
        ConfigurationError: when it is unset or empty; the error names it.
    """
    value = environment.get(name, "").strip()
    if not value:
        raise ConfigurationError(name, "is not set: give it a value in the environment of this process")
    return value


def integer(name: str, minimum: int, maximum: int, environment: Mapping[str, str] = os.environ) -> int:
    """The variable as a whole number from `minimum` to `maximum`.

    Raises:
        ConfigurationError: when it is unset, no whole number, or out of range.
    """
    text = required(name, environment)
    try:
        value = int(text)
    except ValueError:
        raise ConfigurationError(name, f"is {text!r}: it must be a whole number") from None
    if not minimum <= value <= maximum:
        raise ConfigurationError(name, f"is {value}: it must be from {minimum} to {maximum}")
    return value


def optional_integer(name: str, minimum: int, maximum: int, environment: Mapping[str, str] = os.environ) -> int | None:
    """As `integer`, but None when the variable is unset or empty."""
    return integer(name, minimum, maximum, environment) if environment.get(name, "").strip() else None


def flag(name: str, environment: Mapping[str, str] = os.environ) -> bool:
    """The variable as a yes or no.

    Raises:
        ConfigurationError: when it is unset, or neither true nor false.
    """
    text = required(name, environment).lower()
    if text not in ("true", "false"):
        raise ConfigurationError(name, f"is {text!r}: it must be true or false")
    return text == "true"


def bucket(environment: Mapping[str, str] = os.environ) -> str | None:
    """Name of the bucket for inputs that are too large for a message, from `AI_JOB_BUCKET`; None when it is unset."""
    return environment.get(variables.BUCKET, "").strip() or None


def request_queue_url() -> str:
    """URL of the request queue, from `AI_JOB_REQUEST_QUEUE_URL`. Raises ConfigurationError."""
    return required(variables.REQUEST_QUEUE_URL)


def response_queue_url() -> str:
    """URL of the response queue, from `AI_JOB_RESPONSE_QUEUE_URL`. Raises ConfigurationError."""
    return required(variables.RESPONSE_QUEUE_URL)


def endpoint_url(environment: Mapping[str, str] = os.environ) -> str | None:
    """The endpoint to give to boto3: the local AWS when `USE_LOCAL_AWS=true`, else None.

    None leaves the choice to boto3, which reads `AWS_ENDPOINT_URL` and `AWS_ENDPOINT_URL_<SERVICE>` by itself
    (https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html). Where one of them is set it is the
    more exact wish, and `USE_LOCAL_AWS` gives way.

    Raises:
        ConfigurationError: when `USE_LOCAL_AWS` is neither true nor false.
    """
    local = environment.get("USE_LOCAL_AWS", "").strip().lower()
    if local not in ("", "true", "false"):
        raise ConfigurationError("USE_LOCAL_AWS", f"is {local!r}: it must be true or false")
    named = any(name.startswith("AWS_ENDPOINT_URL") and value for name, value in environment.items())
    return LOCAL_ENDPOINT_URL if local == "true" and not named else None
