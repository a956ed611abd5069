"""A job on the request queue: as it is sent, and as a worker receives it."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from ai_jobs.contract import timestamps
from ai_jobs.contract.body import (
    SCHEMA_VERSION,
    check_version,
    checked_json,
    fits_in_message,
    for_sqs,
    json_object,
    message_json,
    with_field,
    without_none,
)
from ai_jobs.contract.errors import JobError
from ai_jobs.contract.locations import check_input_location
from ai_jobs.contract.rules import (
    JOB_ID,
    JOB_TYPE,
    TRACE_ID,
    USER_ID,
    check_deadline,
    check_job_id,
    check_timestamp,
    check_user_id,
    checked_text,
)

FIRST_SENT_AT = "FirstSentAt"
"""Attribute of a delayed copy: when SQS accepted the original, which is when the job's time began to run."""

THROTTLE_COUNT = "ThrottleCount"
"""Attribute of a delayed copy: how many copies there have been, including this one (but not those after a denial)."""

DENIED_SINCE = "DeniedSince"
"""Attribute of a delayed copy whose model denied access: when it first did."""

OF_DELAYED_COPIES = (FIRST_SENT_AT, THROTTLE_COUNT, DENIED_SINCE)
"""What a delayed copy carries in addition to its original's attributes; a redrive starts over without them."""

Attributes = Mapping[str, str]
"""String message attributes by name, already taken out of SQS's `{Name: {StringValue}}` form."""


@dataclass(frozen=True)
class AIJobMessage:
    """A job to be sent to the request queue.

    Attributes:
        user_id: 1 to 128 characters from `A-Za-z0-9._:@-`; also the fair queue's group.
        job_type: the name of a configured job type.
        input: what the type's `input_schema` requires. It is sent as it is now: later changes to it have no effect.
        job_id: 1 to 128 characters from `A-Za-z0-9._:-`; a new UUID by default. Pass your own to make a retry harmless.
        timestamp: when the job was submitted; now by default.
        trace_id: the caller's own trace id, which the row and the logs show.
        deadline_seconds: how long after `timestamp` the job may still run; the module's default if omitted.
        input_location: `{bucket, key, bytes}` of an input that is too large for a message; `input` is then empty.
            `send_ai_job_request` sets it when needed.
        input_json: the JSON of `input`, written once: this text is checked, measured, stored, and sent.

    Raises:
        JobError: `INVALID_MESSAGE`, naming the field that breaks its rule; `INVALID_INPUT` when the input contains
            something that JSON in UTF-8 can't express.
    """

    user_id: str
    job_type: str
    input: dict[str, Any]
    job_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    timestamp: datetime = field(default_factory=timestamps.now)
    trace_id: str | None = None
    deadline_seconds: int | None = None
    input_location: dict[str, Any] | None = None
    input_json: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_job_id(self.job_id)
        if self.timestamp.tzinfo is None:
            reason = "timestamp does not name a time zone. It must be an aware datetime. Use datetime.now(UTC)."
            raise JobError("INVALID_MESSAGE", reason, "timestamp")
        check_user_id(self.user_id)
        checked_text(self.job_type, JOB_TYPE, "jobType", "INVALID_MESSAGE")
        _check_is_object(self.input)
        object.__setattr__(self, "input_json", checked_json(self.input, "input"))
        _check_optional_fields(self.trace_id, self.deadline_seconds)
        if self.input_location is not None:
            _check_location(self.input_location, self.input, self.user_id)
            checked_json(self.input_location, "inputLocation")

    @property
    def has_large_input(self) -> bool:
        """Must the input go to the bucket, because a message has no room for it?"""
        return not fits_in_message(self.input_json)

    def to_body(self, timestamp: datetime | None = None) -> str:
        """The message's JSON.

        Args:
            timestamp: when the job counts as submitted; `self.timestamp` by default.
        """
        body = message_json(self._fields(timestamp or self.timestamp))
        return body if self.input_location else with_field(body, "input", for_sqs(self.input_json))

    def attributes(self) -> dict[str, str]:
        """The message attributes that go with it."""
        return without_none(
            {"JobId": self.job_id, "UserId": self.user_id, "JobType": self.job_type, "TraceId": self.trace_id}
        )

    def document(self) -> dict[str, Any]:
        """What is in the message's JSON."""
        document = without_none(self._fields(self.timestamp))
        return document if self.input_location else document | {"input": self.input}

    def _fields(self, timestamp: datetime) -> dict[str, Any]:
        """The fields of the message's JSON, except the input."""
        return {
            "schemaVersion": SCHEMA_VERSION,
            "jobId": self.job_id,
            "userId": self.user_id,
            "jobType": self.job_type,
            "inputLocation": self.input_location,
            "timestamp": timestamps.to_text(timestamp),
            "traceId": self.trace_id,
            "deadlineSeconds": self.deadline_seconds,
        }


