"""Events of jobs that ended: which changes cause one, what it says, and that none is lost."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jsonschema
import pytest
from boto3.dynamodb.types import TypeSerializer
from botocore.exceptions import EndpointConnectionError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ai_jobs import AIJobResultMessage, JobError
from ai_jobs.aws import clients
from ai_jobs.contract import timestamps
from ai_jobs.contract.request import ReceivedJob
from ai_jobs.service.events import MAX_ENTRY_BYTES, event_of, has_just_ended, in_calls, put, row_of_image
from ai_jobs.service.job_store import JobStore
from ai_jobs.service.outcomes import Applied, ClaimTerms
from event_publisher.publish import NothingPublishedError, publish
from event_publisher.settings import EventPublisherSettings

BUS = "arn:aws:events:eu-west-1:123456789012:event-bus/default"
TABLE = "arn:aws:dynamodb:eu-west-1:123456789012:table/jobs"
QUEUE = "https://sqs.eu-west-1.amazonaws.com/123456789012/events-dlq"
SETTINGS = EventPublisherSettings(BUS, TABLE, QUEUE, include_result=False)
SCHEMA = json.loads((Path(__file__).parents[2] / "docs/schemas/job-event.json").read_text())

TRACE_ID = "1-67891233-abcdef012345678912345678"
ROW: dict[str, Any] = {
    "jobId": "job-1",
    "userId": "user-1",
    "jobType": "greeting",
    "status": "completed",
    "createdAt": "2026-01-31T12:00:00.000Z",
    "createdAt#jobId": "2026-01-31T12:00:00.000Z#job-1",
    "startedAt": "2026-01-31T12:00:01.000Z",
    "updatedAt": "2026-01-31T12:00:03.000Z",
    "completedAt": "2026-01-31T12:00:02.500Z",
    "attempt": 3,
    "calls": 1,
    "payloadHash": "f" * 64,
    "result": {
        "text": "Hello, Ada.",
        "model": "m",
        "usage": {"inputTokens": 12, "outputTokens": 5},
        "stopReason": "end_turn",
        "truncated": False,
    },
    "model": "m",
    "usage": {"inputTokens": 12, "outputTokens": 5},
    "traceId": TRACE_ID,
    "expiresAt": 1772539200,
}
FAILED = {name: value for name, value in ROW.items() if name not in ("result", "model", "usage")} | {
    "status": "failed",
    "error": {"code": "INVALID_INPUT", "message": "input.name: 7 is no text", "field": "input.name"},
}
OPEN = {name: value for name, value in ROW.items() if name not in ("result", "model", "usage", "completedAt")} | {
    "status": "processing"
}

_numbers = itertools.count(100)


def image(row: dict[str, Any]) -> dict[str, Any]:
    return {name: TypeSerializer().serialize(value) for name, value in row.items()}


def change(before: dict[str, Any] | None, after: dict[str, Any] | None, name: str | None = None) -> dict[str, Any]:
    """A record of the stream, as Lambda passes it on.

    https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
    """
    given = {"OldImage": before, "NewImage": after}
    images = {key: image(row) for key, row in given.items() if row is not None}
    kind = name or ("INSERT" if before is None else "REMOVE" if after is None else "MODIFY")
    number = str(next(_numbers))
    return {"eventID": number, "eventName": kind, "dynamodb": {"SequenceNumber": number, **images}}


def ended(job_id: str, **fields: Any) -> dict[str, Any]:
    return change(OPEN | {"jobId": job_id}, ROW | {"jobId": job_id} | fields)


def number(record: dict[str, Any]) -> str:
    return str(record["dynamodb"]["SequenceNumber"])


class Bus:
    """What EventBridge accepted, and how it responds: by job id, an error code for each time the event comes."""

    def __init__(self) -> None:
        self.taken: list[dict[str, Any]] = []
        self.refusals: dict[str, Iterator[str]] = {}

    def __call__(self, parameters: dict[str, Any]) -> dict[str, Any]:
        entries = [self._answer(entry) for entry in parameters["Entries"]]
        return {"FailedEntryCount": sum("ErrorCode" in entry for entry in entries), "Entries": entries}

    def _answer(self, entry: dict[str, Any]) -> dict[str, str]:
        code = next(self.refusals.get(json.loads(entry["Detail"])["jobId"], iter(())), None)
        if code:
            return {"ErrorCode": code, "ErrorMessage": f"on cue: {code}"}
        self.taken.append(entry)
        return {"EventId": f"event-{len(self.taken)}"}

    def refuse(self, job_id: str, *codes: str) -> None:
        self.refusals[job_id] = iter(codes)

    @property
    def job_ids(self) -> list[str]:
        return [json.loads(entry["Detail"])["jobId"] for entry in self.taken]


@pytest.fixture
def bus(calls) -> Bus:
    fake = Bus()
    calls.answers["PutEvents"] = fake
    calls.answers["SendMessage"] = {"MessageId": "letter-1"}
    return fake


def delivered(entry: dict[str, Any]) -> dict[str, Any]:
    """The event as a target gets it."""
    return {
        "source": entry["Source"],
        "detail-type": entry["DetailType"],
        "time": entry["Time"].strftime("%Y-%m-%dT%H:%M:%SZ"),
        "resources": entry["Resources"],
        "detail": json.loads(entry["Detail"]),
    }


# Which changes are events


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (OPEN, ROW),
        (OPEN, FAILED),
        (OPEN, FAILED | {"status": "cancelled"}),
        (OPEN | {"status": "queued"}, FAILED | {"status": "cancelled"}),
        (None, FAILED),  # a job that no worker ever claimed
        (FAILED, ROW),  # a late result replaces JOB_STALLED
        (FAILED, FAILED | {"completedAt": "2026-01-31T13:00:00.000Z"}),
        (None, ROW),  # a record whose event is to be published again
    ],
)
def test_a_job_that_reaches_a_terminal_state_is_one_event(bus, before, after):
    assert publish([change(before, after)], SETTINGS) == []
    assert len(bus.taken) == 1


TOMBSTONE = {"jobId": "job-1", "status": "cancelled", "updatedAt": "2026-02-01T00:00:00.000Z", "erasedAt": "x"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, OPEN),
        (OPEN | {"status": "queued"}, OPEN),
        (FAILED, OPEN),  # a redrive
        (ROW, ROW | {"updatedAt": "2026-02-01T00:00:00.000Z"}),  # the same end, looked at again
        (ROW, None),  # TTL
        (ROW, TOMBSTONE),
        (OPEN, TOMBSTONE),
        (TOMBSTONE, None),
        (None, {"jobId": "spend#2026-01-31", "tokens": 5, "expiresAt": 1}),
        ({"jobId": "spend#2026-01-31", "tokens": 5}, {"jobId": "spend#2026-01-31", "tokens": 7}),
    ],
)
def test_nothing_else_is_an_event(calls, before, after):
    assert publish([change(before, after)], SETTINGS) == []  # the filter of the trigger is no part of this
    assert calls.made == []


def test_a_removed_row_is_none_whatever_images_it_has(calls):
    assert publish([change(OPEN, ROW, name="REMOVE")], SETTINGS) == []
    assert calls.made == []


STEPS = st.lists(
    st.sampled_from(
        ["submit", "claim", "release", "complete", "fail", "stall", "close", "cancel", "dead", "erase", "wait"]
    ),
    min_size=1,
    max_size=15,
)


class Life:
    """One job in the store; each step says whether it ended the job, according to the store."""

    def __init__(self, job_id: str) -> None:
        self.job_id = job_id
        self.now = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
        self.store = JobStore("jobs", 30, lambda: self.now)
        self.attempt = 1

    def job(self) -> ReceivedJob:
        body = {"jobId": self.job_id, "userId": "user-1", "jobType": "greeting", "input": {"name": "Ada"}}
        return ReceivedJob.parse(json.dumps(body), {}, "message-1", self.now)

    def submit(self) -> bool:
        self.store.submit(self.job(), 300, 60)
        return False

    def claim(self) -> bool:
        found = self.store.claim(self.job(), "message-1", ClaimTerms(self.now + timedelta(seconds=60), 300, 60))
        self.attempt = getattr(found, "attempt", self.attempt)
        return False

    def release(self) -> bool:
        self.store.release(self.job_id, self.attempt)
        return False

    def _apply(self, status: str, **outcome: Any) -> bool:
        message = AIJobResultMessage(
            self.job_id, "user-1", "greeting", status, attempt=self.attempt, timestamp=self.now, **outcome
        )
        return self.store.apply_result(message).applied is Applied.APPLIED

    def complete(self) -> bool:
        return self._apply("completed", result=ROW["result"])

    def fail(self) -> bool:
        return self._apply("failed", error={"code": "MODEL_ERROR", "message": "x"})

    def stall(self) -> bool:
        error = JobError("JOB_STALLED", "x")
        return self.store.close_stalled(self.job_id, error, started=True) or self.store.close_stalled(
            self.job_id, error, started=False
        )

    def close(self) -> bool:
        found = self.store.find(self.job_id)
        return found is not None and self.store.close(found, JobError("WORKER_CRASHED", "x"))

    def cancel(self) -> bool:
        return self.store.cancel(self.job_id).done

    def dead(self) -> bool:
        return self.store.create_failed(self.job(), "message-1", JobError("RETRIES_EXHAUSTED", "x"))

    def erase(self) -> bool:
        self.store.erase(self.job_id)
        return False

    def wait(self) -> bool:
        self.now += timedelta(seconds=200)
        return False


_lives = itertools.count(1)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_every_end_that_the_store_writes_is_exactly_one_event(aws, steps):
    life = Life(f"job-{next(_lives)}")
    table = clients.get_dynamodb_client()

    def now() -> dict[str, Any] | None:
        item = table.get_item(TableName="jobs", Key={"jobId": {"S": life.job_id}}).get("Item")
        return row_of_image(item) if item else None

    for step in steps:
        life.now += timedelta(seconds=1)  # no two writes of one millisecond
        before = now()
        was_ended = getattr(life, step)()
        after = now()
        assert has_just_ended(before, after) == was_ended, step
        assert before != after or not was_ended, step


# What they say


@pytest.mark.parametrize("include_result", [False, True])
@pytest.mark.parametrize(
    "row",
    [
        ROW,
        FAILED,
        FAILED | {"status": "cancelled", "error": None},
        {name: value for name, value in ROW.items() if name != "result"}
        | {"resultLocation": {"bucket": "objects", "key": "results/job-1", "bytes": 300_000}},
    ],
)
def test_an_event_is_as_its_schema_says(row, include_result):
    row = {name: value for name, value in row.items() if value is not None}
    event = event_of(row_of_image(image(row)), BUS, TABLE, include_result=include_result)
    jsonschema.validate(delivered(event.entry), SCHEMA)


def test_by_default_an_event_holds_no_content():
    entry = event_of(row_of_image(image(ROW)), BUS, TABLE, include_result=False).entry
    assert json.loads(entry["Detail"]) == {
        "version": 1,
        "jobId": "job-1",
        "userId": "user-1",
        "jobType": "greeting",
        "status": "completed",
        "createdAt": "2026-01-31T12:00:00.000Z",
        "startedAt": "2026-01-31T12:00:01.000Z",
        "completedAt": "2026-01-31T12:00:02.500Z",
        "attempts": 1,
        "model": "m",
        "usage": {"inputTokens": 12, "outputTokens": 5},
        "traceId": TRACE_ID,
    }
    assert entry | {"Detail": ""} == {
        "Time": datetime(2026, 1, 31, 12, 0, 2, 500_000, tzinfo=UTC),
        "Source": "ai-jobs",
        "DetailType": "AI Job Completed",
        "Detail": "",
        "Resources": [TABLE],
        "EventBusName": BUS,
        "TraceHeader": f"Root={TRACE_ID}",
    }
    failed = event_of(row_of_image(image(FAILED)), BUS, TABLE, include_result=False).entry
    assert json.loads(failed["Detail"])["error"] == {"code": "INVALID_INPUT", "field": "input.name"}


def test_a_trace_id_of_the_callers_own_is_no_header():
    assert "TraceHeader" not in event_of(ROW | {"traceId": "order 7"}, BUS, TABLE, include_result=False).entry


def test_on_request_it_holds_the_result_or_says_where_it_is():
    event = event_of(row_of_image(image(ROW)), BUS, TABLE, include_result=True)
    assert json.loads(event.entry["Detail"])["result"] == ROW["result"]
    place = {"bucket": "objects", "key": "results/job-1", "bytes": 300_000}
    stored = {name: value for name, value in ROW.items() if name != "result"} | {"resultLocation": place}
    event = event_of(row_of_image(image(stored)), BUS, TABLE, include_result=True)
    assert json.loads(event.entry["Detail"])["resultLocation"] == place
    failed = event_of(row_of_image(image(FAILED)), BUS, TABLE, include_result=True)
    assert json.loads(failed.entry["Detail"])["error"] == FAILED["error"]


def test_a_result_that_does_not_fit_is_left_out_and_that_is_said():
    large = ROW | {"result": ROW["result"] | {"text": '"' * 130_000}}  # 260,000 bytes as JSON
    event = event_of(large, BUS, TABLE, include_result=True)
    detail = json.loads(event.entry["Detail"])
    assert "result" not in detail
    assert detail["resultOmitted"] is True
    jsonschema.validate(delivered(event.entry), SCHEMA)
    fits = ROW | {"result": ROW["result"] | {"text": "x" * 239_000}}
    assert event_of(fits, BUS, TABLE, include_result=True).size <= MAX_ENTRY_BYTES


def test_a_call_has_ten_entries_and_256_kb_at_most():
    def event(bytes_: int) -> Any:
        return event_of(ROW | {"result": {"text": "x" * bytes_}}, BUS, TABLE, include_result=True)

    assert [len(call) for call in in_calls([event(1)] * 25)] == [10, 10, 5]
    assert [len(call) for call in in_calls([event(100_000)] * 5)] == [2, 2, 1]
    assert list(in_calls([])) == []


# That none is lost


def test_a_batch_is_published_in_order_ten_at_a_time(bus, calls):
    records = [ended(f"job-{index}") for index in range(25)]
    records.insert(3, change(None, OPEN))
    assert publish(records, SETTINGS) == []
    assert bus.job_ids == [f"job-{index}" for index in range(25)]
    assert [len(call["Entries"]) for call in calls.of("PutEvents")] == [10, 10, 5]


OTHERS = ["AccessDeniedException", "NotAuthorizedForSourceException", "InvalidAccountIdException", "SomethingNew"]


@pytest.mark.parametrize("code", ["ThrottlingException", "InternalFailure", *OTHERS])
def test_what_may_pass_or_can_be_mended_comes_again_from_the_first_that_failed(bus, calls, code):
    records = [ended(f"job-{index}") for index in range(25)]
    bus.refuse("job-4", code)
    assert publish(records, SETTINGS) == [number(records[4])]
    assert len(calls.of("PutEvents")) == 1  # what comes later is not sent ahead of it
    assert publish(records[4:], SETTINGS) == []
    assert set(bus.job_ids) == {f"job-{index}" for index in range(25)}
    assert calls.of("SendMessage") == []


def test_a_batch_of_which_nothing_gets_through_is_an_error(bus):
    """So that Lambda backs off, and the alarm on the function's errors fires."""
    bus.refuse("job-0", "ThrottlingException")
    with pytest.raises(NothingPublishedError):
        publish([change(None, OPEN), ended("job-0"), ended("job-1")], SETTINGS)


