"""Which setting of a job type a model has rejected."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# By the name of the setting in a job type: where it is in a request, and words by which Bedrock's messages name it.
_SETTINGS: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("temperature", ("inferenceConfig", "temperature"), ("temperature",)),
    ("top_p", ("inferenceConfig", "topP"), ("top_p", "topp")),
    ("stop_sequences", ("inferenceConfig", "stopSequences"), ("stop_sequence", "stopsequence", "stop sequence")),
    ("max_tokens", ("inferenceConfig", "maxTokens"), ("max_tokens", "maxtokens", "maximum tokens")),
    ("effort", ("outputConfig", "effort"), ("effort",)),
    ("service_tier", ("serviceTier",), ("service tier", "servicetier", "service_tier", "reservation")),
    ("prompt_cache", (), ("cachepoint", "cache point", "cache_point", "caching", "cache_control", "ttl")),
    ("output.mode", ("outputConfig", "textFormat"), ("outputconfig", "output_config", "textformat", "json_schema")),
    ("output.mode", ("toolConfig",), ("toolconfig", "toolchoice", "tool_choice", "tool use", "tools")),
    ("request_metadata", ("requestMetadata",), ("requestmetadata", "metadata")),
    ("guardrail", ("guardrailConfig",), ("guardrail",)),
)

_ADDITIONAL = "additionalModelRequestFields"


def named_setting(message: str, request: Mapping[str, Any]) -> str | None:
    """The setting that Bedrock's message is about, if the request has it and the message names it."""
    lowered = message.lower()
    for name in request.get(_ADDITIONAL, ()):
        if str(name).lower() in lowered:
            return f"additional_model_request_fields.{name}"
    for setting, path, words in _SETTINGS:
        if any(word in lowered for word in words) and _has(request, path):
            return setting
    return "additional_model_request_fields" if _ADDITIONAL in request and _ADDITIONAL.lower() in lowered else None


def _has(request: Mapping[str, Any], path: tuple[str, ...]) -> bool:
    if not path:
        return "cachePoint" in str([request.get("system"), request["messages"][0]["content"]])
    here: Any = request
    for step in path:
        here = here.get(step) if isinstance(here, Mapping) else None
    return here is not None
