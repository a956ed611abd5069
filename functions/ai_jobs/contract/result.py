"""The outcome of a job, as it appears on the response queue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeGuard, cast

from ai_jobs.contract import documents, timestamps
from ai_jobs.contract.body import SCHEMA_VERSION, check_version, json_object, message_json, without_none
from ai_jobs.contract.errors import JobError, error_body, shown
from ai_jobs.contract.limits import LIMITS
from ai_jobs.contract.locations import result_owner
from ai_jobs.contract.rules import (
    ERROR_CODE,
    JOB_ID,
    JOB_TYPE,
    TRACE_ID,
    USER_ID,
    checked_moment,
    checked_text,
    has_text,
    is_whole_number,
)

_MAX_ATTEMPT = 1_000_000_000
_MAX_TOKENS = LIMITS["daily_tokens"].max

_NO_REASON = "The worker gave no reason."


@dataclass(frozen=True)
class Usage:
    """Tokens of model calls, as Bedrock counts them.

    Attributes:
        input_tokens: without those of the prompt cache.
        cache_read_tokens, cache_write_tokens: input tokens that were read from, or written to, the prompt cache.
    """

    input_tokens: int
    output_tokens: int
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.input_tokens + self.output_tokens + self.cache_read_tokens + self.cache_write_tokens

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cache_read_tokens + other.cache_read_tokens,
            self.cache_write_tokens + other.cache_write_tokens,
        )

    def to_document(self) -> dict[str, int]:
        """The `usage` of messages, rows, and responses; the cache's tokens only if there are any."""
        cached = {"cacheReadInputTokens": self.cache_read_tokens, "cacheWriteInputTokens": self.cache_write_tokens}
        used = {name: tokens for name, tokens in cached.items() if tokens}
        return {"inputTokens": self.input_tokens, "outputTokens": self.output_tokens} | used

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Usage:
        """Read a `usage`, ours or Bedrock's. Raises LookupError, TypeError, or ValueError if it is none."""
        return cls(
            int(document["inputTokens"]),
            int(document["outputTokens"]),
            int(document.get("cacheReadInputTokens", 0)),
            int(document.get("cacheWriteInputTokens", 0)),
        )


def is_usage(document: object) -> TypeGuard[dict[str, Any]]:
    """Does it count tokens as a `usage` does? Another producer's may be anything."""
    if not isinstance(document, dict):
        return False
    counts = [document.get(name) for name in ("inputTokens", "outputTokens")]
    counts += [document[name] for name in ("cacheReadInputTokens", "cacheWriteInputTokens") if name in document]
    return all(is_whole_number(count, 0, _MAX_TOKENS) for count in counts)


@dataclass(frozen=True)
class JobResult:
    """The outcome of a job's work: what the model wrote, or what the type's own handler returned.

    Attributes:
        text: the answer; empty if it is JSON.
        json: the answer of a type with an output schema, or a handler's document.
        model: the model id that answered; empty if a handler called none.
        usage: the tokens of all model calls that led to the answer.
        stop_reason: Bedrock's word for why the model stopped.
        truncated: True when it reached `max_tokens` and the text is cut off.
        model_calls: how many model calls were made for it: an answer that breaks the output schema is corrected.
        service_tier: the tier that served the (last) call, if the response named it.
        estimated_cost: of all calls, in US dollars; None if the price of a model is not known.
        document: in the client, the result as it came. If it is not a model's, it may be any object, and the fields
            above that it lacks are empty.
    """

    text: str
    model: str
    usage: Usage
    stop_reason: str
    truncated: bool
    json: Any = None
    model_calls: int = 1
    service_tier: str | None = None
    estimated_cost: float | None = None
    document: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def to_document(self) -> dict[str, Any]:
        """The result as it appears in messages, rows, and responses."""
        document = {
            "text": self.text if self.json is None else None,
            "json": self.json,
            "model": self.model or None,
            "usage": self.usage.to_document(),
            "stopReason": self.stop_reason or None,
            "truncated": self.truncated,
            "modelCalls": self.model_calls if self.model_calls != 1 else None,
            "serviceTier": self.service_tier,
            "estimatedCost": self.estimated_cost,
        }
        return without_none(document)