@dataclass(frozen=True)
class ReceivedJob:
    """A message of the request queue whose job is known, though the job may still turn out to be invalid.

    Attributes:
        document: the parsed body.
        payload_hash: distinguishes two messages that have the same jobId but ask for different things.
        sent_at: when SQS accepted the message.
        first_sent_at: when SQS accepted the original that a delayed copy stands for; otherwise the same.
        trace_header: the X-Ray trace that the message came with.
        unreadable: what is wrong with a body that is not a JSON object, if only the attributes say which job it is.
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

        The id comes from the body, else from the attribute `JobId`, else it is SQS's message id: a message from
        `POST /jobs` has no id of its own, and a copy of it must keep the first one's. The attribute `UserId` takes
        precedence over the user in the body: where callers bring tokens, the gateway sets it to the authenticated user.

        A body that can't be read is still a job if the attributes say whose it is and of which type: its caller has a
        job id from `POST /jobs`, and must be able to see why nothing comes of it.

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
            document, unreadable = without_none(known), error
        job_id = document.get("jobId", attributes.get("JobId") or message_id)
        user_id = checked_text(attributes.get("UserId") or document.get("userId"), USER_ID, "userId", "NOT_A_JOB")
        return cls(
            job_id=checked_text(job_id, JOB_ID, "jobId", "NOT_A_JOB"),
            user_id=user_id,
            job_type=checked_text(document.get("jobType"), JOB_TYPE, "jobType", "NOT_A_JOB"),
            document=document,
            payload_hash=_payload_hash(document | {"input": body} if unreadable else document, user_id),
            sent_at=sent_at,
            first_sent_at=first_sent_at(attributes, sent_at),
            trace_header=trace_header,
            unreadable=unreadable.message if unreadable else None,
        )

    @classmethod
    def of(cls, message: AIJobMessage, trace_header: str | None = None) -> ReceivedJob:
        """The job in a message that is about to be sent, exactly as `parse` will find it."""
        document = message.document()
        return cls(
            job_id=message.job_id,
            user_id=message.user_id,
            job_type=message.job_type,
            document=document,
            payload_hash=_payload_hash(document, message.user_id),
            sent_at=message.timestamp,
            first_sent_at=message.timestamp,
            trace_header=trace_header,
        )

    @cached_property
    def trace_id(self) -> str | None:
        """The caller's trace id if it is usable (`check` reports one that is not), else X-Ray's."""
        value = self.document.get("traceId", _x_ray_trace_id(self.trace_header))
        return value if isinstance(value, str) and TRACE_ID.fullmatch(value) else None

    @property
    def created_at(self) -> datetime:
        """When the job was submitted: the body's timestamp, but no later than when SQS accepted the first message."""
        try:
            return min(check_timestamp(self.document["timestamp"]), self.first_sent_at)
        except (KeyError, JobError):
            return self.first_sent_at

    def deadline_seconds(self, default: int) -> int:
        """How long the job may take: the number in the message if it is usable, else `default`."""
        try:
            return check_deadline(self.document["deadlineSeconds"])
        except (KeyError, JobError):
            return default

    @property
    def input(self) -> Any:
        """What the job works on, a JSON object once `check` has passed; empty if it is at `input_location`."""
        return self.document.get("input", None if self.input_location is None else {})

    @property
    def input_location(self) -> Any:
        """`{bucket, key, bytes}` of an input in the bucket, once `check` has passed; else None."""
        return self.document.get("inputLocation")

    def check(self) -> None:
        """Check every field of the job.

        Raises:
            JobError: `INVALID_MESSAGE`, `INVALID_INPUT`, or `UNSUPPORTED_SCHEMA_VERSION`, naming the field.
        """
        if self.unreadable:
            raise JobError("INVALID_MESSAGE", self.unreadable)
        check_version(self.document.get("schemaVersion", SCHEMA_VERSION), "INVALID_MESSAGE")
        checked_json(self.document, "")
        if "timestamp" in self.document:
            check_timestamp(self.document["timestamp"])
        _check_is_object(self.input)
        _check_optional_fields(self.document.get("traceId"), self.document.get("deadlineSeconds"))
        if self.input_location is not None:
            _check_location(self.input_location, self.input, self.user_id)