@pytest.mark.parametrize("error", ["AccessDeniedException", "ThrottlingException", "InternalException"])
def test_a_call_that_is_refused_as_a_whole_comes_again(calls, error):
    calls.refuse("PutEvents", error)
    with pytest.raises(NothingPublishedError):
        publish([ended("job-0")], SETTINGS)


def test_a_bus_that_can_not_be_reached_comes_again(calls):
    calls.answers["PutEvents"] = EndpointConnectionError(endpoint_url="https://events")
    with pytest.raises(NothingPublishedError):
        publish([ended("job-0")], SETTINGS)


def test_an_event_that_is_refused_for_good_goes_to_the_queue_and_holds_up_nobody(bus, calls):
    bus.refuse("job-1", "MalformedDetail")
    assert publish([ended("job-0"), ended("job-1"), ended("job-2")], SETTINGS) == []
    assert bus.job_ids == ["job-0", "job-2"]
    (letter,) = calls.of("SendMessage")
    assert letter["QueueUrl"] == QUEUE
    attributes = {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}
    assert timestamps.from_text(attributes.pop("FailedAt"))
    assert attributes == {"JobId": "job-1", "ErrorCode": "MalformedDetail", "ErrorMessage": "on cue: MalformedDetail"}
    body = json.loads(letter["MessageBody"])
    assert body["Detail"]["jobId"] == "job-1"
    assert (body["Source"], body["DetailType"], body["EventBusName"]) == ("ai-jobs", "AI Job Completed", BUS)
    assert body["Time"] == "2026-01-31T12:00:02.500Z"


