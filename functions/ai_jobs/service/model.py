"""One model call: Amazon Bedrock's Converse."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ai_jobs.aws.clients import get_bedrock_client
from ai_jobs.aws.errors import malformed_model_answer, reported_as_model_error
from ai_jobs.contract.errors import JobError, shown
from ai_jobs.contract.result import Usage
from ai_jobs.service import structured_output
from ai_jobs.service.conversation import Answer, Conversation
from ai_jobs.service.job_type import JobType, Prompt
from ai_jobs.service.model_settings import ModelSettings, OutputRules
from ai_jobs.service.rejected_settings import named_setting

# https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html (stopReason)
_FINISHED = ("end_turn", "stop_sequence")
_CUT_OFF = ("max_tokens", "model_context_window_exceeded")
# Only of an answer that must be JSON: whether it is, decides its schema.
_WITH_OUTPUT = ("tool_use", "malformed_model_output", "malformed_tool_use")
_STOPPED = {
    "guardrail_intervened": ("GUARDRAIL_INTERVENED", "The guardrail stopped the input or the answer."),
    "content_filtered": ("CONTENT_FILTERED", "The model's content filter stopped the answer."),
}


def call_model(
    job_type: JobType, model_id: str, conversation: Conversation, output: OutputRules | None = None
) -> Answer:
    """Call one of the job type's models once and return its answer, whose cost is not known yet.

    Args:
        output: the JSON that is wanted; None for text.

    Raises:
        JobError: with the code for the failure (`ai_jobs.aws.errors`); `GUARDRAIL_INTERVENED` or `CONTENT_FILTERED` if
            the answer was stopped, `MALFORMED_MODEL_ANSWER` if it can't be used.
    """
    request = _request(job_type, model_id, conversation, output)
    with reported_as_model_error(model_id, lambda message: named_setting(message, request)):
        answer = get_bedrock_client(job_type.settings.timeout_seconds).converse(**request)
    return _read(answer, model_id, output)


def _request(
    job_type: JobType, model_id: str, conversation: Conversation, output: OutputRules | None
) -> dict[str, Any]:
    settings, prompt = job_type.settings, conversation.prompt
    request: dict[str, Any] = {
        "modelId": job_type.inference_profiles.get(model_id, model_id),
        "messages": [{"role": "user", "content": _content(prompt, model_id, settings)}, *conversation.further],
        "inferenceConfig": _inference(settings),
    }
    if prompt.system:
        request["system"] = [{"text": prompt.system}, *_cache_point(settings)]
    if output:
        request |= structured_output.request_fields(output, model_id)
    if settings.effort:
        request["outputConfig"] = {"effort": settings.effort} | request.get("outputConfig", {})
    if settings.guardrail:
        request["guardrailConfig"] = {
            "guardrailIdentifier": settings.guardrail.id,
            "guardrailVersion": settings.guardrail.version,
        }
    if settings.service_tier:
        request["serviceTier"] = {"type": settings.service_tier}
    if settings.additional_fields:
        request["additionalModelRequestFields"] = settings.additional_fields
    if settings.metadata:
        request["requestMetadata"] = settings.metadata
    return request


def _inference(settings: ModelSettings) -> dict[str, Any]:
    # maxTokens is always sent: without it, Bedrock reserves the model's maximum from the quota.
    inference: dict[str, Any] = {"maxTokens": settings.max_tokens}
    if settings.temperature is not None:
        inference["temperature"] = settings.temperature
    if settings.top_p is not None:
        inference["topP"] = settings.top_p
    if settings.stop_sequences:
        inference["stopSequences"] = list(settings.stop_sequences)
    return inference


def _content(prompt: Prompt, model_id: str, settings: ModelSettings) -> list[dict[str, Any]]:
    """The request's content blocks. Files come before the text, as the providers of models advise."""
    files = [file.content_block(model_id) for file in prompt.files]
    split = prompt.static_characters if settings.prompt_cache_ttl else 0
    beginning, rest = prompt.user[:split], prompt.user[split:]
    if not (beginning.strip() and rest.strip()):  # Bedrock rejects blank texts
        return [*files, {"text": prompt.user}]
    # What is the same for every job has to come first: Bedrock keeps only what a request begins with.
    return [{"text": beginning}, *_cache_point(settings), *files, {"text": rest}]


def _cache_point(settings: ModelSettings) -> list[dict[str, Any]]:
    # https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html
    return [{"cachePoint": {"type": "default", "ttl": settings.prompt_cache_ttl}}] if settings.prompt_cache_ttl else []


def _read(answer: Mapping[str, Any], model_id: str, output: OutputRules | None) -> Answer:
    try:
        stop_reason = answer["stopReason"]
        if stop_reason in _STOPPED:
            raise JobError(*_STOPPED[stop_reason])
        content = answer["output"]["message"]["content"]
        text = "".join(block["text"] for block in content if "text" in block)
        document = structured_output.document_in(content, text) if output else None
        usage = Usage.from_document(answer["usage"])
        tier = answer.get("serviceTier", {}).get("type")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise malformed_model_answer(model_id, type(error).__name__) from None
    if stop_reason not in (*_FINISHED, *_CUT_OFF, *(_WITH_OUTPUT if output else ())):
        raise malformed_model_answer(model_id, f"stopReason {shown(stop_reason)}")
    if not text and not output:
        raise malformed_model_answer(model_id, f"no text, stopReason {shown(stop_reason)}")
    return Answer(text, document, model_id, usage, stop_reason, stop_reason in _CUT_OFF, content, tier)
