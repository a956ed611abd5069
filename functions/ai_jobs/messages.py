"""The messages on the two queues: their fields, their rules, and their JSON on the wire."""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from ai_jobs import timestamps
from ai_jobs.errors import JobError

SCHEMA_VERSION = 1
"""The newest message version that this code understands."""

MAX_DEADLINE_SECONDS = 1_209_600
"""14 days, the longest that SQS keeps a message."""

FIRST_SENT_AT = "FirstSentAt"
"""Attribute of a delayed copy: when SQS took the original, which is when the job's time began to run."""

THROTTLE_COUNT = "ThrottleCount"
"""Attribute of a delayed copy: how many copies there have been, this one included (not those of a denial)."""

DENIED_SINCE = "DeniedSince"
"""Attribute of a delayed copy whose model denied access: when it first did."""

OF_DELAYED_COPIES = (FIRST_SENT_AT, THROTTLE_COUNT, DENIED_SINCE)
"""What a delayed copy carries beside the attributes of its original; a redrive starts over without them."""

MAX_MESSAGE_BYTES = 262_144
"""What one SQS message may weigh, body and attributes together (`max_message_size` of the queues)."""

INLINE_LIMIT_BYTES = 200_000
"""Inputs and results over this size go to S3: the rest of a message, and its attributes, need room too."""

MAX_INPUT_BYTES = 10_000_000
"""The largest input that a worker reads from S3: several times what any model's context takes."""

_JOB_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_USER_ID = re.compile(r"[A-Za-z0-9._:@-]{1,128}")
_JOB_TYPE = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_TRACE_ID = re.compile(r"[A-Za-z0-9._:=;-]{1,256}")

# SQS refuses these even inside JSON strings, so they have to be escaped
# (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html).
_NOT_FOR_SQS = re.compile("[\ud800-\udfff\ufffe\uffff]")

Attributes = Mapping[str, str]
"""String message attributes by name, already taken out of SQS's `{Name: {StringValue}}` form."""


def _checked(value: object, rule: re.Pattern[str], name: str, code: str) -> str:
    if not isinstance(value, str):
        raise JobError(code, f"{name} is missing or no string: it must be a string matching {rule.pattern}", name)
    if not rule.fullmatch(value):
        raise JobError(code, f"{name} is {value[:140]!r}: it must match {rule.pattern}", name)
    return value


def check_job_id(job_id: object) -> str:
    """The id, when it follows the contract's rule; else JobError `INVALID_MESSAGE` with field `jobId`."""
    return _checked(job_id, _JOB_ID, "jobId", "INVALID_MESSAGE")


def check_user_id(user_id: object) -> str:
    """The id, when it follows the contract's rule; else JobError `INVALID_MESSAGE` with field `userId`."""
    return _checked(user_id, _USER_ID, "userId", "INVALID_MESSAGE")