@dataclass(frozen=True)
class AIJobResultMessage:
    """The outcome of a job, as it appears on the response queue: the processor's, or one from a worker of your own.

    Attributes:
        attempt: the attempt that it comes from; results of older attempts are dropped. None, for a worker that does not
            know, means the latest attempt of a job that is still open.
        result: of a completed job, any JSON object that is small enough for a message; it is shown unchanged. Its
            numbers must be ones that DynamoDB can store.
        result_location: of a completed job whose result is too large, `{bucket, key, bytes}` of the result document. It
            must be in the module's bucket, under `results/user=USER/job=JOB/`.
        error: of a failed job, `{code, message, field?}`, or a string that says why (its code is then `JOB_FAILED`).
        model, usage: as in the result document, if that is in the bucket: the row shows them in any case.
        timestamp: when the outcome was reached; a moment in the future counts as now.
        processing_time: milliseconds from the claim to the outcome.

    Raises:
        JobError: `NOT_A_RESULT`, naming the field that breaks its rule.
    """

    job_id: str
    user_id: str
    job_type: str
    status: Literal["completed", "failed"]
    attempt: int | None = None
    result: dict[str, Any] | None = None
    result_location: dict[str, Any] | None = None
    error: dict[str, Any] | str | None = None
    timestamp: datetime = field(default_factory=timestamps.now)
    processing_time: int | None = None
    trace_id: str | None = None
    model: str | None = None
    usage: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        checked_text(self.job_id, JOB_ID, "jobId", "NOT_A_RESULT")
        checked_text(self.user_id, USER_ID, "userId", "NOT_A_RESULT")
        checked_text(self.job_type, JOB_TYPE, "jobType", "NOT_A_RESULT")
        if self.attempt is not None and not is_whole_number(self.attempt, 1, _MAX_ATTEMPT):
            rule = f"It must be a whole number from 1 to {_MAX_ATTEMPT}. Omit it for the latest attempt."
            raise JobError("NOT_A_RESULT", f"attempt is {shown(self.attempt, 100)}. {rule}", "attempt")
        if self.status == "completed":
            self._check_result()
        elif self.status == "failed":
            self._check_error()
        else:
            raise JobError(
                "NOT_A_RESULT", f"status is {shown(self.status, 100)}. It must be completed or failed.", "status"
            )

    def _check_result(self) -> None:
        if self.result_location is not None:
            result_owner(self.result_location, self.job_id)
        elif not isinstance(self.result, dict):
            rule = "A completed job needs a result, which must be a JSON object, or a resultLocation."
            raise JobError("NOT_A_RESULT", f"result is missing or not an object. {rule}", "result")
        elif fault := documents.fault_for_table(self.result, "result"):
            raise JobError("NOT_A_RESULT", str(fault), fault.place)

    def _check_error(self) -> None:
        if isinstance(self.error, str):
            return
        if not has_text(self.error, "code"):
            rule = "A failed job needs an error: {code, message}, or a string that says why."
            raise JobError("NOT_A_RESULT", f"error is missing or has no code. {rule}", "error")
        code = cast("dict[str, Any]", self.error)["code"]
        if not ERROR_CODE.fullmatch(code):
            rule = f"It must match {ERROR_CODE.pattern}."
            raise JobError("NOT_A_RESULT", f"error.code is {shown(code)}. {rule}", "error.code")

    @property
    def failure(self) -> dict[str, str] | None:
        """The error of a failed job as the row shows it: `{code, message, field?}`."""
        if self.status != "failed":
            return None
        if not isinstance(self.error, dict):
            return error_body("JOB_FAILED", self.error or _NO_REASON)
        message, at = self.error.get("message"), self.error.get("field")
        reason = message if isinstance(message, str) and message else _NO_REASON
        return error_body(self.error["code"], reason, at if isinstance(at, str) else None)

    def to_body(self) -> str:
        """The message's JSON."""
        document = {
            "schemaVersion": SCHEMA_VERSION,
            "jobId": self.job_id,
            "userId": self.user_id,
            "jobType": self.job_type,
            "attempt": self.attempt,
            "status": self.status,
            "result": self.result,
            "resultLocation": self.result_location,
            "model": self.model,
            "usage": self.usage,
            "error": self.error,
            "timestamp": timestamps.to_text(self.timestamp),
            "processingTime": self.processing_time,
            "traceId": self.trace_id,
        }
        return message_json(document)

    def attributes(self) -> dict[str, str]:
        """The message attributes that go with it."""
        return without_none(
            {"JobId": self.job_id, "UserId": self.user_id, "Status": self.status, "TraceId": self.trace_id}
        )

    @classmethod
    def from_body(cls, body: str) -> AIJobResultMessage:
        """Read a message of the response queue; unknown fields are ignored.

        Raises:
            JobError: `NOT_A_RESULT` naming the field, or `UNSUPPORTED_SCHEMA_VERSION`.
        """
        document = documents.whole_document(json_object(body, "NOT_A_RESULT"))
        check_version(document.get("schemaVersion", SCHEMA_VERSION), "NOT_A_RESULT")
        trace_id = document.get("traceId")
        return cls(
            job_id=document.get("jobId", ""),
            user_id=document.get("userId", ""),
            job_type=document.get("jobType", ""),
            status=document.get("status"),
            attempt=document.get("attempt"),
            result=document.get("result"),
            result_location=document.get("resultLocation"),
            error=document.get("error"),
            timestamp=checked_moment(document.get("timestamp"), "NOT_A_RESULT"),
            processing_time=document.get("processingTime"),
            trace_id=trace_id if isinstance(trace_id, str) and TRACE_ID.fullmatch(trace_id) else None,
            model=document.get("model"),
            usage=document.get("usage"),
        )