def test_one_entry_that_makes_the_whole_call_refused_is_found(calls, bus):
    def strict(parameters: dict[str, Any]) -> Any:
        if any(json.loads(entry["Detail"])["jobId"] == "job-1" for entry in parameters["Entries"]):
            calls.refuse("Nothing", "ValidationException", "Total size of the entries in the request is over the limit")
            return calls.answers["Nothing"]
        return bus(parameters)

    calls.answers["PutEvents"] = strict
    assert publish([ended("job-0"), ended("job-1"), ended("job-2")], SETTINGS) == []
    assert bus.job_ids == ["job-0", "job-2"]
    assert len(calls.of("SendMessage")) == 1


def test_the_largest_event_fits_into_a_letter(bus, calls):
    bus.refuse("job-1", "InvalidArgument")
    large = ended("job-1", result=ROW["result"] | {"text": "x" * 239_000})
    assert publish([large], replace(SETTINGS, include_result=True)) == []
    (letter,) = calls.of("SendMessage")
    assert len(letter["MessageBody"]) > 239_000


def test_a_result_that_has_no_room_for_its_escapes_stays_out_of_the_letter(bus, calls):
    bus.refuse("job-1", "InvalidArgument")
    # SQS rejects the last character unless it is escaped, and escaped it is twice as long.
    difficult = ended("job-1", result=ROW["result"] | {"text": "\uffff" * 50_000})
    assert publish([difficult], replace(SETTINGS, include_result=True)) == []
    (letter,) = calls.of("SendMessage")
    detail = json.loads(letter["MessageBody"])["Detail"]
    assert (detail["jobId"], detail["resultOmitted"], "result" in detail) == ("job-1", True, False)


