"""The model call: Amazon Bedrock's Converse."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ai_jobs.aws.clients import get_bedrock_client
from ai_jobs.aws.errors import malformed_model_answer, reported_as_model_error
from ai_jobs.contract.errors import JobError, shown
from ai_jobs.contract.result import JobResult, Usage
from ai_jobs.service.job_types import JobType, Prompt

# https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html (stopReason)
_FINISHED = ("end_turn", "stop_sequence")
_CUT_OFF = ("max_tokens", "model_context_window_exceeded")
_STOPPED = {
    "guardrail_intervened": ("GUARDRAIL_INTERVENED", "The guardrail stopped the input or the answer."),
    "content_filtered": ("CONTENT_FILTERED", "The model's content filter stopped the answer."),
}


def call_model(job_type: JobType, prompt: Prompt) -> JobResult:
    """Call the job type's model and return its answer.

    Raises:
        JobError: with the code for the failure (`ai_jobs.aws.errors`); `GUARDRAIL_INTERVENED` or `CONTENT_FILTERED` if
            the answer was stopped, `MALFORMED_MODEL_ANSWER` if it has no usable text.
    """
    with reported_as_model_error(job_type.model_id):
        answer = get_bedrock_client(job_type.timeout_seconds).converse(**_request(job_type, prompt))
    return _read(answer, job_type.model_id)


def _request(job_type: JobType, prompt: Prompt) -> dict[str, Any]:
    # maxTokens is always sent: without it, Bedrock reserves the model's maximum from the quota.
    inference: dict[str, Any] = {"maxTokens": job_type.max_tokens}
    if job_type.temperature is not None:
        inference["temperature"] = job_type.temperature
    request: dict[str, Any] = {
        "modelId": job_type.model_id,
        "messages": [{"role": "user", "content": [{"text": prompt.user}]}],
        "inferenceConfig": inference,
    }
    if prompt.system:
        request["system"] = [{"text": prompt.system}]
    if job_type.guardrail:
        request["guardrailConfig"] = {
            "guardrailIdentifier": job_type.guardrail.id,
            "guardrailVersion": job_type.guardrail.version,
        }
    return request


def _read(answer: Mapping[str, Any], model_id: str) -> JobResult:
    try:
        stop_reason = answer["stopReason"]
        if stop_reason in _STOPPED:
            raise JobError(*_STOPPED[stop_reason])
        text = "".join(block["text"] for block in answer["output"]["message"]["content"] if "text" in block)
        usage = Usage(int(answer["usage"]["inputTokens"]), int(answer["usage"]["outputTokens"]))
    except (KeyError, TypeError, ValueError) as error:
        raise malformed_model_answer(model_id, type(error).__name__) from None
    if not text or stop_reason not in (*_FINISHED, *_CUT_OFF):
        raise malformed_model_answer(model_id, f"no text, stopReason {shown(stop_reason)}")
    return JobResult(text=text, model=model_id, usage=usage, stop_reason=stop_reason, truncated=stop_reason in _CUT_OFF)