def _check_deadline(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_DEADLINE_SECONDS:
        raise JobError(
            "INVALID_MESSAGE",
            f"deadlineSeconds must be a whole number from 1 to {MAX_DEADLINE_SECONDS}",
            "deadlineSeconds",
        )
    return value


def _check_timestamp(value: object) -> datetime:
    try:
        moment = timestamps.from_text(value if isinstance(value, str) else "")
        if not 2000 <= moment.year < 3000:
            raise ValueError(moment.year)
        return moment
    except (ValueError, OverflowError):
        raise JobError(
            "INVALID_MESSAGE", "timestamp must be an ISO 8601 UTC time such as 2026-01-31T12:00:00.000Z", "timestamp"
        ) from None


def input_prefix(user_id: str) -> str:
    """Where the inputs of a user lie in the bucket. (`user=` keeps a user called `..` from being a path step.)"""
    return f"inputs/user={user_id}/"


def _check_input_location(value: object, user_id: str) -> dict[str, Any]:
    field_name = "inputLocation"
    if not (isinstance(value, dict) and _has_text(value, "bucket") and _has_text(value, "key")):
        raise JobError("INVALID_MESSAGE", "inputLocation must be {bucket, key, bytes}", field_name)
    # A worker may read every user's inputs, so that a message must not be able to name another user's.
    if not value["key"].startswith(input_prefix(user_id)):
        rule = f"inputLocation.key must begin with {input_prefix(user_id)}"
        raise JobError("INVALID_MESSAGE", rule, f"{field_name}.key")
    size = value.get("bytes")
    if isinstance(size, bool) or not isinstance(size, int) or not 0 < size <= MAX_INPUT_BYTES:
        rule = f"inputLocation.bytes must be a whole number from 1 to {MAX_INPUT_BYTES}"
        raise JobError("INVALID_MESSAGE", rule, f"{field_name}.bytes")
    return value


def _check_json(job_input: dict[str, Any]) -> None:
    try:
        json.dumps(job_input, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise JobError("INVALID_MESSAGE", f"input can't be written as JSON: {reason}", "input") from None


def _check_version(value: object, error_code: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise JobError(error_code, "schemaVersion must be a whole number from 1", "schemaVersion")
    if value > SCHEMA_VERSION:
        raise JobError(
            "UNSUPPORTED_SCHEMA_VERSION",
            f"schemaVersion is {value}: this release knows up to {SCHEMA_VERSION}; deploy a newer one, then redrive",
            "schemaVersion",
        )


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def json_object(body: str, error_code: str) -> dict[str, Any]:
    """The JSON object in a body; JobError with this code when it is none, or nested too deeply."""
    try:
        document = json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise JobError(error_code, "the message body is no JSON, or is nested too deeply") from None
    if not isinstance(document, dict):
        raise JobError(error_code, f"the message body is a JSON {type(document).__name__}: it must be an object")
    return document


def message_json(document: dict[str, Any]) -> str:
    """A document as the body of a message, without fields that are None; what SQS refuses is escaped."""
    text = json.dumps(_without_none(document), ensure_ascii=False)
    return json.dumps(_without_none(document)) if _NOT_FOR_SQS.search(text) else text


def size_in_message(document: dict[str, Any]) -> int:
    """Bytes that a document takes within a message's body."""
    return len(message_json(document).encode())


def _without_none(document: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if value is not None}


@dataclass(frozen=True)
class AIJobMessage:
    """A job as it stands on the request queue.

    Attributes:
        user_id: 1 to 128 of `A-Za-z0-9._:@-`; also the fair queue's group.
        job_type: the name of a configured job type.
        input: what the type's `input_schema` asks for.
        job_id: 1 to 128 of `A-Za-z0-9._:-`; a new UUID unless given. Choose it yourself to make a retry harmless.
        timestamp: when the job was submitted; now unless given.
        trace_id: a trace id of the caller's, carried through to the row.
        deadline_seconds: how long after `timestamp` the job may still run; the module's default when None.
        input_location: `{bucket, key, bytes}` of an input that is too large for a message; `input` is then empty.
            `send_ai_job_request` sets it by itself.

    Raises:
        JobError: `INVALID_MESSAGE`, naming the field that breaks its rule.
    """

    user_id: str
    job_type: str
    input: dict[str, Any]
    job_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    timestamp: datetime = field(default_factory=timestamps.now)
    trace_id: str | None = None
    deadline_seconds: int | None = None
    input_location: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        check_job_id(self.job_id)
        if self.timestamp.tzinfo is None:
            raise JobError("INVALID_MESSAGE", "timestamp names no time zone: use datetime.now(UTC)", "timestamp")
        check_user_id(self.user_id)
        _checked(self.job_type, _JOB_TYPE, "jobType", "INVALID_MESSAGE")
        if not isinstance(self.input, dict):
            raise JobError("INVALID_MESSAGE", "input must be a JSON object", "input")
        _check_json(self.input)
        if self.trace_id is not None:
            _checked(self.trace_id, _TRACE_ID, "traceId", "INVALID_MESSAGE")
        if self.deadline_seconds is not None:
            _check_deadline(self.deadline_seconds)
        if self.input_location is not None:
            _check_input_location(self.input_location, self.user_id)
            if self.input:
                raise JobError("INVALID_MESSAGE", "there are both input and inputLocation: give one of them", "input")

    def to_body(self) -> str:
        """The message's JSON."""
        document = {
            "schemaVersion": SCHEMA_VERSION,
            "jobId": self.job_id,
            "userId": self.user_id,
            "jobType": self.job_type,
            "input": None if self.input_location else self.input,
            "inputLocation": self.input_location,
            "timestamp": timestamps.to_text(self.timestamp),
            "traceId": self.trace_id,
            "deadlineSeconds": self.deadline_seconds,
        }
        return message_json(document)

    def attributes(self) -> dict[str, str]:
        """The message attributes that go with it."""
        return _without_none(
            {"JobId": self.job_id, "UserId": self.user_id, "JobType": self.job_type, "TraceId": self.trace_id}
        )


@dataclass(frozen=True)
class ReceivedJob:
    """A message of the request queue whose job is known, though the job may still turn out to be invalid.

    Attributes:
        document: the parsed body.
        payload_hash: tells whether two messages with one jobId ask for the same thing.
        sent_at: when SQS took the message.
        first_sent_at: when SQS took the original that a delayed copy stands for; else the same.
        trace_header: the X-Ray trace that the message came with.
    """

    job_id: str
    user_id: str
    job_type: str
    document: dict[str, Any]
    payload_hash: str
    sent_at: datetime
    first_sent_at: datetime
    trace_header: str | None = None

    @classmethod
    def parse(
        cls,
        body: str,
        attributes: Attributes,
        message_id: str,
        sent_at: datetime,
        trace_header: str | None = None,
    ) -> ReceivedJob:
        """Find out which job a message belongs to.

        The id comes from the body, else the attribute `JobId`, else SQS's message id (contract.md): a message
        from `POST /jobs` has no id of its own, and a copy of it must keep the first one's. The user is the attribute
        `UserId` before the body's: where callers bring tokens, the gateway puts there whom it has authenticated.

        Raises:
            JobError: `NOT_A_JOB`, naming the field without which no row can be written.
        """
        document = json_object(body, "NOT_A_JOB")
        job_id = document.get("jobId", attributes.get("JobId") or message_id)
        user_id = _checked(attributes.get("UserId") or document.get("userId"), _USER_ID, "userId", "NOT_A_JOB")
        return cls(
            job_id=_checked(job_id, _JOB_ID, "jobId", "NOT_A_JOB"),
            user_id=user_id,
            job_type=_checked(document.get("jobType"), _JOB_TYPE, "jobType", "NOT_A_JOB"),
            document=document,
            payload_hash=_payload_hash(document, user_id),
            sent_at=sent_at,
            first_sent_at=first_sent_at(attributes, sent_at),
            trace_header=trace_header,
        )

    @property
    def trace_id(self) -> str | None:
        """The caller's trace id where it is usable (`validated` reports one that is not), else X-Ray's."""
        value = self.document.get("traceId", _x_ray_trace_id(self.trace_header))
        return value if isinstance(value, str) and _TRACE_ID.fullmatch(value) else None

    @property
    def created_at(self) -> datetime:
        """When the job was submitted: the body's timestamp, but not later than when SQS took the first message."""
        try:
            return min(_check_timestamp(self.document["timestamp"]), self.first_sent_at)
        except (KeyError, JobError):
            return self.first_sent_at

    def deadline_seconds(self, default: int) -> int:
        """How long the job may take: its own wish where that is usable, else `default`."""
        try:
            return _check_deadline(self.document["deadlineSeconds"])
        except (KeyError, JobError):
            return default

    def validated(self) -> AIJobMessage:
        """The job, every field of it checked.

        Raises:
            JobError: `INVALID_MESSAGE` or `UNSUPPORTED_SCHEMA_VERSION`, naming the field.
        """
        _check_version(self.document.get("schemaVersion", SCHEMA_VERSION), "INVALID_MESSAGE")
        if "timestamp" in self.document:
            _check_timestamp(self.document["timestamp"])
        return AIJobMessage(
            user_id=self.user_id,
            job_type=self.job_type,
            input=self._input(),
            job_id=self.job_id,
            timestamp=self.created_at,
            trace_id=self.document.get("traceId"),
            deadline_seconds=self.document.get("deadlineSeconds"),
            input_location=self.document.get("inputLocation"),
        )

    def _input(self) -> Any:
        elsewhere = self.document.get("inputLocation") is not None
        return self.document.get("input", {} if elsewhere else None)


def first_sent_at(attributes: Attributes, sent_at: datetime) -> datetime:
    """When SQS took the original of a message: of a delayed copy it says so itself, of any other it is `sent_at`."""
    try:
        return min(_check_timestamp(attributes.get(FIRST_SENT_AT)), sent_at)
    except JobError:
        return sent_at


def denied_since(attributes: Attributes, now: datetime) -> datetime:
    """When a message that was denied access now was first denied it: `now`, unless it is a copy that waits for it."""
    try:
        return min(_check_timestamp(attributes.get(DENIED_SINCE)), now)
    except JobError:
        return now


def _x_ray_trace_id(trace_header: str | None) -> str | None:
    """The trace id within `Root=1-67891233-abcdef012345678912345678;Parent=...;Sampled=1`.

    https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader
    """
    parts = (part.strip().partition("=") for part in (trace_header or "").split(";"))
    return next((value for name, _, value in parts if name == "Root" and value), None)


def known_job_id(body: str, attributes: Attributes) -> str | None:
    """The id that a message names, though it is no job otherwise; None when it names none that can be one."""
    try:
        named = json_object(body, "NOT_A_JOB").get("jobId")
    except JobError:
        named = None
    usable = (text for text in (named, attributes.get("JobId")) if isinstance(text, str) and _JOB_ID.fullmatch(text))
    return next(usable, None)


def _payload_hash(document: dict[str, Any], user_id: str) -> str:
    asked = [user_id, document.get("jobType"), document.get("input")]
    if "inputLocation" in document:
        asked.append(document["inputLocation"])
    try:
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
    except RecursionError:
        raise JobError("NOT_A_JOB", "the input is nested too deeply", "input") from None


@dataclass(frozen=True)
class Usage:
    """Tokens of one model call, as Bedrock counts them."""

    input_tokens: int
    output_tokens: int


@dataclass(frozen=True)
class JobResult:
    """What the model made of a job.

    Attributes:
        text: the model's words.
        model: the model id that was called.
        stop_reason: Bedrock's word for why it stopped.
        truncated: True when it ran into `max_tokens` and the text is cut off.
    """

    text: str
    model: str
    usage: Usage
    stop_reason: str
    truncated: bool

    def to_document(self) -> dict[str, Any]:
        """The result as it stands in messages, rows and answers."""
        return {
            "text": self.text,
            "model": self.model,
            "usage": {"inputTokens": self.usage.input_tokens, "outputTokens": self.usage.output_tokens},
            "stopReason": self.stop_reason,
            "truncated": self.truncated,
        }


@dataclass(frozen=True)
class AIJobResultMessage:
    """The outcome of one attempt at a job, as it stands on the response queue.

    Attributes:
        attempt: which attempt it comes from; results of older attempts are dropped.
        result: the result document, when completed and small enough for a message.
        result_location: `{bucket, key, bytes}` of the result document, when completed and too large.
        error: `{code, message, field?}`, when failed.
        model, usage: as in the result document, when that lies elsewhere: the row shows them in any case.
        timestamp: when the outcome was reached.
        processing_time: milliseconds from the claim to the outcome.
    """

    job_id: str
    user_id: str
    job_type: str
    status: Literal["completed", "failed"]
    attempt: int = 1
    result: dict[str, Any] | None = None
    result_location: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    timestamp: datetime = field(default_factory=timestamps.now)
    processing_time: int | None = None
    trace_id: str | None = None
    model: str | None = None
    usage: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        _checked(self.job_id, _JOB_ID, "jobId", "NOT_A_RESULT")
        _checked(self.user_id, _USER_ID, "userId", "NOT_A_RESULT")
        _checked(self.job_type, _JOB_TYPE, "jobType", "NOT_A_RESULT")
        if isinstance(self.attempt, bool) or not isinstance(self.attempt, int) or self.attempt < 1:
            raise JobError("NOT_A_RESULT", "attempt must be a whole number from 1", "attempt")
        self._check_outcome()

    def _check_outcome(self) -> None:
        if self.status not in ("completed", "failed"):
            raise JobError("NOT_A_RESULT", f"status is {self.status!r}: it must be completed or failed", "status")
        if self.status == "failed" and not _has_text(self.error, "code"):
            raise JobError("NOT_A_RESULT", "a failed job needs an error with its code", "error")
        found = _has_text(self.result, "text") or _has_text(self.result_location, "key")
        if self.status == "completed" and not found:
            raise JobError("NOT_A_RESULT", "a completed job needs a result with its text, or where it lies", "result")

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
        return _without_none(
            {"JobId": self.job_id, "UserId": self.user_id, "Status": self.status, "TraceId": self.trace_id}
        )

    @classmethod
    def from_body(cls, body: str) -> AIJobResultMessage:
        """Read a message of the response queue; unknown fields are ignored.

        Raises:
            JobError: `NOT_A_RESULT` naming the field, or `UNSUPPORTED_SCHEMA_VERSION`.
        """
        document = json_object(body, "NOT_A_RESULT")
        _check_version(document.get("schemaVersion", SCHEMA_VERSION), "NOT_A_RESULT")
        try:
            timestamp = _check_timestamp(document.get("timestamp"))
        except JobError as error:
            raise JobError("NOT_A_RESULT", error.message, "timestamp") from None
        return cls(
            job_id=document.get("jobId", ""),
            user_id=document.get("userId", ""),
            job_type=document.get("jobType", ""),
            status=document.get("status"),  # type: ignore[arg-type]  # checked with the rest of the fields
            attempt=document.get("attempt", 1),
            result=document.get("result"),
            result_location=document.get("resultLocation"),
            error=document.get("error"),
            timestamp=timestamp,
            processing_time=document.get("processingTime"),
            trace_id=document.get("traceId"),
            model=document.get("model"),
            usage=document.get("usage"),
        )


def _has_text(document: object, name: str) -> bool:
    return isinstance(document, dict) and isinstance(document.get(name), str)
