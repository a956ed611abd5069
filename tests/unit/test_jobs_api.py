"""R-J1, R-J6, and the other routes of the function: submit (PUT), read, wait, list, and cancel."""

from __future__ import annotations

import base64
import importlib
import json
import uuid
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import pytest
from botocore.exceptions import ReadTimeoutError

from ai_jobs import AIJobResultMessage, JobError, JobResult, Usage
from ai_jobs.aws import clients
from ai_jobs.aws.queues import receive_messages
from ai_jobs.contract import timestamps
from ai_jobs.contract.request import ReceivedJob
from ai_jobs.service.job_store import JobStore
from ai_jobs.service.job_types import JobTypes
from ai_jobs.service.outcomes import Claimed, ClaimTerms, Refusal
from ai_jobs.service.wait_slots import WaitSlots

ID = "3f2c1b0a-5d4e-4f6a-8b7c-9d0e1f2a3b4c"
OTHER_ID = "3f2c1b0a-5d4e-4f6a-8b7c-9d0e1f2a3b4d"
GOOD = {"userId": "user-1", "jobType": "greeting", "input": {"name": "Ada"}}

OPEN = {
    "jobId": "job-1",
    "userId": "user-1",
    "jobType": "greeting",
    "status": "processing",
    "attempts": 1,
    "createdAt": "2026-01-31T12:00:00.000Z",
    "startedAt": "2026-01-31T12:00:00.000Z",
    "updatedAt": "2026-01-31T12:00:00.000Z",
    "deadlineAt": "2026-01-31T13:00:00.000Z",
    "expiresAt": "2026-03-02T12:00:00.000Z",
    "traceId": "t-1",
}


@pytest.fixture
def claimed(store, clock, body):
    job = ReceivedJob.parse(body(traceId="t-1"), {}, "m", clock())
    store.claim(job, "m", ClaimTerms(clock() + timedelta(minutes=15), 3600, 60, "v1"))


@pytest.fixture
def work(aws, store, clock):
    """Takes the message of a job and claims it, as a worker does."""

    def take():
        (message,) = receive_messages(aws.request_queue, wait_seconds=0)
        job = ReceivedJob.parse(message.body, message.attributes, message.message_id, clock())
        terms = ClaimTerms(clock() + timedelta(minutes=15), 21_600, 1800)
        return job, store.claim(job, message.message_id, terms)

    return take


@pytest.fixture
def complete(store, clock):
    result = JobResult("Hello, Ada.", "amazon.nova-lite-v1:0", Usage(12, 5), "end_turn", truncated=False)

    def finish(job_id="job-1", **fields):
        fields = fields or {"result": result.to_document()}
        message = AIJobResultMessage(job_id, "user-1", "greeting", "completed", timestamp=clock(), **fields)
        return store.apply_result(message)

    return finish


@pytest.fixture
def reads(aws):
    """The operations on the table and the queue, in the order they are made."""
    made = []
    for client in (clients.get_dynamodb_client(), clients.get_sqs_sending_client()):
        client.meta.events.register("before-call.*.*", lambda model, **_: made.append(model.name))
    return made


# Submitting


def test_a_submitted_job_is_in_the_table_and_in_the_queue(api, aws, clock, messages_in):  # R-J1, R-J2
    body = GOOD | {"traceId": "t-1", "deadlineSeconds": 60}
    assert api("PUT", f"/jobs/{ID}", body) == (202, {"jobId": ID, "status": "queued"})
    assert api.headers["Location"] == f"/v1/jobs/{ID}"
    assert api("GET", f"/jobs/{ID}") == (
        200,
        {
            "jobId": ID,
            "userId": "user-1",
            "jobType": "greeting",
            "status": "queued",
            "attempts": 0,
            "createdAt": "2026-01-31T12:00:00.000Z",
            "updatedAt": "2026-01-31T12:00:00.000Z",
            "deadlineAt": "2026-01-31T12:01:00.000Z",
            "traceId": "t-1",
            "expiresAt": "2026-03-02T12:31:00.000Z",
        },
    )
    (message,) = messages_in(aws.request_queue)
    assert json.loads(message.body) == {
        "schemaVersion": 1,
        "jobId": ID,
        "userId": "user-1",
        "jobType": "greeting",
        "input": {"name": "Ada"},
        "timestamp": "2026-01-31T12:00:00.000Z",
        "traceId": "t-1",
        "deadlineSeconds": 60,
    }
    assert message.attributes == {
        "JobId": ID,
        "UserId": "user-1",
        "JobType": "greeting",
        "TraceId": "t-1",
        "FirstSentAt": "2026-01-31T12:00:00.000Z",
    }
    assert message.group_id == "user-1"


def test_a_submission_is_one_write_and_one_message(api, reads):
    api("PUT", f"/jobs/{ID}", GOOD)
    assert reads == ["UpdateItem", "SendMessage"], "the row first: what is in the queue is in the table"


@pytest.mark.parametrize(
    ("size", "written"),
    [
        (10, 2),  # one text is checked, measured, and sent; the hash needs the keys in a fixed order
        (300_000, 1),  # one text is checked, measured, and stored; the hash is over its location
    ],
)
def test_an_input_is_written_as_json_as_seldom_as_possible(api, monkeypatch, size, written):
    name = "x" * size
    calls = {"read": 0, "written": 0}
    dumps, loads = json.dumps, json.loads

    def count_dumps(document, **kwargs):
        calls["written"] += name in _texts(document)
        return dumps(document, **kwargs)

    def count_loads(text, **kwargs):
        document = loads(text, **kwargs)
        calls["read"] += name in _texts(document)
        return document

    body = json.dumps(GOOD | {"input": {"name": name}})
    with monkeypatch.context() as patch:
        patch.setattr(json, "dumps", count_dumps)
        patch.setattr(json, "loads", count_loads)
        assert api("PUT", f"/jobs/{ID}", body)[0] == 202
    assert calls == {"read": 1, "written": written}


def _texts(document):
    """Every text in a document; JSON within JSON counts as one text."""
    if isinstance(document, dict):
        return [text for value in document.values() for text in _texts(value)]
    if isinstance(document, list):
        return [text for value in document for text in _texts(value)]
    return [document]