def test_an_event_that_the_queue_does_not_take_either_comes_again(bus, calls):
    bus.refuse("job-1", "MalformedDetail")
    calls.refuse("SendMessage", "AccessDenied")
    records = [ended("job-0"), ended("job-1")]
    assert publish(records, SETTINGS) == [number(records[1])]


def test_what_was_done_is_logged_with_the_job(bus, caplog):
    caplog.set_level("INFO")
    bus.refuse("job-1", "MalformedDetail")
    publish([ended("job-0"), ended("job-1")], SETTINGS)
    found = [(line.getMessage(), line.jobId, getattr(line, "errorCode", None)) for line in caplog.records]
    assert found == [
        ("event published", "job-0", None),
        ("event rejected for good, it goes to the on-failure queue", "job-1", "MalformedDetail"),
    ]
    assert "Ada" not in caplog.text


def test_nothing_is_raised_for_what_aws_answers(calls):
    calls.refuse("PutEvents", "ValidationException")
    assert [sent.malformed for sent in put([event_of(ROW, BUS, TABLE, include_result=False)] * 2)] == [True, True]


def test_the_handler_answers_as_lambda_wants_it(bus, monkeypatch):
    for name, value in {
        "AI_JOB_EVENT_BUS_ARN": BUS,
        "AI_JOB_TABLE_ARN": TABLE,
        "AI_JOB_FAILURE_QUEUE_URL": QUEUE,
        "AI_JOB_EVENTS_INCLUDE_RESULT": "false",
    }.items():
        monkeypatch.setenv(name, value)
    from event_publisher.handler import handler

    context = SimpleNamespace(
        function_name="f", memory_limit_in_mb=512, invoked_function_arn="arn:aws:lambda:::f", aws_request_id="r"
    )
    records = [ended("job-0"), ended("job-1")]
    bus.refuse("job-1", "ThrottlingException")
    answer = handler({"Records": records}, context)
    assert answer == {"batchItemFailures": [{"itemIdentifier": number(records[1])}]}
