"""Events on EventBridge: one each time a job reaches a terminal state (docs/events.md)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from ai_jobs.aws.clients import get_events_client
from ai_jobs.aws.errors import CALL_ERRORS, code_of, message_of, was_refused
from ai_jobs.aws.items import from_item
from ai_jobs.contract import timestamps
from ai_jobs.contract.documents import whole
from ai_jobs.contract.row import JobRow, JobStatus, has_ended

SOURCE = "ai-jobs"
VERSION = 1
"""Version of the event's `detail`; a new field does not change it."""

DETAIL_TYPES = {
    JobStatus.COMPLETED: "AI Job Completed",
    JobStatus.FAILED: "AI Job Failed",
    JobStatus.CANCELLED: "AI Job Cancelled",
}

MAX_ENTRY_BYTES = 240_000
"""The largest size of one event. EventBridge accepts 256 KB per call, but targets get more than what was sent, and a
message, also one in the on-failure queue, has at most 262,144 bytes, including everything around the event."""

# https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
_MAX_ENTRIES = 10
_MAX_CALL_BYTES = 256_000
_TIME_BYTES = 14

# If the entry itself is wrong, sending it again can't help. Everything else may pass, or an operator can fix it
# (https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsResultEntry.html).
_MALFORMED = {"InvalidArgument", "MalformedDetail", "ValidationException"}

# The traceId of a row is X-Ray's, unless the caller passed one.
_XRAY_TRACE_ID = re.compile("1-[0-9a-f]{8}-[0-9a-f]{24}")

_ALWAYS = ("jobId", "userId", "jobType", "status", "createdAt", "startedAt", "completedAt", "model", "usage", "traceId")


@dataclass(frozen=True)
class JobEvent:
    """An event that is ready to be sent.

    Attributes:
        entry: the event in the format of PutEvents.
    """

    job_id: str
    entry: dict[str, Any]

    @property
    def size(self) -> int:
        """Its size in bytes, as EventBridge counts it.

        https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevent-size.html
        """
        texts = [self.entry["Source"], self.entry["DetailType"], self.entry["Detail"], *self.entry["Resources"]]
        return _TIME_BYTES + sum(len(text.encode()) for text in texts)


@dataclass(frozen=True)
class Sent:
    """What became of an event: it has an id, or else an error code and a message.

    Attributes:
        malformed: whether sending it again can't help.
    """

    event_id: str | None
    code: str = ""
    message: str = ""

    @property
    def malformed(self) -> bool:
        return self.code in _MALFORMED


def row_of_image(image: Mapping[str, Any]) -> JobRow:
    """The row in a record of the table's stream, before (`OldImage`) or after the change (`NewImage`)."""
    return cast("JobRow", from_item(image))


def end_of_image(image: Mapping[str, Any]) -> JobRow:
    """The fields of such a row that `has_just_ended` looks at: to read all of them takes longer than all the rest."""
    return row_of_image({name: image[name] for name in ("status", "completedAt") if name in image})


def has_just_ended(before: JobRow | None, after: JobRow | None) -> bool:
    """Did this change of a row end its job?

    A redriven job may fail once more, and a late result may replace `JOB_STALLED` or `WORKER_CRASHED`: each of these is
    a new end, with its own `completedAt`. The row of an erased user says nothing about a job, and a counter of the
    budget is not a job.
    """
    if after is None or "status" not in after or "completedAt" not in after or not has_ended(after):
        return False
    ended_before = (before.get("status"), before.get("completedAt")) if before else (None, None)
    return ended_before != (after["status"], after["completedAt"])


def event_of(row: JobRow, event_bus_arn: str, table_arn: str, *, include_result: bool) -> JobEvent:
    """The event of a job that ended.

    Args:
        table_arn: goes into the event's `resources`, so that rules can distinguish two environments on one bus.
        include_result: whether the event carries the result (or its location) and the error's message. An event that
            would be too large is sent without the result, and says so (`resultOmitted`).
    """
    event = JobEvent(row["jobId"], _entry(row, _detail(row, include_result), event_bus_arn, table_arn))
    if event.size <= MAX_ENTRY_BYTES:
        return event
    detail = _detail(row, include_result)
    detail.pop("result", None)
    shortened = detail | {"resultOmitted": True}
    return JobEvent(row["jobId"], _entry(row, shortened, event_bus_arn, table_arn))


def _entry(row: JobRow, detail: dict[str, Any], event_bus_arn: str, table_arn: str) -> dict[str, Any]:
    entry = {
        "Time": timestamps.from_text(row["completedAt"]),
        "Source": SOURCE,
        "DetailType": DETAIL_TYPES[JobStatus(row["status"])],
        "Detail": whole(json.dumps(detail, ensure_ascii=False, separators=(",", ":"))),
        "Resources": [table_arn],
        "EventBusName": event_bus_arn,
    }
    traced = _XRAY_TRACE_ID.fullmatch(row.get("traceId", ""))
    return entry | ({"TraceHeader": f"Root={traced[0]}"} if traced else {})


def _detail(row: JobRow, include_result: bool) -> dict[str, Any]:
    fields: Mapping[str, Any] = row
    shown = {name: fields[name] for name in _ALWAYS if name in fields}
    detail = {"version": VERSION} | shown | {"attempts": row.get("calls", 0)}
    if "error" in row:
        parts = ("code", "message", "field") if include_result else ("code", "field")
        detail["error"] = {name: row["error"][name] for name in parts if name in row["error"]}
    if include_result:
        detail |= {name: fields[name] for name in ("result", "resultLocation") if name in fields}
    return detail


def in_calls(events: Iterable[JobEvent]) -> Iterator[list[JobEvent]]:
    """The same events, in order, as many at a time as one call of PutEvents accepts."""
    call: list[JobEvent] = []
    size = 0
    for event in events:
        if call and (len(call) == _MAX_ENTRIES or size + event.size > _MAX_CALL_BYTES):
            yield call
            call, size = [], 0
        call.append(event)
        size += event.size
    if call:
        yield call


def put(events: Sequence[JobEvent]) -> list[Sent]:
    """Send the events of one call and return what became of each; an error of AWS is not raised.

    If EventBridge rejects the call as a whole because of its content, the events are sent one by one, to find the
    malformed one.
    """
    try:
        answer = get_events_client().put_events(Entries=[event.entry for event in events])
    except CALL_ERRORS as error:
        message = message_of(error) if was_refused(error) else "EventBridge could not be reached."
        failed = Sent(None, code_of(error), message)
        if failed.malformed and len(events) > 1:
            return [sent for event in events for sent in put([event])]
        return [failed] * len(events)
    return [
        Sent(entry.get("EventId"), entry.get("ErrorCode", ""), entry.get("ErrorMessage", ""))
        for entry in answer["Entries"]
    ]