def test_a_worker_takes_a_submitted_job_as_it_is(api, clock, work):
    api("PUT", f"/jobs/{ID}", GOOD)
    clock.forward(minutes=5)
    _, claim = work()
    assert claim == Claimed(1, clock() + timedelta(hours=6) - timedelta(minutes=5), 1), (
        "its time runs from the submission"
    )
    _, shown = api("GET", f"/jobs/{ID}")
    assert (shown["status"], shown["createdAt"], shown["startedAt"], shown["attempts"]) == (
        "processing",
        "2026-01-31T12:00:00.000Z",
        "2026-01-31T12:05:00.000Z",
        1,
    )


def test_a_repeat_has_the_same_answer_whatever_became_of_the_job(api, aws, work, complete, messages_in):
    first = api("PUT", f"/jobs/{ID}", GOOD)
    assert api("PUT", f"/jobs/{ID}", GOOD | {"deadlineSeconds": 5, "traceId": "again"}) == first
    work_messages = messages_in(aws.request_queue)
    assert len(work_messages) == 2, "nobody can know whether the first was sent"
    api("PUT", f"/jobs/{ID}", GOOD)
    work()
    assert api("PUT", f"/jobs/{ID}", GOOD) == first
    complete(ID)
    assert api("PUT", f"/jobs/{ID}", GOOD) == first
    assert messages_in(aws.request_queue) == [], "a job that a worker has had needs no other message"
    assert api("GET", f"/jobs/{ID}")[1]["status"] == "completed"


@pytest.mark.parametrize(
    "other", [{"input": {"name": "Bob"}}, {"userId": "user-2"}], ids=["another payload", "another user"]
)
def test_an_id_that_is_taken_is_one_and_the_same_conflict(api, other):
    api("PUT", f"/jobs/{ID}", GOOD)
    status, shown = api("PUT", f"/jobs/{ID}", GOOD | other)
    assert (status, shown) == (
        409,
        {"error": {"code": "JOB_ID_CONFLICT", "message": "Another job has this jobId. Choose a new one."}},
    )
    assert api("GET", f"/jobs/{ID}")[1]["userId"] == "user-1"


def test_the_id_of_an_erased_job_stays_taken(api, store):
    api("PUT", f"/jobs/{ID}", GOOD)
    store.erase(ID)
    assert api.refused("PUT", f"/jobs/{ID}", GOOD)[:2] == (409, "JOB_ID_CONFLICT")


def test_an_expired_id_is_free_again(api, clock):
    api("PUT", f"/jobs/{ID}", GOOD)
    clock.forward(days=31)
    assert api("PUT", f"/jobs/{ID}", GOOD | {"input": {"name": "Bob"}})[0] == 202
    assert api("GET", f"/jobs/{ID}")[1]["createdAt"] == "2026-03-03T12:00:00.000Z"


def test_a_queue_that_is_down_is_a_503_and_a_repeat_heals_it(api, aws, store, clock, monkeypatch, messages_in):
    routes = importlib.import_module("jobs_api.routes")
    send = routes.send_message

    def down(*_args, **_kwargs):
        raise routes.AWSError("cannot send", "ServiceUnavailable")

    monkeypatch.setattr(routes, "send_message", down)
    assert api.refused("PUT", f"/jobs/{ID}", GOOD)[:2] == (503, "QUEUE_UNAVAILABLE")
    assert api.headers["Retry-After"] == "2"
    assert api("GET", f"/jobs/{ID}")[1]["status"] == "queued"
    assert store.get(ID)["dueAt"] == "2026-01-31T12:15:00.000Z", "the reconciler need not wait for the deadline"

    monkeypatch.setattr(routes, "send_message", send)
    clock.forward(minutes=1)
    assert api("PUT", f"/jobs/{ID}", GOOD) == (202, {"jobId": ID, "status": "queued"})
    assert len(messages_in(aws.request_queue)) == 1
    assert store.get(ID)["dueAt"] == "2026-01-31T18:30:00.000Z", "it may wait in the queue as any other now"


def test_a_job_that_was_closed_as_never_sent_begins_anew(api, aws, store, clock, monkeypatch, messages_in):
    routes = importlib.import_module("jobs_api.routes")
    send = routes.send_message
    monkeypatch.setattr(routes, "send_message", lambda *_: (_ for _ in ()).throw(routes.AWSError("no")))
    api("PUT", f"/jobs/{ID}", GOOD)
    clock.forward(minutes=16)
    assert store.close_stalled(ID, JobError("ENQUEUE_FAILED", "its message never arrived"), started=False)
    assert api("GET", f"/jobs/{ID}")[1]["status"] == "failed"

    monkeypatch.setattr(routes, "send_message", send)
    assert api("PUT", f"/jobs/{ID}", GOOD)[0] == 202
    assert len(messages_in(aws.request_queue)) == 1
    _, shown = api("GET", f"/jobs/{ID}")
    assert shown["status"] == "queued"
    assert shown["createdAt"] == "2026-01-31T12:16:00.000Z"
    assert {"error", "completedAt"}.isdisjoint(shown)


def test_a_job_whose_message_came_after_all_has_all_its_time(api, store, work, clock, monkeypatch):
    """SQS had accepted the message, although its response was lost."""
    routes = importlib.import_module("jobs_api.routes")
    send = routes.send_message

    def send_and_fail(*arguments):
        send(*arguments)
        raise routes.AWSError("no answer")

    monkeypatch.setattr(routes, "send_message", send_and_fail)
    assert api.refused("PUT", f"/jobs/{ID}", GOOD)[:2] == (503, "QUEUE_UNAVAILABLE")
    _, claim = work()
    assert store.get(ID)["dueAt"] == "2026-01-31T18:30:00.000Z"
    store.release(ID, claim.attempt)
    clock.forward(minutes=20)
    assert not store.close_stalled(ID, JobError("JOB_STALLED", "x"), started=True)


def test_a_started_job_is_not_stalled_before_its_deadline(api, store, work, clock, refusing, monkeypatch):
    routes = importlib.import_module("jobs_api.routes")
    send = routes.send_message
    monkeypatch.setattr(routes, "send_message", lambda *a: (send(*a), (_ for _ in ()).throw(routes.AWSError("x"))))
    api("PUT", f"/jobs/{ID}", GOOD)
    monkeypatch.setattr(JobStore, "_give_all_its_time", lambda *_: None)  # killed right after the claim
    _, claim = work()
    store.release(ID, claim.attempt)
    clock.forward(minutes=20)
    assert not store.close_stalled(ID, JobError("JOB_STALLED", "x"), started=True)
    clock.forward(hours=6)
    assert store.close_stalled(ID, JobError("JOB_STALLED", "x"), started=True)


