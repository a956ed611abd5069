"""A job on the request queue: as it is sent, and as a worker receives it."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ai_jobs.contract import timestamps
from ai_jobs.contract.body import SCHEMA_VERSION, check_document, check_version, json_object, message_json, without_none
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
"""Attribute of a delayed copy: when SQS took the original, which is when the job's time began to run."""


THROTTLE_COUNT = "ThrottleCount"
"""Attribute of a delayed copy: how many copies there have been, this one included (not those of a denial)."""


DENIED_SINCE = "DeniedSince"
"""Attribute of a delayed copy whose model denied access: when it first did."""


OF_DELAYED_COPIES = (FIRST_SENT_AT, THROTTLE_COUNT, DENIED_SINCE)
"""What a delayed copy carries beside the attributes of its original; a redrive starts over without them."""


Attributes = Mapping[str, str]
"""String message attributes by name, already taken out of SQS's `{Name: {StringValue}}` form."""


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
        checked_text(self.job_type, JOB_TYPE, "jobType", "INVALID_MESSAGE")
        if not isinstance(self.input, dict):
            raise JobError("INVALID_MESSAGE", "input must be a JSON object", "input")
        check_document(self.input, "input")
        if self.trace_id is not None:
            checked_text(self.trace_id, TRACE_ID, "traceId", "INVALID_MESSAGE")
        if self.deadline_seconds is not None:
            check_deadline(self.deadline_seconds)
        if self.input_location is not None:
            check_input_location(self.input_location, self.user_id)
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
        return without_none(
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

    @property
    def trace_id(self) -> str | None:
        """The caller's trace id where it is usable (`validated` reports one that is not), else X-Ray's."""
        value = self.document.get("traceId", _x_ray_trace_id(self.trace_header))
        return value if isinstance(value, str) and TRACE_ID.fullmatch(value) else None

    @property
    def created_at(self) -> datetime:
        """When the job was submitted: the body's timestamp, but not later than when SQS took the first message."""
        try:
            return min(check_timestamp(self.document["timestamp"]), self.first_sent_at)
        except (KeyError, JobError):
            return self.first_sent_at

    def deadline_seconds(self, default: int) -> int:
        """How long the job may take: its own wish where that is usable, else `default`."""
        try:
            return check_deadline(self.document["deadlineSeconds"])
        except (KeyError, JobError):
            return default

    def validated(self) -> AIJobMessage:
        """The job, every field of it checked.

        Raises:
            JobError: `INVALID_MESSAGE`, `INVALID_INPUT` or `UNSUPPORTED_SCHEMA_VERSION`, naming the field.
        """
        if self.unreadable:
            raise JobError("INVALID_MESSAGE", self.unreadable)
        check_version(self.document.get("schemaVersion", SCHEMA_VERSION), "INVALID_MESSAGE")
        check_document(self.document, "")
        if "timestamp" in self.document:
            check_timestamp(self.document["timestamp"])
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
    rules = (("UserId", USER_ID), ("JobType", JOB_TYPE))
    return all(rule.fullmatch(attributes.get(name, "")) for name, rule in rules)


def first_sent_at(attributes: Attributes, sent_at: datetime) -> datetime:
    """When SQS took the original of a message: of a delayed copy it says so itself, of any other it is `sent_at`."""
    try:
        return min(check_timestamp(attributes.get(FIRST_SENT_AT)), sent_at)
    except JobError:
        return sent_at


def denied_since(attributes: Attributes, now: datetime) -> datetime:
    """When a message that was denied access now was first denied it: `now`, unless it is a copy that waits for it."""
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
    """The id that a message names, though it is no job otherwise; None when it names none that can be one."""
    try:
        named = json_object(body, "NOT_A_JOB").get("jobId")
    except JobError:
        named = None
    usable = (text for text in (named, attributes.get("JobId")) if isinstance(text, str) and JOB_ID.fullmatch(text))
    return next(usable, None)


def _payload_hash(document: dict[str, Any], user_id: str) -> str:
    asked = [user_id, document.get("jobType"), document.get("input")]
    if "inputLocation" in document:
        asked.append(document["inputLocation"])
    try:
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
    except RecursionError:
        raise JobError("NOT_A_JOB", "the input is nested too deeply", "input") from None
