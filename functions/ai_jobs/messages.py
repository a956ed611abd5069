"""The messages on the two queues: their fields, their rules, and their JSON on the wire."""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeGuard, cast

from ai_jobs import documents, timestamps
from ai_jobs.errors import JobError, error_body

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

_ERROR_CODE = re.compile(r"[A-Z][A-Z_]{0,63}")

# SQS refuses these even inside JSON strings, so they have to be escaped
# (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html).
_NOT_FOR_SQS = re.compile("[\ufffe\uffff]")

_MAX_ATTEMPT = 1_000_000_000

_MAX_TOKENS = 10**15

# The largest object that S3 keeps.
_MAX_RESULT_BYTES = 50 * 1024**4

_TIMESTAMP_RULE = "timestamp must be an ISO 8601 UTC time such as 2026-01-31T12:00:00.000Z"

_KINDS: dict[type, str] = {
    dict: "object",
    list: "array",
    str: "string",
    bool: "boolean",
    int: "number",
    float: "number",
    type(None): "null",
}

Attributes = Mapping[str, str]
"""String message attributes by name, already taken out of SQS's `{Name: {StringValue}}` form."""


def _checked(value: object, rule: re.Pattern[str], name: str, code: str) -> str:
    if not isinstance(value, str):
        raise JobError(code, f"{name} is missing or no string: it must be a string matching {rule.pattern}", name)
    if not rule.fullmatch(value):
        raise JobError(code, f"{name} is {value[:140]!r}: it must match {rule.pattern}", name)
    return value