def test_a_send_that_fails_late_does_not_undo_a_repeat_that_got_through(api, store, clock, monkeypatch):
    routes = importlib.import_module("jobs_api.routes")
    calls = []

    def slow(*_):
        calls.append(1)
        if len(calls) == 1:
            clock.forward(seconds=1)
            assert api("PUT", f"/jobs/{ID}", GOOD)[0] == 202
            raise routes.AWSError("no")

    monkeypatch.setattr(routes, "send_message", slow)
    assert api.refused("PUT", f"/jobs/{ID}", GOOD)[:2] == (503, "QUEUE_UNAVAILABLE")
    assert store.get(ID)["dueAt"] == "2026-01-31T18:30:00.000Z"


def test_a_message_that_comes_twice_runs_no_failed_job_again(api, store, work, clock, aws, monkeypatch):
    sent = []
    routes = importlib.import_module("jobs_api.routes")
    send = routes.send_message
    monkeypatch.setattr(routes, "send_message", lambda url, *rest: (sent.extend(rest), send(url, *rest)))
    api("PUT", f"/jobs/{ID}", GOOD)
    work()
    clock.forward(seconds=1)
    error = {"code": "MODEL_ACCESS_DENIED", "message": "x"}
    store.apply_result(AIJobResultMessage(ID, "user-1", "greeting", "failed", error=error, timestamp=clock()))
    clock.forward(seconds=5)
    send(aws.request_queue, *sent)  # the client's second try gets through at last
    assert work()[1] is Refusal.FINISHED


@pytest.mark.parametrize("size", [3, 300_000])
def test_a_repeat_has_the_same_answer_though_the_type_has_changed(api, aws, messages_in, monkeypatch, size):
    body = GOOD | {"input": {"name": "x" * size}}
    first = api("PUT", f"/jobs/{ID}", body)
    changed = JobError("INVALID_INPUT", "input.city is missing", "input.city")
    job_type = SimpleNamespace(prepare=lambda *_: (_ for _ in ()).throw(changed))
    monkeypatch.setattr(api.module.api._job_types, "get", lambda: SimpleNamespace(get=lambda name: job_type))
    assert api("PUT", f"/jobs/{ID}", body) == first
    assert api.refused("PUT", f"/jobs/{OTHER_ID}", body) == (400, "INVALID_INPUT", "input.city")
    assert api.refused("PUT", f"/jobs/{ID}", GOOD) == (400, "INVALID_INPUT", "input.city")


def test_an_appconfig_that_is_down_is_not_asked_for_each_job(api, clock, monkeypatch):
    asked = []

    def down():
        asked.append(1)
        raise JobError("DEPENDENCY_UNAVAILABLE", "down")

    monkeypatch.setattr(api.module.api._job_types, "get", down)
    for number in range(3):
        api("PUT", f"/jobs/{uuid.UUID(int=number)}", GOOD)
    clock.forward(seconds=11)
    api("PUT", f"/jobs/{ID}", GOOD)
    assert len(asked) == 2


def test_a_job_that_was_closed_as_never_sent_can_be_cancelled(api, store, clock, work):
    api("PUT", f"/jobs/{ID}", GOOD)
    clock.forward(hours=7)
    store.close_stalled(ID, JobError("ENQUEUE_FAILED", "x"), started=False)
    assert api("DELETE", f"/jobs/{ID}")[1]["status"] == "cancelled"
    assert "error" not in api("GET", f"/jobs/{ID}")[1]
    assert work()[1] is Refusal.FINISHED


def test_a_failed_job_is_not_begun_anew_by_a_repeat(api, store, work, clock, aws, messages_in):
    api("PUT", f"/jobs/{ID}", GOOD)
    work()
    error = {"code": "MODEL_NOT_FOUND", "message": "x"}
    store.apply_result(AIJobResultMessage(ID, "user-1", "greeting", "failed", error=error, timestamp=clock()))
    assert api("PUT", f"/jobs/{ID}", GOOD)[0] == 202
    assert api("GET", f"/jobs/{ID}")[1]["status"] == "failed"
    assert messages_in(aws.request_queue) == []


def test_a_table_that_is_down_takes_no_job(api, aws, refusing, messages_in):
    refusing(clients.get_dynamodb_client(), "UpdateItem", "ThrottlingException")
    assert api.refused("PUT", f"/jobs/{ID}", GOOD)[:2] == (503, "STORE_UNAVAILABLE")
    assert api.headers["Retry-After"] == "2"
    assert messages_in(aws.request_queue) == []


def test_a_delay_hides_the_job_and_a_repeat_does_not_prolong_it(api, clock, monkeypatch):
    routes = importlib.import_module("jobs_api.routes")
    delays = []
    monkeypatch.setattr(routes, "send_message", lambda url, body, attributes, group, delay: delays.append(delay))
    api("PUT", f"/jobs/{ID}", GOOD | {"delaySeconds": 600})
    clock.forward(seconds=200)
    api("PUT", f"/jobs/{ID}", GOOD)
    api("PUT", f"/jobs/{ID}", GOOD | {"delaySeconds": 900})
    clock.forward(seconds=900)
    api("PUT", f"/jobs/{ID}", GOOD | {"delaySeconds": 600})
    assert delays == [600, 400, 400, 0]


