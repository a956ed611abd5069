"""R-C2: the message types, their rules, and their wire format."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from ai_jobs import AIJobMessage, AIJobResultMessage, JobError
from ai_jobs.contract.errors import shown
from ai_jobs.contract.request import ReceivedJob

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


def test_a_result_with_a_key_that_the_table_can_not_store_is_none():
    with pytest.raises(JobError, match="result.deep has an empty key") as caught:
        foreign(result={"deep": {"": {}}})
    assert caught.value.code == "NOT_A_RESULT"


@pytest.mark.parametrize("text", ["naïve ümlaut", "\uffff", "line\nbreak\x00", "日本"])
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
        ('{"userId": NaN}', "userId"),
        ('\ufeff{"userId": 1e400}', "userId"),
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
        job.check()
    assert (caught.value.code, caught.value.field) == ("INVALID_MESSAGE", field)


def test_a_newer_schema_version_is_an_operators_matter():
    with pytest.raises(JobError) as caught:
        parse(GOOD | {"schemaVersion": 2}).check()
    assert caught.value.code == "UNSUPPORTED_SCHEMA_VERSION"


def test_unknown_fields_are_ignored():
    job = parse(GOOD | {"color": "red"})
    job.check()
    assert (job.user_id, job.job_type, job.input) == ("user-1", "greeting", {})


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


@pytest.mark.parametrize(
    "job_input",
    [
        {},
        {"b": 1, "a": [{"z": None, "y": -0.0}, 1e300, 10**300, True]},
        {"text": 'naïve \uffff \ufffe \x00 \u2028 \U0001f389 " \\', "": {"\uffff": []}},
        {"deep": json.loads("[" * 200 + "]" * 200)},
    ],
)
@pytest.mark.parametrize("options", [{}, {"trace_id": "t-1", "deadline_seconds": 60}])
def test_a_job_that_is_about_to_be_sent_is_the_one_that_a_worker_will_find(job_input, options):
    message = AIJobMessage("u", "greeting", job_input, timestamp=SENT, **options)
    trace_header = "Root=1-67891233-abcdef012345678912345678;Sampled=1"
    found = ReceivedJob.parse(message.to_body(), message.attributes(), "sqs-id", SENT, trace_header)
    assert ReceivedJob.of(message, trace_header) == found
    assert list(found.input) == list(job_input), "prompts show the fields in the order in which they came"


def test_so_is_a_job_whose_input_is_in_the_bucket():
    location = {"bucket": "b", "key": "inputs/user=u/job=j/1.json", "bytes": 300_000}
    message = AIJobMessage("u", "greeting", {}, job_id="j", timestamp=SENT, input_location=location)
    found = ReceivedJob.parse(message.to_body(), message.attributes(), "sqs-id", SENT)
    assert ReceivedJob.of(message) == found
    assert (found.input, found.input_location) == ({}, location)


def test_an_input_is_sent_as_it_was_checked():
    job_input = {"name": "Ada"}
    message = AIJobMessage("u", "greeting", job_input)
    job_input["name"] = float("nan")
    assert json.loads(message.to_body())["input"] == {"name": "Ada"}


def test_a_job_may_count_as_submitted_at_another_time():
    message = AIJobMessage("u", "greeting", {}, timestamp=SENT)
    later = json.loads(message.to_body(SENT + timedelta(minutes=1)))
    assert later == json.loads(message.to_body()) | {"timestamp": "2026-01-31T12:01:00.000Z"}


def test_the_user_on_the_message_wins_over_its_body():
    named, unnamed = ({"userId": user} if user else {} for user in ("body", None))
    rest = {"jobType": "t", "input": {}}
    one, two = parse(rest | named, {"UserId": "token"}), parse(rest | unnamed, {"UserId": "token"})
    one.check()
    assert one.user_id == "token"
    assert one.payload_hash == two.payload_hash == parse(rest | {"userId": "token"}).payload_hash
    assert parse(rest | named).payload_hash != one.payload_hash
    with pytest.raises(JobError, match=r'userId is "auth0\|7"'):
        parse(rest | named, {"UserId": "auth0|7"})


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"status": "done"}, "status"),
        ({"status": ["completed"]}, "status"),
        ({"attempt": 0}, "attempt"),
        ({"attempt": "1"}, "attempt"),
        ({"result": None}, "result"),
        ({"result": [1]}, "result"),
        ({"result": "done"}, "result"),
        ({"attempt": 10**9 + 1}, "attempt"),
        ({"attempt": 10**400}, "attempt"),
        ({"status": "failed"}, "error"),
        ({"status": "failed", "error": ["x"]}, "error"),
        ({"status": "failed", "error": {"message": "x"}}, "error"),
        ({"status": "failed", "error": {"code": "not found"}}, "error.code"),
        ({"status": "failed", "error": {"code": "X" * 65}}, "error.code"),
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
    location = {"bucket": "b", "key": "results/user=u/job=j/1.json", "bytes": 1}
    message = AIJobResultMessage("j", "u", "t", "completed", result_location=location)
    assert AIJobResultMessage.from_body(message.to_body()).result_location == location


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"key": "results/user=u/job=other/1.json"}, "resultLocation.key"),
        ({"key": "inputs/user=u/job=j/1.json"}, "resultLocation.key"),
        ({"key": "results/user=u/job=j/"}, "resultLocation.key"),
        ({"key": "results/user=u/job=j/../../user=v/1.json"}, "resultLocation.key"),
        ({"key": "results/user=u/job=j"}, "resultLocation.key"),
        ({"key": "x/results/user=u/job=j/1.json"}, "resultLocation.key"),
        ({"key": 7}, "resultLocation"),
        ({"bucket": None}, "resultLocation"),
        ({"bytes": "1"}, "resultLocation.bytes"),
        ({"bytes": -1}, "resultLocation.bytes"),
        ({"bytes": 10**400}, "resultLocation.bytes"),
    ],
)
def test_a_result_lies_under_its_jobs_own_prefix(change, field):
    location = {"bucket": "b", "key": "results/user=u/job=j/1.json", "bytes": 1} | change
    with pytest.raises(JobError) as caught:
        AIJobResultMessage("j", "u", "t", "completed", result_location=location)
    assert (caught.value.code, caught.value.field) == ("NOT_A_RESULT", field)


@pytest.mark.parametrize(
    ("value", "field"),
    [
        (float("nan"), "input.x"),
        (float("inf"), "input.x"),
        ([10**5000], "input.x.0"),
        (object(), "input.x"),
        ("\ud83c", "input.x"),
        ({"\ud83c": 1}, "input.x.\ufffd"),
        ([1, {"a": "b\udf89"}], "input.x.1.a"),
        ({(7, 8): 1}, "input.x"),
    ],
)
def test_an_input_that_can_not_be_sent_is_refused_by_the_place(value, field):
    with pytest.raises(JobError) as caught:
        AIJobMessage("u", "greeting", {"x": value})
    assert (caught.value.code, caught.value.field) == ("INVALID_INPUT", field)
    caught.value.message.encode()
    itself = {}
    itself["x"] = [itself, itself]
    with pytest.raises(JobError, match="input contains itself"):
        AIJobMessage("u", "greeting", itself)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ('{"userId": "u", "jobType": "t", "input": {"a": NaN}}', "input.a"),
        ('{"userId": "u", "jobType": "t", "input": {"a": [1e400]}}', "input.a.0"),
        ('{"userId": "u", "jobType": "t", "input": {"a": %s}}' % ("9" * 5000), "input.a"),
        ('{"userId": "u", "jobType": "t", "input": {"a": "\\ud83c"}}', "input.a"),
        ('{"userId": "u", "jobType": "t", "input": {"\\ud83c": 1}}', "input.\ufffd"),
        ('{"userId": "u", "jobType": "t", "input": {}, "color": "\\udf89"}', "color"),
    ],
)
def test_a_job_that_holds_what_is_not_json_is_known_and_invalid(text, field):
    job = parse(text)
    assert (job.job_id, job.user_id) == ("sqs-id", "u")
    with pytest.raises(JobError) as caught:
        job.check()
    assert (caught.value.code, caught.value.field) == ("INVALID_INPUT", field)


def test_a_byte_order_mark_does_no_harm():
    job = parse("\ufeff" + json.dumps(GOOD))
    job.check()
    assert job.user_id == "user-1"


@pytest.mark.parametrize("text", ["no json", "[1]", "", "[" * 100_000, '{"input": '])
def test_a_body_that_can_not_be_read_is_still_the_job_that_its_attributes_name(text):
    attributes = {"UserId": "user-1", "JobType": "greeting"}
    job, other = parse(text, attributes), parse(text + " ", attributes)
    assert (job.job_id, job.user_id, job.job_type) == ("sqs-id", "user-1", "greeting")
    assert parse(text, attributes | {"JobId": "job-1"}).job_id == "job-1"
    assert parse(text, attributes | {"TraceId": "t-1"}).trace_id == "t-1"
    assert job.payload_hash == parse(text, attributes).payload_hash != other.payload_hash
    with pytest.raises(JobError) as caught:
        job.check()
    assert caught.value.code == "INVALID_MESSAGE"
    for missing in ({"UserId": "user-1"}, {"JobType": "greeting"}, attributes | {"UserId": "a b"}):
        with pytest.raises(JobError) as caught:
            parse(text, missing)
        assert caught.value.code == "NOT_A_JOB"


def foreign(**fields):
    """What the library's first users send: no attempt, no schemaVersion, and their own kind of result."""
    message = {"jobId": "j", "userId": "u", "jobType": "t", "status": "completed", "timestamp": "2026-01-31T12:00:00Z"}
    return AIJobResultMessage.from_body(json.dumps(message | fields))