def _is_whole_number(value: object, minimum: int, maximum: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and minimum <= value <= maximum


def check_job_id(job_id: object) -> str:
    """The id, when it follows the contract's rule; else JobError `INVALID_MESSAGE` with field `jobId`."""
    return _checked(job_id, _JOB_ID, "jobId", "INVALID_MESSAGE")


def check_user_id(user_id: object) -> str:
    """The id, when it follows the contract's rule; else JobError `INVALID_MESSAGE` with field `userId`."""
    return _checked(user_id, _USER_ID, "userId", "INVALID_MESSAGE")


def _check_deadline(value: object) -> int:
    if not _is_whole_number(value, 1, MAX_DEADLINE_SECONDS):
        raise JobError(
            "INVALID_MESSAGE",
            f"deadlineSeconds must be a whole number from 1 to {MAX_DEADLINE_SECONDS}",
            "deadlineSeconds",
        )
    return cast("int", value)


def _check_timestamp(value: object) -> datetime:
    moment = _moment(value, "INVALID_MESSAGE")
    if not 2000 <= moment.year < 3000:
        raise JobError("INVALID_MESSAGE", _TIMESTAMP_RULE, "timestamp")
    return moment


def _moment(value: object, error_code: str) -> datetime:
    try:
        return timestamps.from_text(value if isinstance(value, str) else "")
    except (ValueError, OverflowError):
        raise JobError(error_code, _TIMESTAMP_RULE, "timestamp") from None


def result_prefix(user_id: str) -> str:
    """Where the results of a user lie in the bucket. (`user=` keeps a user called `..` from being a path step.)"""
    return f"results/user={user_id}/"


def job_result_prefix(user_id: str, job_id: str) -> str:
    """Where the results of one job lie in the bucket."""
    return f"{result_prefix(user_id)}job={job_id}/"


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
    if not _is_whole_number(value.get("bytes"), 1, MAX_INPUT_BYTES):
        rule = f"inputLocation.bytes must be a whole number from 1 to {MAX_INPUT_BYTES}"
        raise JobError("INVALID_MESSAGE", rule, f"{field_name}.bytes")
    return value


def check_document(document: Any, place: str) -> None:
    """Raise JobError `INVALID_INPUT`, which names the place, when JSON in UTF-8 can't express the document."""
    try:
        fault = documents.fault_in(document, place)
    except RecursionError:
        raise JobError("INVALID_INPUT", "the input is nested too deeply: flatten it", place or None) from None
    if fault:
        raise JobError("INVALID_INPUT", str(fault), fault.place or None)


def _check_version(value: object, error_code: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise JobError(error_code, "schemaVersion must be a whole number from 1", "schemaVersion")
    if value > SCHEMA_VERSION:
        raise JobError(
            "UNSUPPORTED_SCHEMA_VERSION",
            f"schemaVersion is {value}: this release knows up to {SCHEMA_VERSION}; deploy a newer one, then redrive",
            "schemaVersion",
        )


def json_object(body: str, error_code: str) -> dict[str, Any]:
    """The JSON object in a body; JobError with this code when it is none, or nested too deeply.

    It may hold what JSON does not know (`documents.from_json`): `check_document` refuses that by name.
    """
    try:
        document = documents.from_json(body)
    except (ValueError, RecursionError):
        raise JobError(error_code, "the message body is no JSON, or is nested too deeply") from None
    if not isinstance(document, dict):
        raise JobError(error_code, f"the message body is a JSON {json_kind(document)}: it must be an object")
    return document


def json_kind(value: object) -> str:
    """What JSON calls such a value: the reader of a message need not know Python."""
    return _KINDS[type(value)]


def message_json(document: dict[str, Any]) -> str:
    """A document as the body of a message, without fields that are None; what SQS refuses is escaped."""
    text = documents.to_json(_without_none(document))
    return _NOT_FOR_SQS.sub(lambda refused: f"\\u{ord(refused[0]):04x}", text)


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
        JobError: `INVALID_MESSAGE`, naming the field that breaks its rule; `INVALID_INPUT` when the input holds what
            JSON in UTF-8 can't express.
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
        check_document(self.input, "input")
        if self.trace_id is not None:
            _checked(self.trace_id, _TRACE_ID, "traceId", "INVALID_MESSAGE")
        if self.deadline_seconds is not None:
            _check_deadline(self.deadline_seconds)
        if self.input_location is not None:
            _check_input_location(self.input_location, self.user_id)
            check_document(self.input_location, "inputLocation")
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
        unreadable: what is wrong with a body that is no JSON object, of a job that its attributes alone tell of.
    """

    job_id: str
    user_id: str
    job_type: str
    document: dict[str, Any]
    payload_hash: str
    sent_at: datetime
    first_sent_at: datetime
    trace_header: str | None = None
    unreadable: str | None = None

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

        The id comes from the body, else the attribute `JobId`, else SQS's message id: a message
        from `POST /jobs` has no id of its own, and a copy of it must keep the first one's. The user is the attribute
        `UserId` before the body's: where callers bring tokens, the gateway puts there whom it has authenticated.

        A body that can't be read is a job all the same when its attributes tell whose and of which type: its caller has
        a job id from `POST /jobs`, and must be able to see why nothing comes of it.

        Raises:
            JobError: `NOT_A_JOB`, naming the field without which no row can be written.
        """
        unreadable: JobError | None = None
        try:
            document = json_object(body, "NOT_A_JOB")
        except JobError as error:
            if not _names_owner_and_type(attributes):
                raise
            known = {"jobType": attributes["JobType"], "traceId": attributes.get("TraceId")}
            document, unreadable = _without_none(known), error
        job_id = document.get("jobId", attributes.get("JobId") or message_id)
        user_id = _checked(attributes.get("UserId") or document.get("userId"), _USER_ID, "userId", "NOT_A_JOB")
        return cls(
            job_id=_checked(job_id, _JOB_ID, "jobId", "NOT_A_JOB"),
            user_id=user_id,
            job_type=_checked(document.get("jobType"), _JOB_TYPE, "jobType", "NOT_A_JOB"),
            document=document,
            payload_hash=_payload_hash(document | {"input": body} if unreadable else document, user_id),
            sent_at=sent_at,
            first_sent_at=first_sent_at(attributes, sent_at),
            trace_header=trace_header,
            unreadable=unreadable.message if unreadable else None,
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
            JobError: `INVALID_MESSAGE`, `INVALID_INPUT` or `UNSUPPORTED_SCHEMA_VERSION`, naming the field.
        """
        if self.unreadable:
            raise JobError("INVALID_MESSAGE", self.unreadable)
        _check_version(self.document.get("schemaVersion", SCHEMA_VERSION), "INVALID_MESSAGE")
        check_document(self.document, "")
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


def _names_owner_and_type(attributes: Attributes) -> bool:
    rules = (("UserId", _USER_ID), ("JobType", _JOB_TYPE))
    return all(rule.fullmatch(attributes.get(name, "")) for name, rule in rules)


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


def is_usage(document: object) -> TypeGuard[dict[str, Any]]:
    """Does it count tokens as a `usage` does? One of another producer's may be anything."""
    counts = (document.get(name) for name in ("inputTokens", "outputTokens")) if isinstance(document, dict) else (None,)
    return all(_is_whole_number(count, 0, _MAX_TOKENS) for count in counts)


@dataclass(frozen=True)
class JobResult:
    """What the model made of a job.

    Attributes:
        text: the model's words.
        model: the model id that was called.
        stop_reason: Bedrock's word for why it stopped.
        truncated: True when it ran into `max_tokens` and the text is cut off.
        document: the result as it came, in the client: one that is not the model's may be any object. Where it lacks
            a field from above, that is empty.
    """

    text: str
    model: str
    usage: Usage
    stop_reason: str
    truncated: bool
    document: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

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
    """The outcome of a job, as it stands on the response queue: the processor's, or that of a producer of your own.

    Attributes:
        attempt: which attempt it comes from; results of older attempts are dropped. None, for a producer that does not
            know, means the latest attempt of a job that is still open.
        result: any JSON object, when completed and small enough for a message; it is shown as it is. Its numbers must
            be ones that DynamoDB can store.
        result_location: `{bucket, key, bytes}` of the result document, when completed and too large. It must lie in
            the module's bucket, under `results/user=USER/job=JOB/`.
        error: `{code, message, field?}`, or a text that says why (its code is `JOB_FAILED`), when failed.
        model, usage: as in the result document, when that lies elsewhere: the row shows them in any case.
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
        _checked(self.job_id, _JOB_ID, "jobId", "NOT_A_RESULT")
        _checked(self.user_id, _USER_ID, "userId", "NOT_A_RESULT")
        _checked(self.job_type, _JOB_TYPE, "jobType", "NOT_A_RESULT")
        if self.attempt is not None and not _is_whole_number(self.attempt, 1, _MAX_ATTEMPT):
            rule = f"attempt must be a whole number from 1 to {_MAX_ATTEMPT}; leave it out for the latest"
            raise JobError("NOT_A_RESULT", rule, "attempt")
        if self.status == "completed":
            self._check_result()
        elif self.status == "failed":
            self._check_error()
        else:
            raise JobError("NOT_A_RESULT", f"status is {self.status!r:.100}: it must be completed or failed", "status")

    def _check_result(self) -> None:
        if self.result_location is not None:
            result_owner(self.result_location, self.job_id)
        elif not isinstance(self.result, dict):
            raise JobError("NOT_A_RESULT", "a completed job needs a result, a JSON object, or where it lies", "result")
        elif fault := documents.fault_for_table(self.result, "result"):
            raise JobError("NOT_A_RESULT", str(fault), fault.place)

    def _check_error(self) -> None:
        if isinstance(self.error, str):
            return
        if not _has_text(self.error, "code"):
            rule = "a failed job needs an error: {code, message}, or a text that says why"
            raise JobError("NOT_A_RESULT", rule, "error")
        code = cast("dict[str, Any]", self.error)["code"]
        if not _ERROR_CODE.fullmatch(code):
            rule = f"it must match {_ERROR_CODE.pattern}"
            raise JobError("NOT_A_RESULT", f"error.code is {code[:140]!r}: {rule}", "error.code")

    @property
    def failure(self) -> dict[str, str] | None:
        """The error of a failed job as its row shows it: `{code, message, field?}`."""
        if self.status != "failed":
            return None
        if not isinstance(self.error, dict):
            return error_body("JOB_FAILED", self.error or _NO_REASON)
        message, at = self.error.get("message"), self.error.get("field")
        shown = message if isinstance(message, str) and message else _NO_REASON
        return error_body(self.error["code"], shown, at if isinstance(at, str) else None)

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
        document = documents.whole_document(json_object(body, "NOT_A_RESULT"))
        _check_version(document.get("schemaVersion", SCHEMA_VERSION), "NOT_A_RESULT")
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
            timestamp=_moment(document.get("timestamp"), "NOT_A_RESULT"),
            processing_time=document.get("processingTime"),
            trace_id=trace_id if isinstance(trace_id, str) and _TRACE_ID.fullmatch(trace_id) else None,
            model=document.get("model"),
            usage=document.get("usage"),
        )


_NO_REASON = "whoever worked on the job gives no reason"


def result_owner(location: object, job_id: str) -> str:
    """Whose result lies at a location: it must be under the job's own prefix.

    Raises:
        JobError: `NOT_A_RESULT`, naming the field.
    """
    if not (isinstance(location, dict) and _has_text(location, "bucket") and _has_text(location, "key")):
        raise JobError("NOT_A_RESULT", "resultLocation must be {bucket, key, bytes}", "resultLocation")
    if not _is_whole_number(location.get("bytes"), 0, _MAX_RESULT_BYTES):
        rule = f"resultLocation.bytes must be a whole number from 0 to {_MAX_RESULT_BYTES}"
        raise JobError("NOT_A_RESULT", rule, "resultLocation.bytes")
    key = location["key"]
    owner = key.partition("/user=")[2].partition("/")[0]
    prefix = job_result_prefix(owner, job_id)
    if not key.startswith(prefix) or {"", ".", ".."} & set(key.removeprefix(prefix).split("/")):
        rule = f"it must be an object's, under {job_result_prefix('USER', job_id)}"
        raise JobError("NOT_A_RESULT", f"resultLocation.key is {key[:140]!r}: {rule}", "resultLocation.key")
    return str(owner)


def _has_text(document: object, name: str) -> bool:
    return isinstance(document, dict) and isinstance(document.get(name), str)