def test_a_large_input_goes_to_the_bucket(api, aws, messages_in):
    body = GOOD | {"input": {"name": "x" * 300_000}}
    assert api("PUT", f"/jobs/{ID}", body)[0] == 202
    (message,) = messages_in(aws.request_queue)
    location = json.loads(message.body)["inputLocation"]
    assert location["key"].startswith(f"inputs/user=user-1/job={ID}/")
    assert api("PUT", f"/jobs/{ID}", body)[0] == 202
    assert api.refused("PUT", f"/jobs/{ID}", GOOD | {"input": {"name": "y" * 300_000}})[:2] == (409, "JOB_ID_CONFLICT")


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"input": {}}, "INVALID_INPUT", "input.name"),
        ({"input": {"name": 7}}, "INVALID_INPUT", "input.name"),
        ({"input": {"name": "Ada", "age": 7}}, "INVALID_INPUT", "input.age"),
        ({"jobType": "nothing"}, "UNKNOWN_JOB_TYPE", "jobType"),
        ({"jobType": "Not A Type"}, "BAD_REQUEST", "jobType"),
        ({"jobType": 7}, "BAD_REQUEST", "jobType"),
        ({"jobType": None}, "BAD_REQUEST", "jobType"),
        ({"input": "text"}, "BAD_REQUEST", "input"),
        ({"input": []}, "BAD_REQUEST", "input"),
        ({"userId": "a b"}, "BAD_REQUEST", "userId"),
        ({"userId": "x" * 129}, "BAD_REQUEST", "userId"),
        ({"userId": 7}, "BAD_REQUEST", "userId"),
        ({"traceId": ""}, "BAD_REQUEST", "traceId"),
        ({"deadlineSeconds": 0}, "BAD_REQUEST", "deadlineSeconds"),
        ({"deadlineSeconds": True}, "BAD_REQUEST", "deadlineSeconds"),
        ({"deadlineSeconds": 1_209_601}, "BAD_REQUEST", "deadlineSeconds"),
        ({"deadlineSeconds": 10, "delaySeconds": 10}, "BAD_REQUEST", "deadlineSeconds"),
        ({"delaySeconds": -1}, "BAD_REQUEST", "delaySeconds"),
        ({"delaySeconds": 901}, "BAD_REQUEST", "delaySeconds"),
        ({"delaySeconds": "5"}, "BAD_REQUEST", "delaySeconds"),
        ({"delaySeconds": 1.5}, "BAD_REQUEST", "delaySeconds"),
        ({"input": {"name": "half \ud83c"}}, "INVALID_INPUT", "input.name"),
        ({"input": {"name": "Ada", "\udf89": 1}}, "INVALID_INPUT", "input.\ufffd"),
        ({"input": {"name": ["\ud83c"]}}, "INVALID_INPUT", "input.name.0"),
        ({"input": {"name": float("nan")}}, "INVALID_INPUT", "input.name"),
        ({"userId": "\ud83c"}, "BAD_REQUEST", "userId"),
        ({"jobType": "\ud83c"}, "BAD_REQUEST", "jobType"),
        ({"traceId": "\ud83c"}, "BAD_REQUEST", "traceId"),
        ({"\ud83c": 1}, "BAD_REQUEST", "\ufffd"),
        ({"deadlineSeconds": float("inf")}, "BAD_REQUEST", "deadlineSeconds"),
        ({"jobId": ID}, "BAD_REQUEST", "jobId"),
        ({"colour": "red"}, "BAD_REQUEST", "colour"),
    ],
)
def test_a_bad_job_is_refused_with_the_name_of_the_field(api, aws, messages_in, change, code, field):  # R-J1
    assert api.refused("PUT", f"/jobs/{ID}", GOOD | change) == (400, code, field)
    assert api("GET", f"/jobs/{ID}")[0] == 404
    assert messages_in(aws.request_queue) == []


@pytest.mark.parametrize("missing", ["userId", "jobType", "input"])
def test_a_job_without_a_field_that_it_needs_is_refused(api, missing):
    body = {name: value for name, value in GOOD.items() if name != missing}
    assert api.refused("PUT", f"/jobs/{ID}", body) == (400, "BAD_REQUEST", missing)


@pytest.mark.parametrize("body", [None, "", "no json", "[]", '"text"', "null", '{"input": NaN}', "[" * 100_000])
def test_a_body_that_is_no_json_object_is_refused(api, body):
    assert api.refused("PUT", f"/jobs/{ID}", body)[:2] == (400, "BAD_REQUEST")


def test_a_field_name_can_be_anything_and_the_answer_stays_small(api):
    status, shown = api("PUT", f"/jobs/{ID}", json.dumps(GOOD | {"\ud800" + "x" * 5000: 1}))
    assert status == 400
    assert len(json.dumps(shown)) < 2000


def test_a_body_in_base64_is_read(api):
    body = base64.b64encode(json.dumps(GOOD).encode()).decode()
    assert api("PUT", f"/jobs/{ID}", body, base64_encoded=True)[0] == 202
    broken = base64.b64encode(b'{"userId": "\xff"}').decode()
    assert api.refused("PUT", f"/jobs/{OTHER_ID}", broken, base64_encoded=True)[:2] == (400, "BAD_REQUEST")


@pytest.mark.parametrize("body", ["not base64!", "ü", "e30", "\ud83c"])
def test_a_body_that_only_claims_to_be_base64_is_refused(api, body):
    assert api.refused("PUT", f"/jobs/{ID}", body, base64_encoded=True)[:2] == (400, "BAD_REQUEST")


def test_half_a_surrogate_pair_in_the_body_itself_is_no_utf_8(api):
    assert api.refused("PUT", f"/jobs/{ID}", '{"userId": "\ud83c"}')[:2] == (400, "BAD_REQUEST")


def test_a_byte_order_mark_in_front_of_a_job_does_no_harm(api):
    assert api("PUT", f"/jobs/{ID}", "\ufeff" + json.dumps(GOOD))[0] == 202


@pytest.mark.parametrize(
    "number", ["9" * 4000, "9" * 5000, "1e400", "-1E400", "-0", "1e-400", "0.1e1", "Infinity", "-Infinity", "NaN"]
)
def test_no_number_breaks_the_function(api, job_types, type_document, number, monkeypatch):
    type_document["inputSchema"]["properties"]["name"] = {}
    types = JobTypes.from_document(json.dumps({"version": "1", "jobTypes": {"greeting": type_document}}))
    monkeypatch.setattr(api.module.api, "_job_types", SimpleNamespace(get=lambda: types))
    body = json.dumps(GOOD).replace('"Ada"', number)
    assert api("PUT", f"/jobs/{ID}", body)[0] == (202 if number in ("9" * 4000, "-0", "1e-400", "0.1e1") else 400)


@pytest.mark.parametrize("known", [True, False])
def test_numbers_that_take_more_room_than_they_came_with_are_too_large(api, known, monkeypatch):
    """3.9 MB of `1e15` are 15 MB when each is written out as 1000000000000000.0."""
    if not known:
        monkeypatch.setattr(api.module.api, "_check", lambda *_: None)
    body = json.dumps(GOOD).replace('"Ada"', f"[{','.join(['1e15'] * 780_000)}]")
    assert len(body) < 4_000_000
    assert api.refused("PUT", f"/jobs/{ID}", body) == (413, "REQUEST_TOO_LARGE", "input")


def test_the_names_of_fields_may_come_twice(api, messages_in, aws):
    twice = json.dumps(GOOD)[:-1] + ', "input": {"name": "Bob", "name": "Eve"}}'
    assert api("PUT", f"/jobs/{ID}", twice)[0] == 202
    assert json.loads(messages_in(aws.request_queue)[0].body)["input"] == {"name": "Eve"}, "the last one counts"


