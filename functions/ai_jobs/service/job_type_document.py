"""How a job type is read from the document that modules/job-types writes.

Terraform has checked all of it at plan time. It is checked again, because a document can also come from elsewhere, and
a broken type must say what is wrong with it instead of failing its jobs one by one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from ai_jobs.contract.attachments import MAX_COUNT, MAX_DOCUMENTS
from ai_jobs.contract.errors import MisconfiguredError, shown
from ai_jobs.contract.limits import LIMITS, MEDIA_TYPES, MODEL_SETTINGS, PATTERNS, Limit
from ai_jobs.service.job_type import JobType
from ai_jobs.service.model_settings import AttachmentRules, Guardrail, ModelSettings, OutputRules
from ai_jobs.service.prompts import compile_prompt, static_beginning
from ai_jobs.service.schemas import compile_schema

_HANDLER = re.compile(PATTERNS["handler"])


_SCHEMAS = {"inputSchema": "input_schema", "outputSchema": "output_schema"}
"""The schemas of a type, and their names in HCL."""

Check = Callable[[Any, str], Any]


def read_job_type(name: str, document: Any) -> JobType:
    """The job type that one value of the document's `jobTypes` describes.

    Raises:
        MisconfiguredError: naming the place of what makes it unusable.
    """
    if not isinstance(document, dict):
        raise MisconfiguredError(f"jobTypes.{name}", f"It is {shown(document)}. It must be a JSON object.")
    handler = _handler(document)
    prompt = None if handler else document.get("prompt")
    system_prompt = document.get("systemPrompt")
    schema: Any = document.get("inputSchema")
    checks = _compiled_schemas(document)
    return JobType(
        name=name,
        model_ids=(_text(document, "modelId"), *_texts(document, "fallbackModelIds", LIMITS["fallback_models"])),
        inference_profiles=_texts_by_name(document, "inferenceProfiles"),
        settings=_settings(document),
        output=_output(document, checks),
        # A handler spreads the files over as many calls as it likes.
        attachments=_attachments(document.get("attachments"), MAX_COUNT if handler else MAX_DOCUMENTS),
        handler=handler,
        _validate=checks["inputSchema"],
        _fields=frozenset(schema.get("properties", ())),
        _prompt=None if handler else compile_prompt(prompt, "prompt"),
        _system_prompt=compile_prompt(system_prompt, "systemPrompt") if system_prompt else None,
        _static_prompt=static_beginning(prompt) if isinstance(prompt, str) else "",
    )


def _settings(document: Mapping[str, Any]) -> ModelSettings:
    cache = _object(document, "promptCache")
    return ModelSettings(
        max_tokens=_whole_number(document, "maxTokens", LIMITS["model_max_tokens"]),
        timeout_seconds=_whole_number(document, "timeoutSeconds", LIMITS["model_timeout_seconds"]),
        temperature=_number(document, "temperature", LIMITS["model_temperature"]),
        top_p=_number(document, "topP", LIMITS["model_top_p"]),
        stop_sequences=_texts(document, "stopSequences", LIMITS["stop_sequences"]),
        effort=_choice(document, "effort", MODEL_SETTINGS["efforts"]),
        service_tier=_choice(document, "serviceTier", MODEL_SETTINGS["service_tiers"]),
        prompt_cache_ttl=_choice(cache, "ttl", MODEL_SETTINGS["prompt_cache_ttls"], "promptCache.") if cache else None,
        guardrail=_guardrail(document.get("guardrail")),
        additional_fields=_object(document, "additionalModelRequestFields") or {},
        metadata=_texts_by_name(document, "requestMetadata"),
    )


def _compiled_schemas(document: Mapping[str, Any]) -> dict[str, Check]:
    """The checks of the type's schemas. Raises one MisconfiguredError for all that is wrong with them."""
    checks: dict[str, Check] = {}
    problems: list[MisconfiguredError] = []
    for place in _SCHEMAS:
        if place == "inputSchema" or document.get(place) is not None:
            try:
                # An output gets no defaults: the result shows what the model wrote.
                checks[place] = compile_schema(document.get(place), place, fill_in_defaults=place == "inputSchema")
            except MisconfiguredError as error:
                problems.append(error)
    if problems:
        told = " ".join(map(_with_hcl_name, problems))
        raise MisconfiguredError(problems[0].place, told.removeprefix(f"{problems[0].place}: "))
    return checks


def _with_hcl_name(problem: MisconfiguredError) -> str:
    name = next(name for place, name in _SCHEMAS.items() if problem.place.startswith(place))
    return f"{str(problem).rstrip('.')}. In HCL, it is part of {name}."


