"""R-C2: the message types, their rules and their wire format."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from ai_jobs import AIJobMessage, AIJobResultMessage, JobError
from ai_jobs.messages import ReceivedJob

SENT = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


def parse(document, attributes=None, message_id="sqs-id"):
    return ReceivedJob.parse(
        document if isinstance(document, str) else json.dumps(document), attributes or {}, message_id, SENT
    )


GOOD = {"userId": "user-1", "jobType": "greeting", "input": {}}


def test_a_request_is_camel_case_json_with_its_attributes():  # R-C2
    message = AIJobMessage(
        "u@x", "greeting", {"a": 1}, job_id="j:1", timestamp=SENT, trace_id="t-1", deadline_seconds=60
    )
    assert json.loads(message.to_body()) == {
        "schemaVersion": 1,
        "jobId": "j:1",
        "userId": "u@x",
        "jobType": "greeting",
        "input": {"a": 1},
        "timestamp": "2026-01-31T12:00:00.000Z",
        "traceId": "t-1",
        "deadlineSeconds": 60,
    }
    assert message.attributes() == {"JobId": "j:1", "UserId": "u@x", "JobType": "greeting", "TraceId": "t-1"}


def test_what_is_absent_is_left_out_not_sent_empty():  # R-C2
    message = AIJobMessage("u", "greeting", {})
    assert {"traceId", "deadlineSeconds"}.isdisjoint(json.loads(message.to_body()))
    assert "TraceId" not in message.attributes()


def test_every_request_has_an_id_of_its_own():
    assert AIJobMessage("u", "greeting", {}).job_id != AIJobMessage("u", "greeting", {}).job_id


def test_a_result_is_camel_case_json_with_its_attributes():  # R-C2
    message = AIJobResultMessage(
        "j", "u", "greeting", "completed", attempt=2, result={"text": "hi"}, timestamp=SENT, processing_time=1234
    )
    assert json.loads(message.to_body()) == {
        "schemaVersion": 1,
        "jobId": "j",
        "userId": "u",
        "jobType": "greeting",
        "attempt": 2,
        "status": "completed",
        "result": {"text": "hi"},
        "timestamp": "2026-01-31T12:00:00.000Z",
        "processingTime": 1234,
    }
    assert message.attributes() == {"JobId": "j", "UserId": "u", "Status": "completed"}
    assert AIJobResultMessage.from_body(message.to_body()) == message


@pytest.mark.parametrize("text", ["naïve ümlaut", "\ud800", "\uffff", "line\nbreak\x00", "日本"])
def test_every_text_survives_and_is_fit_for_sqs(text):
    body = AIJobMessage("u", "greeting", {"text": text}).to_body()
    body.encode()
    assert "\uffff" not in body
    assert json.loads(body)["input"]["text"] == text


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("user_id", ""),
        ("user_id", "a b"),
        ("user_id", "ümlaut"),
        ("user_id", "x&Action=DeleteQueue"),
        ("user_id", "x" * 129),
        ("user_id", None),
        ("job_id", "a/b"),
        ("job_id", "a\n"),
        ("job_type", "Blog Post"),
        ("trace_id", ""),
        ("trace_id", "a b"),
        ("input", []),
        ("input", {"x": float("nan")}),
        ("input", {"x": object()}),
        ("timestamp", datetime(2026, 1, 31)),  # noqa: DTZ001  # what is refused
        ("deadline_seconds", 0),
        ("deadline_seconds", True),
        ("deadline_seconds", 1.5),
        ("deadline_seconds", 1_209_601),
    ],
)
def test_a_bad_field_is_named(field, value):
    fields = {"user_id": "u", "job_type": "greeting", "input": {}} | {field: value}
    with pytest.raises(JobError) as caught:
        AIJobMessage(**fields)
    assert caught.value.code == "INVALID_MESSAGE"
    assert (
        caught.value.field
        == {
            "user_id": "userId",
            "job_id": "jobId",
            "job_type": "jobType",
            "trace_id": "traceId",
            "input": "input",
            "timestamp": "timestamp",
            "deadline_seconds": "deadlineSeconds",
        }[field]
    )


def test_the_id_comes_from_body_then_attribute_then_sqs():
    assert parse(GOOD | {"jobId": "body"}, {"JobId": "attribute"}).job_id == "body"
    assert parse(GOOD, {"JobId": "attribute"}).job_id == "attribute"
    assert parse(GOOD).job_id == "sqs-id"


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ("no json", None),
        ("[1]", None),
        ('{"userId": NaN}', None),
        ("[" * 100_000, None),
        (GOOD | {"userId": 7}, "userId"),
        ({"jobType": "greeting", "input": {}}, "userId"),
        (GOOD | {"userId": "a b"}, "userId"),
        (GOOD | {"jobType": ["x"]}, "jobType"),
        (GOOD | {"jobId": ""}, "jobId"),
        (GOOD | {"jobId": None}, "jobId"),
    ],
)
def test_a_message_without_usable_identity_is_no_job(document, field):
    with pytest.raises(JobError) as caught:
        parse(document)
    assert caught.value.code == "NOT_A_JOB"
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("extra", "field"),
    [
        ({"input": [1]}, "input"),
        ({"timestamp": "yesterday"}, "timestamp"),
        ({"timestamp": "2026-01-31T12:00:00"}, "timestamp"),
        ({"timestamp": "9999-12-31T23:59:59Z"}, "timestamp"),
        ({"traceId": 7}, "traceId"),
        ({"deadlineSeconds": "soon"}, "deadlineSeconds"),
        ({"schemaVersion": "1"}, "schemaVersion"),
        ({"schemaVersion": 0}, "schemaVersion"),
    ],
)
def test_a_known_job_with_a_bad_field_is_invalid(extra, field):
    job = parse(GOOD | extra)
    with pytest.raises(JobError) as caught:
        job.validated()
    assert (caught.value.code, caught.value.field) == ("INVALID_MESSAGE", field)


def test_a_newer_schema_version_is_an_operators_matter():
    with pytest.raises(JobError) as caught:
        parse(GOOD | {"schemaVersion": 2}).validated()
    assert caught.value.code == "UNSUPPORTED_SCHEMA_VERSION"


def test_unknown_fields_are_ignored():
    assert parse(GOOD | {"color": "red"}).validated().user_id == "user-1"


def test_times_default_to_when_sqs_took_the_message():
    assert parse(GOOD).created_at == SENT
    assert parse(GOOD | {"timestamp": "2026-01-31T11:00:00Z"}).created_at == SENT - timedelta(hours=1)
    assert parse(GOOD | {"timestamp": "2026-02-28T11:00:00Z"}).created_at == SENT, "nothing is submitted in the future"


def test_the_payload_hash_tells_payloads_apart_but_not_spellings():
    one = parse('{"userId": "u", "jobType": "t", "input": {"a": 1, "b": 2}, "timestamp": "2026-01-31T11:00:00Z"}')
    same = parse('{"input": {"b": 2, "a": 1}, "jobType": "t", "userId": "u", "jobId": "x"}')
    assert one.payload_hash == same.payload_hash
    for other in ({"userId": "v"}, {"jobType": "s"}, {"input": {"a": 1}}):
        document = {"userId": "u", "jobType": "t", "input": {"a": 1, "b": 2}} | other
        assert parse(document).payload_hash != one.payload_hash


def test_the_user_on_the_message_wins_over_its_body():
    named, unnamed = ({"userId": user} if user else {} for user in ("body", None))
    rest = {"jobType": "t", "input": {}}
    one, two = parse(rest | named, {"UserId": "token"}), parse(rest | unnamed, {"UserId": "token"})
    assert one.user_id == one.validated().user_id == "token"
    assert one.payload_hash == two.payload_hash == parse(rest | {"userId": "token"}).payload_hash
    assert parse(rest | named).payload_hash != one.payload_hash
    with pytest.raises(JobError, match=r"userId is 'auth0\|7'"):
        parse(rest | named, {"UserId": "auth0|7"})


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"status": "done"}, "status"),
        ({"status": ["completed"]}, "status"),
        ({"attempt": 0}, "attempt"),
        ({"attempt": "1"}, "attempt"),
        ({"result": None}, "result"),
        ({"result": {"text": 7}}, "result"),
        ({"status": "failed"}, "error"),
        ({"jobId": "a b"}, "jobId"),
        ({"userId": None}, "userId"),
        ({"timestamp": "x"}, "timestamp"),
    ],
)
def test_a_bad_result_is_refused_by_name(change, field):
    document = json.loads(AIJobResultMessage("j", "u", "t", "completed", result={"text": ""}).to_body()) | change
    with pytest.raises(JobError) as caught:
        AIJobResultMessage.from_body(json.dumps(document))
    assert (caught.value.code, caught.value.field) == ("NOT_A_RESULT", field)


def test_a_result_may_say_where_it_lies():
    message = AIJobResultMessage("j", "u", "t", "completed", result_location={"bucket": "b", "key": "k", "bytes": 1})
    assert AIJobResultMessage.from_body(message.to_body()).result_location == {"bucket": "b", "key": "k", "bytes": 1}