@pytest.mark.parametrize(("default", "status"), [(600, 400), (601, 202)])
def test_a_job_that_could_never_begin_is_refused(api, default, status):
    api.module.api._settings = replace(api.module.settings, default_deadline_seconds=default)
    answer, shown = api("PUT", f"/jobs/{ID}", GOOD | {"delaySeconds": 600})
    assert answer == status
    if status == 400:
        assert (shown["error"]["code"], shown["error"]["field"]) == ("BAD_REQUEST", "delaySeconds")
        assert "deadline of 600 seconds" in shown["error"]["message"]
        assert api("PUT", f"/jobs/{ID}", GOOD | {"delaySeconds": 600, "deadlineSeconds": 601})[0] == 202


@pytest.mark.parametrize(
    ("content_type", "status"),
    [("application/json", 202), ("Application/JSON; charset=utf-8", 202), (None, 202), ("text/plain", 415), ("", 415)],
)
def test_the_body_must_be_sent_as_json(api, content_type, status):
    headers = None if content_type is None else {"Content-Type": content_type}
    assert api("PUT", f"/jobs/{ID}", GOOD, headers=headers)[0] == status


def test_a_body_over_the_limit_is_refused_before_it_is_read(api):
    assert api.refused("PUT", f"/jobs/{ID}", " " * 4_000_001)[:2] == (413, "REQUEST_TOO_LARGE")


@pytest.mark.parametrize(
    "job_id", ["job-1", ID.upper(), ID + "0", ID[:-1], "{" + ID + "}", ID.replace("-", ""), "x" * 500, f"{ID}\n"]
)
def test_a_job_is_submitted_under_a_uuid(api, job_id):
    assert api.refused("PUT", f"/jobs/{job_id}", GOOD)[:2] == (400, "INVALID_JOB_ID")


@pytest.mark.parametrize("code", ["DEPENDENCY_UNAVAILABLE", "INVALID_CONFIGURATION"])
def test_what_the_caller_cannot_mend_keeps_no_job_out(api, aws, messages_in, monkeypatch, code):
    """The worker waits for AppConfig, or fails the job so that it can be redriven after the fix."""

    def broken():
        raise JobError(code, "no configuration")

    monkeypatch.setattr(api.module.api._job_types, "get", broken)
    assert api("PUT", f"/jobs/{ID}", GOOD | {"jobType": "any"})[0] == 202
    assert len(messages_in(aws.request_queue)) == 1


# Reading


def test_an_open_job_is_shown_as_it_is(api, claimed):  # R-J6
    assert api("GET") == (200, OPEN)
    assert api.headers["Retry-After"] == "2"
    assert api.headers["Cache-Control"] == "private, no-cache"


def test_a_completed_job_is_shown_with_its_result(api, claimed, complete, clock):  # R-J6
    clock.forward(seconds=5)
    complete()
    assert api("GET") == (
        200,
        OPEN
        | {
            "status": "completed",
            "updatedAt": "2026-01-31T12:00:05.000Z",
            "completedAt": "2026-01-31T12:00:05.000Z",
            "model": "amazon.nova-lite-v1:0",
            "usage": {"inputTokens": 12, "outputTokens": 5},
            "result": {
                "text": "Hello, Ada.",
                "model": "amazon.nova-lite-v1:0",
                "usage": {"inputTokens": 12, "outputTokens": 5},
                "stopReason": "end_turn",
                "truncated": False,
            },
        },
    )
    assert "Retry-After" not in api.headers


def test_a_result_in_the_bucket_is_shown_as_a_signed_url(api, claimed, complete, clock):
    location = {"bucket": "objects", "key": "results/user=user-1/job=job-1/1.json", "bytes": 300_000}
    usage = {"inputTokens": 12, "outputTokens": 50_000}
    complete(result_location=location, model="m", usage=usage)
    status, shown = api("GET")
    assert (status, shown["status"], shown["model"], shown["usage"]) == (200, "completed", "m", usage)
    assert shown["resultUrl"].startswith("https://objects.s3.eu-west-1.amazonaws.com/results/user%3Duser-1/job%3Djob-1")
    left = timestamps.from_text(shown["resultUrlExpiresAt"]) - timestamps.now()
    assert timedelta(minutes=14) < left
    assert {"result", "resultLocation"}.isdisjoint(shown)
    assert api.headers["Cache-Control"] == "no-store"
    assert "ETag" not in api.headers, "the URL is another one each time"
    assert api("GET", headers={"If-None-Match": "*"})[0] == 200


def test_a_failed_job_is_shown_with_its_reason(api, claimed, store):  # R-J6
    error = {"code": "INVALID_INPUT", "message": "input.name must be string", "field": "input.name"}
    store.apply_result(AIJobResultMessage("job-1", "user-1", "greeting", "failed", error=error))
    status, shown = api("GET")
    assert (status, shown["status"], shown["error"]) == (200, "failed", error)
    assert "result" not in shown


def test_an_unknown_job_is_a_404(api):  # R-J6
    assert api.refused("GET", "/jobs/nobody")[:2] == (404, "JOB_NOT_FOUND")


def test_an_expired_job_is_a_404(api, claimed, clock):  # R-J6
    clock.forward(days=30)
    assert api("GET")[0] == 404


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize("job_id", ["a b", "ümlaut", "a/b", "x" * 129, "a&b", "'; DROP TABLE", "a\n"])
def test_a_malformed_id_is_a_400_that_names_it(api, method, job_id):
    status, shown = api(method, f"/jobs/{job_id}")
    assert (status, shown["error"]["code"]) == (400, "INVALID_JOB_ID")
    assert "jobId" in shown["error"]["message"]


def test_what_has_not_changed_is_not_sent_again(api, claimed, complete, clock):
    api("GET")
    tag = api.headers["ETag"]
    for given in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        assert api("GET", headers={"If-None-Match": given}) == (304, None)
        assert (api.headers["ETag"], api.headers["Retry-After"]) == (tag, "2")
    assert api("GET", headers={"if-none-match": '"other"'})[0] == 200
    clock.forward(seconds=1)
    complete()
    assert api("GET", headers={"If-None-Match": tag})[0] == 200
    assert api.headers["ETag"] != tag


def test_a_wait_ends_with_the_job(api, claimed, complete, reads):
    api.while_asleep = lambda: complete() if len(api.slept) == 3 else None
    status, shown = api("GET", wait="20")
    assert (status, shown["status"]) == (200, "completed")
    assert len(api.slept) == 3