def _output(document: Mapping[str, Any], checks: Mapping[str, Check]) -> OutputRules | None:
    schema = document.get("outputSchema")
    if schema is None:
        return None
    rules = _object(document, "output") or {}
    repairs = rules.get("repairs", 1)
    limit = LIMITS["output_repairs"]
    if isinstance(repairs, bool) or not isinstance(repairs, int) or not limit.min <= repairs <= limit.max:
        rule = f"It must be a whole number from {limit.min} to {limit.max}."
        raise MisconfiguredError("output.repairs", f"It is {shown(repairs)}. {rule}")
    return OutputRules(
        schema=schema,
        mode=_choice(rules, "mode", MODEL_SETTINGS["output_modes"], "output."),
        repairs=repairs,
        check=checks["outputSchema"],
    )


def _attachments(document: Any, max_documents: int) -> AttachmentRules | None:
    if document is None:
        return None
    if not isinstance(document, dict):
        rule = "It must be an object with mediaTypes, maxCount, and maxBytes."
        raise MisconfiguredError("attachments", f"It is {shown(document)}. {rule}")
    media_types = document.get("mediaTypes")
    if not isinstance(media_types, list) or not media_types or not set(map(str, media_types)) <= set(MEDIA_TYPES):
        rule = f"It must be a list of at least one of: {', '.join(MEDIA_TYPES)}."
        raise MisconfiguredError("attachments.mediaTypes", f"It is {shown(media_types)}. {rule}")
    return AttachmentRules(
        media_types=tuple(media_types),
        max_count=_whole_number(document, "maxCount", LIMITS["attachment_count"], "attachments."),
        max_bytes=_whole_number(document, "maxBytes", LIMITS["attachment_bytes"], "attachments."),
        max_documents=max_documents,
    )


def _handler(document: Mapping[str, Any]) -> str | None:
    value = document.get("handler")
    if value is not None and not (isinstance(value, str) and _HANDLER.fullmatch(value)):
        rule = "It must be MODULE:FUNCTION, such as acme_jobs.reports:summarize."
        raise MisconfiguredError("handler", f"It is {shown(value)}. {rule}")
    return value


def _text(document: Mapping[str, Any], name: str, within: str = "") -> str:
    value = document.get(name)
    if not isinstance(value, str) or not value:
        raise MisconfiguredError(f"{within}{name}", f"It is {shown(value)}. It must be a non-empty string.")
    return value


def _texts(document: Mapping[str, Any], name: str, limit: Limit) -> tuple[str, ...]:
    values = document.get(name, [])
    if not isinstance(values, list) or not all(isinstance(one, str) and one for one in values):
        raise MisconfiguredError(name, f"It is {shown(values)}. It must be a list of non-empty strings.")
    if len(values) > limit.max:
        raise MisconfiguredError(name, f"It has {len(values)} values. It may have at most {limit.max}.")
    return tuple(values)


def _texts_by_name(document: Mapping[str, Any], name: str) -> dict[str, str]:
    values = document.get(name, {})
    if not isinstance(values, dict) or not all(isinstance(one, str) for one in values.values()):
        raise MisconfiguredError(name, f"It is {shown(values)}. It must be an object whose values are strings.")
    return values


def _object(document: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    value = document.get(name)
    if value is not None and not isinstance(value, dict):
        raise MisconfiguredError(name, f"It is {shown(value)}. It must be a JSON object.")
    return value


def _choice(document: Mapping[str, Any], name: str, choices: list[str], within: str = "") -> str | None:
    value = document.get(name)
    if value is not None and value not in choices:
        rule = f"It must be one of: {', '.join(choices)}. Omit it to leave it to the model."
        raise MisconfiguredError(f"{within}{name}", f"It is {shown(value)}. {rule}")
    return value


def _whole_number(document: Mapping[str, Any], name: str, limit: Limit, within: str = "") -> int:
    value = document.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not limit.min <= value <= limit.max:
        rule = f"It must be a whole number from {limit.min} to {limit.max}."
        raise MisconfiguredError(f"{within}{name}", f"It is {shown(value)}. {rule}")
    return value


def _number(document: Mapping[str, Any], name: str, limit: Limit) -> float | None:
    value = document.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not limit.min <= value <= limit.max:
        rule = f"It must be a number from {limit.min} to {limit.max}."
        raise MisconfiguredError(name, f"It is {shown(value)}. {rule} Omit it to use the model's default.")
    return value


def _guardrail(document: Any) -> Guardrail | None:
    if document is None:
        return None
    if not isinstance(document, dict):
        raise MisconfiguredError("guardrail", f"It is {shown(document)}. It must be an object with id and version.")
    return Guardrail(_text(document, "id", "guardrail."), _text(document, "version", "guardrail."))