def _check_is_object(job_input: object) -> None:
    if not isinstance(job_input, dict):
        raise JobError("INVALID_MESSAGE", "input is missing or not an object. It must be a JSON object.", "input")


def _check_optional_fields(trace_id: object, deadline_seconds: object) -> None:
    if trace_id is not None:
        checked_text(trace_id, TRACE_ID, "traceId", "INVALID_MESSAGE")
    if deadline_seconds is not None:
        check_deadline(deadline_seconds)


def _check_location(location: object, job_input: object, user_id: str) -> None:
    check_input_location(location, user_id)
    if job_input:
        reason = "The message has both an input and an inputLocation. It must have exactly one of them. Omit the other."
        raise JobError("INVALID_MESSAGE", reason, "input")


def _names_owner_and_type(attributes: Attributes) -> bool:
    rules = (("UserId", USER_ID), ("JobType", JOB_TYPE))
    return all(rule.fullmatch(attributes.get(name, "")) for name, rule in rules)


def first_sent_at(attributes: Attributes, sent_at: datetime) -> datetime:
    """When SQS accepted the original of a message: a delayed copy says so itself, for any other it is `sent_at`."""
    try:
        return min(check_timestamp(attributes.get(FIRST_SENT_AT)), sent_at)
    except JobError:
        return sent_at


def denied_since(attributes: Attributes, now: datetime) -> datetime:
    """When a message that is denied access now was first denied it: `now`, unless it is a copy waiting for access."""
    try:
        return min(check_timestamp(attributes.get(DENIED_SINCE)), now)
    except JobError:
        return now


def _x_ray_trace_id(trace_header: str | None) -> str | None:
    """The trace id within `Root=1-67891233-abcdef012345678912345678;Parent=...;Sampled=1`.

    https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader
    """
    parts = (part.strip().partition("=") for part in (trace_header or "").split(";"))
    return next((value for name, _, value in parts if name == "Root" and value), None)


def known_job_id(body: str, attributes: Attributes) -> str | None:
    """The id that a message names, although it is not a usable job; None if it names none that can be one."""
    try:
        named = json_object(body, "NOT_A_JOB").get("jobId")
    except JobError:
        named = None
    usable = (text for text in (named, attributes.get("JobId")) if isinstance(text, str) and JOB_ID.fullmatch(text))
    return next(usable, None)


def _payload_hash(document: dict[str, Any], user_id: str) -> str:
    """A hash of what the job asks for. Key order and spaces make no difference."""
    asked = [user_id, document.get("jobType"), document.get("input")]
    if "inputLocation" in document:
        asked.append(document["inputLocation"])
    try:
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
    except RecursionError:
        raise JobError("NOT_A_JOB", "The input is nested too deeply. Flatten it.", "input") from None