def test_a_wait_is_over_when_it_is_over(api, claimed, reads):
    status, shown = api("GET", wait="20")
    assert (status, shown["status"]) == (200, "processing")
    assert sum(api.slept) == pytest.approx(20)
    assert reads.count("GetItem") <= 20, "at most one read a second"
    assert min(api.slept[:-1]) >= 1


def test_a_job_that_has_ended_is_not_waited_for(api, claimed, complete):
    complete()
    assert api("GET", wait="20")[1]["status"] == "completed"
    assert api.slept == []


def test_a_wait_is_also_for_a_job_that_has_no_row_yet(api, store, clock, body):
    def posted():
        if len(api.slept) == 2:
            job = ReceivedJob.parse(body(), {}, "m", clock())
            store.claim(job, "m", ClaimTerms(clock() + timedelta(minutes=15), 3600, 60))

    api.while_asleep = posted
    assert api("GET", wait="5")[1]["status"] == "processing"
    assert api.refused("GET", "/jobs/nobody", wait="5")[:2] == (404, "JOB_NOT_FOUND")


@pytest.mark.parametrize(("longest", "milliseconds_left", "waited"), [(3, 29_000, 3), (0, 29_000, 0), (25, 7_000, 5)])
def test_a_wait_is_cut_to_what_the_service_and_its_time_allow(start, claimed, longest, milliseconds_left, waited):
    api = start(max_wait_seconds=longest)
    api.milliseconds_left = milliseconds_left
    assert api("GET", wait="20")[0] == 200
    assert sum(api.slept) == pytest.approx(waited)


def test_callers_beyond_the_limit_are_answered_at_once(start, aws, clock, claimed, measured):
    api = start(max_concurrent_waits=1)
    with WaitSlots(aws.table, 1, clock).taken(25):
        status, shown = api("GET", wait="20")
        assert (status, shown["status"], api.slept) == (200, "processing", [])
        assert api.headers["Retry-After"] == "2", "its caller asks again"
    assert measured()["WaitsRefused"] == [1]
    api("GET", wait="20")
    assert sum(api.slept) == pytest.approx(20), "the slot is free again"


def test_a_wait_that_does_not_wait_takes_no_slot(start, claimed, complete, reads):
    api = start(max_concurrent_waits=1)
    api("GET")
    complete()
    api("GET", wait="20")
    assert reads.count("UpdateItem") == 1, "complete() alone writes"


@pytest.mark.parametrize("wait", ["abc", "", "-1", "26", "1.5", "1e1", "٣", "9" * 5000, " 1"])
def test_a_wait_that_is_none_is_refused(api, wait):
    assert api.refused("GET", wait=wait) == (400, "BAD_REQUEST", "wait")
    assert api.slept == []


def test_unknown_and_repeated_parameters_are_refused(api):
    assert api.refused("GET", waits="1")[:2] == (400, "BAD_REQUEST")
    assert api.refused("GET", wait=["1", "2"]) == (400, "BAD_REQUEST", "wait")
    assert api.refused("DELETE", force="1")[:2] == (400, "BAD_REQUEST")
    assert api.refused("PUT", f"/jobs/{ID}", GOOD, dry="1")[:2] == (400, "BAD_REQUEST")
    assert api.refused("GET", "/jobs", userId="user-1", statu="failed")[:2] == (400, "BAD_REQUEST")


def test_the_time_of_a_request_is_measured_without_what_it_waited(api, claimed, measured):
    api("GET", wait="5")
    (milliseconds,) = measured()["RequestTime"]
    assert milliseconds == pytest.approx(0, abs=1)


# Listing


@pytest.fixture
def jobs(api, clock, store, work, aws, complete):
    """The ids of user-1's seven jobs, newest first: a minute apart, the even ones completed. user-2 has one job."""
    ids = []
    for number in range(7):
        job_id = str(uuid.UUID(int=number))
        api("PUT", f"/jobs/{job_id}", GOOD | {"input": {"name": str(number)}})
        work()
        if number % 2 == 0:
            complete(job_id)
        ids.append(job_id)
        clock.forward(minutes=1)
    api("PUT", f"/jobs/{ID}", GOOD | {"userId": "user-2"})
    return ids[::-1]


def ids_of(answer):
    status, shown = answer
    assert status == 200, shown
    return [job["jobId"] for job in shown["jobs"]]


def test_jobs_are_listed_the_newest_first_without_their_results(api, jobs):
    _, shown = api("GET", "/jobs", userId="user-1")
    assert [job["jobId"] for job in shown["jobs"]] == jobs
    assert "nextCursor" not in shown
    assert {job["userId"] for job in shown["jobs"]} == {"user-1"}
    assert all({"result", "error"}.isdisjoint(job) for job in shown["jobs"])
    assert ids_of(api("GET", "/jobs", userId="nobody")) == []


@pytest.mark.parametrize(
    "filters", [{}, {"status": "completed"}, {"status": "processing", "jobType": "greeting"}, {"jobType": "other"}]
)
@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
def test_pages_together_are_the_list(api, jobs, filters, limit):
    wanted = (
        {
            None: jobs,
            "completed": jobs[::2],
            "processing": jobs[1::2],
        }[filters.get("status")]
        if filters.get("jobType") != "other"
        else []
    )
    found, cursor = [], {}
    for _ in range(20):
        status, shown = api("GET", "/jobs", userId="user-1", limit=str(limit), **filters, **cursor)
        assert status == 200
        assert len(shown["jobs"]) <= limit
        found += [job["jobId"] for job in shown["jobs"]]
        if "nextCursor" not in shown:
            break
        cursor = {"cursor": shown["nextCursor"]}
    assert found == wanted


def test_a_listing_is_a_query_and_no_scan(api, jobs, reads):
    api("GET", "/jobs", userId="user-1", status="cancelled")
    assert reads == ["Query"]