def test_another_producers_result_is_any_object():
    result = {"content": "Hello", "wordCount": 1, "score": 0.25, "tags": ["a", None, True], "deep": {" ": {}}}
    message = foreign(result=result, traceId=["odd"], usage="odd", model=7)
    assert (message.result, message.attempt, message.trace_id) == (result, None, None)
    assert "attempt" not in json.loads(message.to_body())
    assert AIJobResultMessage.from_body(message.to_body()) == message


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        ("the model broke", {"code": "JOB_FAILED", "message": "the model broke"}),
        ("half \ud83c", {"code": "JOB_FAILED", "message": "half \ufffd"}),
        ("", {"code": "JOB_FAILED", "message": "The worker gave no reason."}),
        (
            {"code": "QUOTA", "message": "m", "field": "input.x", "stack": "y"},
            {"code": "QUOTA", "message": "m", "field": "input.x"},
        ),
        (
            {"code": "QUOTA", "message": 7, "field": []},
            {"code": "QUOTA", "message": "The worker gave no reason."},
        ),
    ],
)
def test_an_error_may_be_a_text(error, failure):
    assert foreign(status="failed", error=error).failure == failure
    assert AIJobResultMessage("j", "u", "t", "failed", error=error).failure == failure


@pytest.mark.parametrize("number", [1e300, -1e126, 1e-131, 10**38, float("nan"), float("inf")])
def test_a_number_that_the_table_can_not_store_makes_no_result(number):
    with pytest.raises(JobError) as caught:
        foreign(result={"a": [{"b": number}]})
    assert (caught.value.code, caught.value.field) == ("NOT_A_RESULT", "result.a.0.b")


