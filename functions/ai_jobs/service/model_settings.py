"""What the model calls of a job type send beside their messages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Guardrail:
    """A Bedrock guardrail, by id (or ARN) and version."""

    id: str
    version: str


@dataclass(frozen=True)
class ModelSettings:
    """The settings of a type's model calls; None and empty leave it to the model.

    Attributes:
        max_tokens: the most tokens that the model may write.
        timeout_seconds: how long one call may take.
        prompt_cache_ttl: how long Bedrock keeps the beginning of the prompt, `5m` or `1h`; None for no caching.
        additional_fields: fields of the request that only this model knows.
        metadata: goes into Bedrock's invocation logs.
    """

    max_tokens: int
    timeout_seconds: int
    temperature: float | None = None
    top_p: float | None = None
    stop_sequences: tuple[str, ...] = ()
    effort: str | None = None
    service_tier: str | None = None
    prompt_cache_ttl: str | None = None
    guardrail: Guardrail | None = None
    additional_fields: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class OutputRules:
    """What a type's JSON output must be, and how the model is asked for it.

    Attributes:
        schema: the JSON Schema.
        mode: `native` or `tool`; None for what the model has (`ai_jobs.service.structured_output`).
        repairs: how often the model may correct an answer that breaks the schema.
        check: validates a document, whose name in messages is its second argument.
    """

    schema: Mapping[str, Any]
    mode: str | None
    repairs: int
    check: Callable[[Any, str], Any]


@dataclass(frozen=True)
class AttachmentRules:
    """The files that a job of a type may have.

    Attributes:
        media_types: the types that are allowed.
        max_count: how many files a job may have.
        max_bytes: how large each may be.
        max_documents: how many of the files may be documents.
    """

    media_types: tuple[str, ...]
    max_count: int
    max_bytes: int
    max_documents: int