def test_a_page_gives_up_after_some_queries_but_tells_where_to_go_on(api, jobs, monkeypatch):
    listing = importlib.import_module("ai_jobs.service.listing")
    monkeypatch.setattr(listing, "_PAGE_ROWS", 1)
    monkeypatch.setattr(listing, "_MOST_QUERIES", 2)
    found, cursor = [], {}
    for _ in range(10):
        _, shown = api("GET", "/jobs", userId="user-1", status="completed", **cursor)
        found.append(len(shown["jobs"]))
        if "nextCursor" not in shown:
            break
        cursor = {"cursor": shown["nextCursor"]}
    assert sum(found) == 4
    assert len(found) == 4


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({}, "userId"),
        ({"userId": ""}, "userId"),
        ({"userId": "a b"}, "userId"),
        ({"limit": "0"}, "limit"),
        ({"limit": "101"}, "limit"),
        ({"limit": "10000"}, "limit"),
        ({"limit": "abc"}, "limit"),
        ({"limit": "-1"}, "limit"),
        ({"status": "done"}, "status"),
        ({"status": ""}, "status"),
        ({"cursor": ""}, "cursor"),
        ({"cursor": "abc"}, "cursor"),
        ({"cursor": "not base64!"}, "cursor"),
        ({"cursor": "bnVsbA"}, "cursor"),
        ({"cursor": base64.urlsafe_b64encode(b'["a", 1]').decode()}, "cursor"),
        ({"cursor": base64.urlsafe_b64encode(b'["", "a"]').decode()}, "cursor"),
        ({"cursor": base64.urlsafe_b64encode(b'["a", "b"]').decode()}, "cursor"),
        ({"cursor": base64.urlsafe_b64encode(b"[" * 50_000).decode()}, "cursor"),
    ],
)
def test_a_bad_listing_is_refused_with_the_name_of_the_parameter(api, query, field):
    asked = query if field == "userId" else {"userId": "user-1"} | query
    assert api.refused("GET", "/jobs", **asked) == (400, "BAD_REQUEST", field)


def test_a_cursor_leads_to_no_other_users_jobs(api, jobs):
    _, shown = api("GET", "/jobs", userId="user-1", limit="1")
    assert ids_of(api("GET", "/jobs", userId="user-2", cursor=shown["nextCursor"])) == []


# Cancelling


def test_a_queued_job_that_was_cancelled_never_runs(api, work, clock):
    api("PUT", f"/jobs/{ID}", GOOD)
    clock.forward(seconds=3)
    status, shown = api("DELETE", f"/jobs/{ID}")
    assert (status, shown["status"], shown["completedAt"], shown["attempts"]) == (
        200,
        "cancelled",
        "2026-01-31T12:00:03.000Z",
        0,
    )
    assert api("GET", f"/jobs/{ID}") == (200, shown)
    assert work()[1] is Refusal.FINISHED


def test_the_late_result_of_a_cancelled_job_is_dropped(api, claimed, complete):
    assert api("DELETE")[1]["status"] == "cancelled"
    assert complete().row is None
    _, shown = api("GET")
    assert shown["status"] == "cancelled"
    assert "result" not in shown


def test_a_cancelled_job_is_not_open_any_more(api, store, claimed):
    api("DELETE")
    assert {"openShard", "dueAt", "leaseExpiresAt"}.isdisjoint(store.get("job-1"))


def test_a_job_that_has_ended_is_a_conflict(api, claimed, complete):
    complete()
    status, shown = api("DELETE")
    assert (status, shown["error"]["code"]) == (409, "JOB_ENDED")
    assert "completed" in shown["error"]["message"]
    assert api("GET")[1]["status"] == "completed"


def test_cancelling_twice_is_a_conflict(api, claimed, clock):
    assert api("DELETE")[0] == 200
    clock.forward(seconds=1)
    assert api.refused("DELETE")[:2] == (409, "JOB_ENDED")


def test_an_unknown_job_cannot_be_cancelled(api, claimed, clock, store):
    assert api.refused("DELETE", "/jobs/nobody")[:2] == (404, "JOB_NOT_FOUND")
    clock.forward(days=31)
    assert api.refused("DELETE")[:2] == (404, "JOB_NOT_FOUND")
    store.erase("job-1")
    assert api.refused("DELETE")[:2] == (404, "JOB_NOT_FOUND")


def test_a_cancellation_is_one_write_and_is_counted(api, claimed, reads, measured):
    api("DELETE")
    assert reads == ["UpdateItem"]
    assert measured()["JobsCancelled"] == [("greeting", 1)]


# Who may see what


TOKENS = [
    ("COGNITO_USER_POOLS", lambda user: {"claims": {"sub": user}, "principalId": "somebody-else"}),
    ("CUSTOM", lambda user: {"principalId": user, "claims": {"sub": "somebody-else"}}),
]


@pytest.mark.parametrize(("mode", "token"), TOKENS)
def test_a_token_says_who_the_user_is(start, aws, messages_in, mode, token):
    api = start(mode)
    api.authorizer = token("user-1")
    body = {name: value for name, value in GOOD.items() if name != "userId"}
    assert api("PUT", f"/jobs/{ID}", body)[0] == 202
    assert api("GET", f"/jobs/{ID}")[1]["userId"] == "user-1"
    assert ids_of(api("GET", "/jobs")) == [ID]
    (message,) = messages_in(aws.request_queue)
    assert (message.attributes["UserId"], message.group_id) == ("user-1", "user-1")

    api.authorizer = token("user-2")
    assert ids_of(api("GET", "/jobs")) == []
    assert api("GET", f"/jobs/{ID}") == api("GET", f"/jobs/{OTHER_ID}"), "existence is not revealed"
    assert api.refused("GET", f"/jobs/{ID}", wait="2")[:2] == (404, "JOB_NOT_FOUND")
    assert api("DELETE", f"/jobs/{ID}") == api("DELETE", f"/jobs/{OTHER_ID}")
    assert api.refused("PUT", f"/jobs/{ID}", body)[:2] == (409, "JOB_ID_CONFLICT")

    api.authorizer = token("user-1")
    assert api("DELETE", f"/jobs/{ID}")[1]["status"] == "cancelled"


@pytest.mark.parametrize(("mode", "token"), TOKENS)
def test_a_user_that_is_named_beside_the_token_is_refused(start, mode, token):
    api = start(mode)
    api.authorizer = token("user-1")
    assert api.refused("PUT", f"/jobs/{ID}", GOOD) == (400, "BAD_REQUEST", "userId")
    assert api.refused("GET", "/jobs", userId="user-1")[:2] == (400, "BAD_REQUEST")


@pytest.mark.parametrize(("mode", "token"), TOKENS)
@pytest.mark.parametrize("user", [None, "", "auth0|7", 7, "x" * 129])
def test_a_token_that_names_no_user_is_forbidden(start, mode, token, user):
    api = start(mode)
    api.authorizer = token(user)
    for method, path in (("GET", "/jobs"), ("GET", f"/jobs/{ID}"), ("DELETE", f"/jobs/{ID}"), ("PUT", f"/jobs/{ID}")):
        assert api.refused(method, path, GOOD)[:2] == (403, "FORBIDDEN")
    api.authorizer = None
    assert api.refused("GET", "/jobs")[:2] == (403, "FORBIDDEN")