@pytest.mark.parametrize("depth", [29, 30, 5000])
def test_a_result_is_no_deeper_than_the_table_takes(depth):
    text = json.dumps(
        {"jobId": "j", "userId": "u", "jobType": "t", "status": "completed", "timestamp": "2026-01-31T12:00:00Z"}
    )
    body = f'{text[:-1]}, "result": {{"a": {"[" * depth}{"]" * depth}}}}}'
    if depth == 29:
        AIJobResultMessage.from_body(body)
        return
    with pytest.raises(JobError, match="nested too deeply"):
        AIJobResultMessage.from_body(body)


def test_halves_of_characters_are_replaced_in_what_is_written():
    message = AIJobResultMessage("j", "u", "t", "completed", result={"text": "a\ud83c", "\udf89": ["\ud83c\udf89"]})
    assert AIJobResultMessage.from_body(message.to_body()).result == {"text": "a\ufffd", "\ufffd": ["\U0001f389"]}
    raw = '{"jobId": "j", "userId": "u", "jobType": "t", "status": "completed", "timestamp": "2026-01-31T12:00:00Z", '
    assert AIJobResultMessage.from_body(raw + '"result": {"\\ud83c": "\\udf89"}}').result == {"\ufffd": "\ufffd"}
    error = JobError("INVALID_INPUT", "it says \ud83c", "input.\ud83c")
    assert error.to_body() == {"code": "INVALID_INPUT", "message": "it says \ufffd", "field": "input.\ufffd"}


def nested(levels: int) -> list[object]:
    document: list[object] = []
    for _ in range(levels):
        document = [document]
    return document


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "null"),
        (True, "true"),
        (1.5, "1.5"),
        ("text", '"text"'),
        (r"^\p{L}+$", r'"^\p{L}+$"'),
        ('Ana\'s "é"', '"Ana\'s "é""'),
        ("two\nlines\x1b\u2028", r'"two\nlines\u001b\u2028"'),
        ("half \ud83c", '"half \ufffd"'),
        ({"a": [None, "x", False]}, '{"a": [null, "x", false]}'),
        ({"\ud83c": "\udc00"}, '{"\ufffd": "\ufffd"}'),
        ("x" * 1_000_000, '"' + "x" * 197 + '…"'),
        ([1] * 1_000, "[" + "1, " * 66 + "…"),
        pytest.param(10**5000, "too large to show", id="digits"),
        pytest.param(nested(100_000), "too large to show", id="levels"),
        ({1, 2}, "{1, 2}"),
    ],
)
def test_a_message_shows_a_value_as_json_has_it(value: object, expected: str) -> None:
    """Whoever wrote the document does not need to know Python; a text stays as it was written."""
    assert shown(value) == expected
    assert shown(value).isprintable()
    shown(value).encode()