@pytest.mark.parametrize("mode", ["AWS_IAM", "NONE"])
def test_a_trusted_caller_says_who_the_user_is(start, mode):
    api = start(mode)
    assert api("PUT", f"/jobs/{ID}", GOOD)[0] == 202
    assert api("GET", f"/jobs/{ID}")[1]["userId"] == "user-1"


def test_the_empty_fields_of_an_authorizer_are_no_token(start):
    """Events that tools generate have them in every mode."""
    api = start("AWS_IAM")
    api.authorizer = {"claims": None, "scopes": None}
    assert api("PUT", f"/jobs/{ID}", GOOD)[0] == 202
    api.authorizer = {"claims": {}}
    assert api.refused("GET", f"/jobs/{ID}")[:2] == (403, "FORBIDDEN")


@pytest.mark.parametrize("mode", ["AWS_IAM", "NONE"])
@pytest.mark.parametrize(("_was", "token"), TOKENS)
def test_a_user_with_a_token_is_not_trusted_while_the_mode_changes(start, mode, _was, token):
    """The function gets its new mode before the stage gets its new deployment."""
    api = start(mode)
    api.authorizer = token("mallory")
    for method, path in (("GET", f"/jobs/{ID}"), ("DELETE", f"/jobs/{ID}"), ("PUT", f"/jobs/{ID}")):
        assert api.refused(method, path, GOOD)[:2] == (403, "FORBIDDEN")
    assert api.refused("GET", "/jobs", userId="user-1")[:2] == (403, "FORBIDDEN")


# Faults


@pytest.mark.parametrize(
    ("aws_code", "status", "code"),
    [("ThrottlingException", 503, "STORE_UNAVAILABLE"), ("AccessDeniedException", 500, "INTERNAL_ERROR")],
)
@pytest.mark.parametrize(
    ("method", "path", "operation"),
    [("GET", "/jobs/job-1", "GetItem"), ("DELETE", "/jobs/job-1", "UpdateItem"), ("GET", "/jobs", "Query")],
)
def test_only_what_may_pass_asks_to_try_again(api, refusing, aws_code, status, code, method, path, operation):
    refusing(clients.get_dynamodb_client(), operation, aws_code)
    query = {"userId": "user-1"} if operation == "Query" else {}
    assert api.refused(method, path, **query)[:2] == (status, code)
    assert ("Retry-After" in api.headers) == (status == 503)


def test_a_dependency_that_hangs_is_told_before_the_function_ends(api):
    """If Lambda ended it, the caller would get no response, and the row would not be marked."""
    for client, attempts in ((clients.get_dynamodb_client(), 2), (clients.get_sqs_sending_client(), 3)):
        config = client.meta.config
        assert config.retries["total_max_attempts"] == attempts
        assert attempts * (config.connect_timeout + config.read_timeout) <= 12, "the function has 29 s"


def test_s3_and_the_configuration_may_both_hang_within_the_functions_time():
    waits = 0
    for client in (clients.get_appconfigdata_client(), clients.get_s3_client()):
        config = client.meta.config
        attempts = config.retries["total_max_attempts"]
        # botocore's standard mode waits up to a second before the first retry, and twice as long before each next one.
        backoff = sum(2**number for number in range(attempts - 1))
        waits += attempts * (config.connect_timeout + config.read_timeout) + backoff
    assert waits <= 28, "the function has 29 s"


def test_a_bucket_that_hangs_is_a_503(api, monkeypatch):
    """A large input must be stored there first."""

    def hang(**_):
        raise ReadTimeoutError(endpoint_url="https://objects.s3.eu-west-1.amazonaws.com")

    monkeypatch.setattr(clients.get_s3_client(), "put_object", hang)
    body = GOOD | {"input": {"name": "x" * 300_000}}
    assert api.refused("PUT", f"/jobs/{ID}", body)[:2] == (503, "STORE_UNAVAILABLE")
    assert api.headers["Retry-After"]


def test_a_bug_is_a_500_in_the_apis_shape(api, monkeypatch):
    monkeypatch.setattr(api.module.api, "_store", None)
    assert api.refused("GET")[:2] == (500, "INTERNAL_ERROR")


def test_a_route_that_is_not_there_has_the_apis_shape(api):
    assert api.refused("POST")[:2] == (404, "NOT_FOUND")


# Pages in browsers


def cors_of(api):
    return {name: value for name, value in api.headers.items() if name.startswith("Access-Control") or name == "Vary"}


def test_without_cors_no_page_may_read_an_answer(api):
    api("GET", headers={"Origin": "https://app.example.com"})
    assert cors_of(api) == {}


@pytest.mark.parametrize(
    ("allowed", "named", "varies"),
    [
        ("*", "*", False),
        ("https://app.example.com", "https://app.example.com", False),
        ("https://first.example.com https://app.example.com", "https://app.example.com", True),
        ("https://first.example.com https://second.example.com", "https://first.example.com", True),
    ],
)
def test_a_page_of_an_origin_that_is_let_in_may_read_every_answer(start, monkeypatch, claimed, allowed, named, varies):
    monkeypatch.setenv("AI_JOB_CORS_ALLOW_ORIGINS", allowed)
    api = start()
    headers = {
        "Access-Control-Allow-Origin": named,
        "Access-Control-Expose-Headers": "ETag, Location, Retry-After, x-amzn-RequestId",
    } | ({"Vary": "Origin"} if varies else {})
    origin = {"origin": "https://app.example.com"}  # browsers write it with a capital; HTTP/2 does not
    assert api("GET", headers=origin)[0] == 200
    assert cors_of(api) == headers
    assert api("GET", headers=origin | {"If-None-Match": "*"})[0] == 304
    assert cors_of(api) == headers
    assert api("GET", "/jobs/nobody", headers=origin)[0] == 404
    assert cors_of(api) == headers
    assert api("GET", color="red", headers=origin)[0] == 400
    assert cors_of(api) == headers


def test_a_page_may_read_that_the_service_failed(start, monkeypatch):
    monkeypatch.setenv("AI_JOB_CORS_ALLOW_ORIGINS", "*")
    api = start()
    api.module.api = None
    assert api.refused("GET")[:2] == (500, "INTERNAL_ERROR")
    assert cors_of(api)["Access-Control-Allow-Origin"] == "*"
