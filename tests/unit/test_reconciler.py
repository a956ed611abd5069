"""The reconciler: R-E3, R-E4. It closes what no one works on anymore, and marks what SQS dead-lettered."""

from __future__ import annotations

import importlib
import sys
from datetime import timedelta
from types import SimpleNamespace

import boto3
import pytest

from ai_jobs import AIJobResultMessage, AIJobsError, AWSError, JobError
from ai_jobs.aws.queues import get_queue_message_count, send_message
from ai_jobs.contract import timestamps
from ai_jobs.contract.request import ReceivedJob
from ai_jobs.service import job_store, listing
from ai_jobs.service.dead_letters import send_to_dlq
from ai_jobs.service.job_store import JobStore
from ai_jobs.service.outcomes import ClaimTerms, Refusal
from reconciler import dlq_reader, message_handling, open_jobs
from reconciler.dead_lettered_jobs import DeadLetteredJobs
from reconciler.reconcile import Reconciler
from reconciler.settings import ReconcilerSettings
from reconciler.summary import Summary


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr(dlq_reader, "_POLL_SECONDS", 0)


@pytest.fixture(autouse=True)
def _few_shards(monkeypatch):
    """A run queries each one twice, which would take moto most of a test's time."""
    monkeypatch.setattr(job_store, "OPEN_SHARDS", 4)
    monkeypatch.setattr(open_jobs, "OPEN_SHARDS", 4)


@pytest.fixture
def run(aws, store, clock):
    """One run, with two minutes to go; `chance` decides about second looks at settled messages."""
    settings = ReconcilerSettings(aws.request_dlq, aws.response_dlq, aws.table, aws.bucket, retention_days=30)

    def reconcile(chance=0.0):
        return Reconciler(settings, store, clock() + timedelta(minutes=2), clock, lambda: chance).run()

    return reconcile


@pytest.fixture
def in_dlq(aws, body):
    """Puts a job's message into the request DLQ as SQS does (nothing is added) and returns its message id."""

    def put(attributes=None, text=None, **fields):
        return send_message(aws.request_dlq, text or body(**fields), attributes or {}, "user-1")

    return put


@pytest.fixture
def claim(store, clock, body):
    """Claims a job for 15 minutes, on behalf of a message."""

    def take(message_id="m", deadline_seconds=3600, **fields):
        job = ReceivedJob.parse(body(**fields), {}, message_id, clock())
        return store.claim(job, message_id, ClaimTerms(clock() + timedelta(minutes=15), deadline_seconds, 1800))

    return take


@pytest.fixture
def dead_lettered(aws, messages_in):
    return lambda: messages_in(aws.request_dlq)


def test_a_crashed_job_is_closed_and_its_dead_lettered_message_says_why(
    run, in_dlq, claim, store, clock, dead_lettered
):  # R-E3 R-E4
    message_id = in_dlq({"UserId": "user-1", "TraceId": "t", "ThrottleCount": "2"})
    claim(message_id)
    clock.forward(minutes=15)
    assert run() == Summary(closed=1, restamped=1)
    row = store.get("job-1")
    assert (row["status"], row["error"]["code"]) == ("failed", "WORKER_CRASHED")
    assert {"openShard", "dueAt", "leaseExpiresAt"}.isdisjoint(row)
    (message,) = dead_lettered()
    assert message.message_id != message_id
    assert message.group_id == "user-1"
    assert message.attributes == {
        "UserId": "user-1",
        "TraceId": "t",
        "JobId": "job-1",
        "ErrorCode": "WORKER_CRASHED",
        "ErrorMessage": message.attributes["ErrorMessage"],
        "Attempts": "1",
        "FailedAt": timestamps.to_text(clock()),
    }


def test_what_was_given_back_and_then_dead_lettered_is_closed_too(run, in_dlq, claim, store):
    claim(in_dlq())
    store.release("job-1", 1)
    assert run() == Summary(closed=1, restamped=1)
    assert store.get("job-1")["status"] == "failed"


def test_a_job_that_never_reached_a_worker_gets_a_row(run, in_dlq, store, dead_lettered, clock):  # R-E3
    message_id = in_dlq(jobId=None, traceId="t", timestamp="2026-01-31T11:00:00Z")
    assert run() == Summary(closed=1, restamped=1)
    row = store.get(message_id)
    assert (row["status"], row["error"]["code"], row["attempt"]) == ("failed", "WORKER_CRASHED", 0)
    assert (row["userId"], row["jobType"], row["traceId"]) == ("user-1", "greeting", "t")
    assert row["createdAt"] == "2026-01-31T11:00:00.000Z"
    (message,) = dead_lettered()
    assert message.attributes["JobId"] == message_id, "a redrive keeps the job's identity"


def test_a_redrive_of_a_closed_job_runs_it(run, in_dlq, store, claim, clock, dead_lettered, body):
    message_id = in_dlq(jobId=None)
    run()
    (message,) = dead_lettered()
    clock.forward(minutes=1)
    again = ReceivedJob.parse(message.body, message.attributes, "new-id", clock())
    assert again.job_id == message_id
    claimed = store.claim(again, "new-id", ClaimTerms(clock() + timedelta(minutes=15), 3600, 1800))
    assert claimed.attempt == 1


@pytest.mark.parametrize("minutes", [0, 14])
def test_a_job_that_may_still_be_worked_on_is_left_alone(run, in_dlq, claim, store, clock, dead_lettered, minutes):
    claim(in_dlq())
    clock.forward(minutes=minutes)
    assert run() == Summary()
    assert store.get("job-1")["status"] == "processing"
    assert len(dead_lettered()) == 1, "it is visible again, for the next run"


def test_a_duplicates_dead_lettered_message_closes_nothing(run, in_dlq, claim, store, clock):
    in_dlq()
    claim("another message")
    clock.forward(minutes=15)
    assert run() == Summary()
    assert store.get("job-1")["status"] == "processing"


def test_the_copy_that_carries_the_job_closes_it(run, in_dlq, claim, store):
    claim("the original")
    copy_id = in_dlq({"JobId": "job-1", "ThrottleCount": "1"})
    store.release("job-1", 1, copy_id)
    assert run() == Summary(closed=1, restamped=1)


@pytest.mark.parametrize("status", ["completed", "failed"])
def test_dead_lettered_messages_of_ended_jobs(run, in_dlq, claim, store, dead_lettered, status):
    claim(in_dlq())
    outcome = (
        {"result": {"text": "hi"}} if status == "completed" else {"error": {"code": "INVALID_INPUT", "message": "m"}}
    )
    store.apply_result(AIJobResultMessage("job-1", "user-1", "greeting", status, **outcome))
    before = store.get("job-1")
    if status == "completed":
        assert run() == Summary(dropped=1)
        assert dead_lettered() == []
    else:
        assert run() == Summary(restamped=1)
        assert dead_lettered()[0].attributes["ErrorCode"] == "INVALID_INPUT"
    assert store.get("job-1") == before


def test_another_jobs_message_under_the_same_id_is_marked_as_such(run, in_dlq, claim, store, dead_lettered):
    claim("m", input={"name": "Ada"})
    in_dlq(input={"name": "Bob"})
    before = store.get("job-1")
    assert run() == Summary(restamped=1)
    assert dead_lettered()[0].attributes["ErrorCode"] == "JOB_ID_CONFLICT"
    assert run() == Summary(), "once is enough"
    assert store.get("job-1") == before


@pytest.mark.parametrize("text", ["no json", "{}", '{"userId": "a b"}'])
def test_what_is_not_a_job_gets_its_reason(run, in_dlq, dead_lettered, text):
    message_id = in_dlq(text=text)
    assert run() == Summary(restamped=1)
    (message,) = dead_lettered()
    assert (message.body, message.attributes["ErrorCode"]) == (text, "NOT_A_JOB")
    assert message.attributes["JobId"] == message_id


def test_an_erased_jobs_dead_lettered_message_goes(run, in_dlq, claim, store, dead_lettered):
    claim(in_dlq())
    store.erase("job-1")
    assert run() == Summary(dropped=1)
    assert dead_lettered() == []


def test_a_dead_lettered_message_that_outlived_its_row_does_not_bring_it_back(run, in_dlq, store, clock, dead_lettered):
    in_dlq(timestamp=timestamps.to_text(clock() - timedelta(days=30)))
    assert run() == Summary(restamped=1)
    assert store.get("job-1") is None


@pytest.mark.parametrize("reason", [None, "DEPENDENCY_REFUSED"])
def test_a_dead_lettered_message_with_the_result_of_an_erased_job_goes(run, aws, claim, store, messages_in, reason):
    claim()
    store.erase("job-1")
    attributes = {"JobId": "job-1"} | ({"ErrorCode": reason} if reason else {})
    send_message(aws.response_dlq, a_result().to_body(), attributes)
    assert run() == Summary(dropped=1)
    assert messages_in(aws.response_dlq) == []


@pytest.fixture
def given_up(aws, received, body, clock):
    """Puts a message into the request DLQ as the processor does."""

    def put(code="MODEL_ACCESS_DENIED", text=None, **fields):
        message = received(text or body(**fields))
        send_to_dlq(aws.request_dlq, message, "job-1", JobError(code, "the reason"), clock())

    return put


def test_a_given_up_job_whose_result_was_not_sent_is_closed_with_its_reason(
    run, given_up, claim, store, clock, dead_lettered
):
    claim("m")
    given_up()
    assert run() == Summary(), "its worker may be about to say so itself"
    clock.forward(minutes=15)
    assert run() == Summary(closed=1)
    assert store.get("job-1")["error"] == {"code": "MODEL_ACCESS_DENIED", "message": "the reason"}
    assert len(dead_lettered()) == 1


def test_a_given_up_job_without_a_row_gets_one(run, given_up, store):
    given_up("DEPENDENCY_REFUSED")
    assert run() == Summary(closed=1)
    assert store.get("job-1")["error"]["code"] == "DEPENDENCY_REFUSED"
    assert run() == Summary()


def test_a_dead_lettered_message_of_an_earlier_life_closes_nothing(run, given_up, claim, store, clock):
    given_up()
    clock.forward(minutes=1)
    claim("redriven")
    clock.forward(minutes=15)
    assert run() == Summary()
    assert store.get("job-1")["status"] == "processing"


def test_a_conflict_never_gets_a_row(run, given_up, store):
    given_up("JOB_ID_CONFLICT")
    assert run() == Summary()
    assert store.get("job-1") is None


def test_what_sqs_moved_once_more_is_marked_anew(run, aws, claim, in_dlq, store, clock, dead_lettered, monkeypatch):
    """A redriven message keeps its first reason; SQS's mark says that its worker has crashed since."""
    message_id = in_dlq({"JobId": "job-1", "ErrorCode": "MODEL_ACCESS_DENIED", "FailedAt": "2026-01-01T00:00:00.000Z"})
    claim(message_id)
    clock.forward(minutes=15)
    receive = dlq_reader.receive_messages

    def marked(*args, **kwargs):
        found = receive(*args, **kwargs)
        for message in found:
            if message.message_id == message_id:
                message.system_attributes["DeadLetterQueueSourceArn"] = "arn:aws:sqs:eu-west-1:1:request-queue"
        return found

    monkeypatch.setattr(dlq_reader, "receive_messages", marked)
    assert run() == Summary(closed=1, restamped=1)
    (message,) = dead_lettered()
    assert message.attributes["ErrorCode"] == "WORKER_CRASHED"


def test_a_dead_lettered_message_without_room_for_a_reason_stays_as_it_is(run, body, in_dlq, store, dead_lettered):
    empty = len(body(note=""))
    in_dlq(text=body(note="x" * (262_144 - empty)))
    assert run() == Summary(closed=1)
    assert run() == Summary()
    assert store.get("job-1")["error"]["code"] == "WORKER_CRASHED"
    assert len(dead_lettered()) == 1


def test_the_dead_lettered_copy_is_there_before_the_job_is_failed(
    run, in_dlq, claim, store, clock, dead_lettered, monkeypatch
):
    claim(in_dlq())
    clock.forward(minutes=15)
    with monkeypatch.context() as patch:
        patch.setattr(store, "close", lambda *args: (_ for _ in ()).throw(JobError("DEPENDENCY_UNAVAILABLE", "down")))
        assert run().failures > 0
    assert store.get("job-1")["status"] == "processing"
    assert run().closed == 1
    assert store.get("job-1")["status"] == "failed"
    assert len(dead_lettered()) == 2, "an extra one, but none lost"


def test_a_dead_lettered_message_that_can_not_be_copied_is_kept(run, in_dlq, dead_lettered, store, monkeypatch):
    def down(*args):
        raise AWSError("SQS is down")

    in_dlq()
    monkeypatch.setattr(message_handling, "send_to_dlq", down)
    assert run() == Summary(failures=1)
    assert len(dead_lettered()) == 1
    assert store.get("job-1") is None


def test_one_bad_message_does_not_keep_the_others_waiting(run, in_dlq, store, monkeypatch):
    for number in range(25):
        in_dlq(jobId=f"job-{number}")
    create = store.create_failed

    def flaky(job, *args):
        if job.job_id == "job-7":
            raise RuntimeError("a bug")
        return create(job, *args)

    monkeypatch.setattr(store, "create_failed", flaky)
    assert run() == Summary(closed=24, restamped=24, failures=1)
    assert store.get("job-7") is None


def test_rows_that_can_not_be_read_do_not_end_the_run(run, in_dlq, store, monkeypatch):
    for number in range(25):
        in_dlq(jobId=f"job-{number}")
    find_all = store.find_all
    calls = iter(range(100))

    def slow_once(ids):
        if next(calls) == 0:
            raise JobError("DEPENDENCY_UNAVAILABLE", "DynamoDB could not be reached (ReadTimeoutError)")
        return find_all(ids)

    monkeypatch.setattr(dlq_reader, "_ROUND", 10)
    monkeypatch.setattr(store, "find_all", slow_once)
    assert run() == Summary(closed=15, restamped=15, failures=10)


@pytest.fixture
def many_given_up(aws, body, clock):
    """Fills the request DLQ with messages that have their reason."""

    def fill(number, age):
        attributes = {
            "ErrorCode": {"DataType": "String", "StringValue": "MODEL_NOT_FOUND"},
            "FailedAt": {"DataType": "String", "StringValue": timestamps.to_text(clock() - age)},
        }
        for start in range(0, number, 10):
            boto3.client("sqs").send_message_batch(
                QueueUrl=aws.request_dlq,
                Entries=[
                    {"Id": str(n), "MessageBody": body(jobId=f"old-{n}"), "MessageAttributes": attributes}
                    for n in range(start, min(start + 10, number))
                ],
            )

    return fill


def test_a_crashed_job_is_closed_however_much_lies_before_it(run, many_given_up, in_dlq, claim, store, clock):  # R-S2
    many_given_up(250, dlq_reader.SETTLED_AFTER * 2)
    claim(in_dlq())
    clock.forward(minutes=15)
    assert run(chance=1.0) == Summary(closed=1, restamped=1)
    assert store.get("job-1")["errorCode"] == "WORKER_CRASHED"


def test_of_a_settled_message_no_row_is_read(run, many_given_up, store, aws, monkeypatch):  # R-S2
    """100,000 consistent reads every five minutes are not free."""
    many_given_up(30, dlq_reader.SETTLED_AFTER + timedelta(seconds=1))
    read = []
    find_all = store.find_all
    monkeypatch.setattr(store, "find_all", lambda ids: find_all([read.append(job_id) or job_id for job_id in ids]))
    assert run(chance=1.0) == Summary()
    assert read == []
    assert get_queue_message_count(aws.request_dlq).visible == 30
    assert run(chance=0.0) == Summary(closed=30), "whatever earlier runs could not do is done at last"
    assert len(read) == 30


def test_a_young_message_is_never_taken_for_settled(run, given_up, claim, store, clock):  # R-E3
    """Its worker may have died before it reported the failure."""
    claim("m")
    given_up()
    clock.forward(minutes=15)
    assert run(chance=1.0) == Summary(closed=1)


def test_a_run_has_a_share_of_its_time_for_each_part(in_dlq, claim, aws, store, clock, monkeypatch):  # R-S2
    """However full the first queue is, overdue jobs are closed too, and hidden messages become visible again."""
    claim("another message", jobId="overdue", deadline_seconds=1)
    clock.forward(hours=1)
    for number in range(30):
        in_dlq(jobId=f"job-{number}")
    handle = DeadLetteredJobs.handle

    def slowly(self, message, row):
        clock.forward(seconds=20)
        return handle(self, message, row)

    monkeypatch.setattr(dlq_reader, "_ROUND", 1)
    monkeypatch.setattr(DeadLetteredJobs, "handle", slowly)
    settings = ReconcilerSettings(aws.request_dlq, aws.response_dlq, aws.table, aws.bucket, retention_days=30)
    monkeypatch.setattr(dlq_reader, "LANES", 1)
    done = Reconciler(settings, store, clock() + timedelta(minutes=4), clock).run()
    assert done.restamped < 30
    assert store.get("overdue")["errorCode"] == "JOB_STALLED"
    assert get_queue_message_count(aws.request_dlq).visible == 30


def test_no_more_is_hidden_than_sqs_allows(run, in_dlq, aws, monkeypatch):
    monkeypatch.setattr(dlq_reader, "MAX_HELD", 20)
    monkeypatch.setattr(dlq_reader, "_ROUND", 10)
    seen = []
    monkeypatch.setattr(DeadLetteredJobs, "handle", lambda self, message, row: seen.append(1) or message_handling.LEFT)
    monkeypatch.setattr(dlq_reader, "LANES", 1)
    for number in range(45):
        in_dlq(jobId=f"job-{number}")
    run()
    assert len(seen) == 20
    assert get_queue_message_count(aws.request_dlq).visible == 45


def test_a_dead_lettered_message_and_its_row_name_the_same_moment(
    aws, in_dlq, claim, store, clock, dead_lettered
):  # R-E4
    """Otherwise, a redrive that is sent between the two is taken for a duplicate."""

    def ticking():
        clock.forward(milliseconds=3)
        return clock()

    claim("m", jobId="given-up")
    given = {"ErrorCode": "MODEL_ERROR", "FailedAt": timestamps.to_text(clock())}
    in_dlq(given, jobId="given-up")
    claim(in_dlq(jobId="crashed"), jobId="crashed")
    in_dlq(jobId="unseen")
    claim("m", jobId="failed")
    error = {"code": "MODEL_ERROR", "message": "m"}
    store.apply_result(AIJobResultMessage("failed", "user-1", "greeting", "failed", error=error, timestamp=clock()))
    in_dlq(jobId="failed")
    clock.forward(minutes=15)
    settings = ReconcilerSettings(aws.request_dlq, aws.response_dlq, aws.table, aws.bucket, retention_days=30)
    store = JobStore(aws.table, clock=ticking)
    Reconciler(settings, store, clock() + timedelta(minutes=2), ticking).run()
    found = {message.attributes.get("JobId", "given-up"): message.attributes["FailedAt"] for message in dead_lettered()}
    assert found == {job_id: store.get(job_id)["completedAt"] for job_id in ("given-up", "crashed", "unseen", "failed")}


def test_a_redrive_between_the_copy_and_the_close_is_not_lost(run, in_dlq, claim, store, clock, body):  # R-E4
    claim(in_dlq())
    clock.forward(minutes=15)
    close, sent = store.close, []

    def close_late(*args):
        clock.forward(seconds=1)
        sent.append(clock())
        clock.forward(seconds=1)
        return close(*args)

    store.close = close_late
    assert run() == Summary(closed=1, restamped=1)
    job = ReceivedJob.parse(body(), {}, "redriven", sent[0])
    again = store.claim(job, "redriven", ClaimTerms(clock() + timedelta(minutes=15), 3600, 1800))
    assert (again.attempt, again.calls) == (1, 1)


def test_looks_at_a_message_are_not_attempts(run, in_dlq, claim, clock, dead_lettered):
    message_id = in_dlq()
    claim(message_id)
    for _ in range(4):
        run()
    clock.forward(minutes=15)
    claim(message_id)
    clock.forward(minutes=15)
    run()
    assert dead_lettered()[0].attributes["Attempts"] == "2", "a worker had it twice"


def test_a_run_ends_before_its_function_does(in_dlq, aws, store, clock):
    in_dlq()
    settings = ReconcilerSettings(aws.request_dlq, aws.response_dlq, aws.table, aws.bucket, retention_days=30)
    assert Reconciler(settings, store, clock() + timedelta(seconds=15), clock).run() == Summary()


# The response DLQ


def a_result(**fields):
    return AIJobResultMessage("job-1", "user-1", "greeting", "completed", result={"text": "hi"}, **fields)


def test_a_result_that_was_received_too_often_is_written(run, aws, claim, store, messages_in):  # R-E3
    claim()
    send_message(aws.response_dlq, a_result().to_body(), a_result().attributes())
    assert run() == Summary(results_applied=1)
    assert store.get("job-1")["result"] == {"text": "hi"}
    assert messages_in(aws.response_dlq) == []


def test_a_result_that_is_of_no_use_goes(run, aws, claim, store, messages_in):
    claim()
    send_message(aws.response_dlq, a_result(attempt=7).to_body(), {})
    assert run() == Summary(dropped=1)
    assert store.get("job-1")["status"] == "processing"


@pytest.mark.parametrize(
    ("text", "code"),
    [("no json", "NOT_A_RESULT"), ("{}", "NOT_A_RESULT"), (a_result().to_body(), "JOB_UNKNOWN")],
)
def test_a_result_that_can_not_be_written_gets_its_reason(run, aws, messages_in, text, code):
    send_message(aws.response_dlq, text, {"JobId": "job-1"})
    assert run() == Summary(restamped=1)
    assert run() == Summary()
    (message,) = messages_in(aws.response_dlq)
    assert (message.attributes["ErrorCode"], message.attributes["JobId"]) == (code, "job-1")


def test_a_result_that_waits_for_an_operator_is_left_to_them(run, aws, claim, store, received, clock, messages_in):
    claim()
    error = JobError("DEPENDENCY_REFUSED", "no permission")
    send_to_dlq(aws.response_dlq, received(a_result().to_body()), "job-1", error, clock())
    assert run() == Summary()
    assert store.get("job-1")["status"] == "processing"
    assert len(messages_in(aws.response_dlq)) == 1


# Overdue jobs


def test_an_open_job_long_past_its_deadline_is_closed(run, claim, store, clock):  # R-E3
    claim(deadline_seconds=600)
    clock.forward(seconds=600 + 1800 - 1)
    assert run() == Summary()
    clock.forward(seconds=1)
    assert run() == Summary(closed=1)
    row = store.get("job-1")
    assert (row["status"], row["error"]["code"]) == ("failed", "JOB_STALLED")
    assert run() == Summary(), "it has left the index"


def test_a_late_result_of_the_same_attempt_replaces_a_stall(run, claim, store, clock):
    claim(deadline_seconds=1)
    clock.forward(hours=1)
    run()
    store.apply_result(a_result(attempt=1))
    assert store.get("job-1")["status"] == "completed"


def test_an_overdue_job_in_a_workers_hands_is_left_to_it(run, claim, store, clock):
    claim(deadline_seconds=1)
    clock.forward(hours=1)
    claim(deadline_seconds=1)
    assert run() == Summary()
    assert store.get("job-1")["status"] == "processing"


def test_a_queued_row_whose_message_never_arrived(run, aws, store, clock, body):
    """What remains of a submit that wrote the row and then could not reach SQS."""
    job = ReceivedJob.parse(body(), {}, "m", clock())
    boto3.client("dynamodb").put_item(
        TableName=aws.table,
        Item={
            "jobId": {"S": "job-1"},
            "userId": {"S": "user-1"},
            "jobType": {"S": "greeting"},
            "createdAt": {"S": "2026-01-31T12:00:00.000Z"},
            "createdAt#jobId": {"S": "2026-01-31T12:00:00.000Z#job-1"},
            "status": {"S": "queued"},
            "payloadHash": {"S": job.payload_hash},
            "updatedAt": {"S": timestamps.to_text(clock())},
            "openShard": {"N": "3"},
            "dueAt": {"S": timestamps.to_text(clock())},
        },
    )
    assert run() == Summary(closed=1)
    assert store.get("job-1")["error"]["code"] == "ENQUEUE_FAILED"
    claimed = store.claim(job, "m", ClaimTerms(clock() + timedelta(minutes=15), 60, 60))
    assert claimed.attempt == 1, "a message that arrives after all can still claim it"


def test_no_number_of_overdue_jobs_in_workers_hands_hides_one_that_is_stalled(run, claim, clock, store, monkeypatch):
    monkeypatch.setattr(listing, "_PAGE_ROWS", 2)
    monkeypatch.setattr(job_store, "OPEN_SHARDS", 1)
    for number in range(6):
        claim(jobId=f"busy-{number}", deadline_seconds=1)
    clock.forward(seconds=1)
    claim(jobId="stalled", deadline_seconds=1)
    clock.forward(hours=1)
    for number in range(6):
        claim(jobId=f"busy-{number}", deadline_seconds=1)
    assert run() == Summary(closed=1)
    assert store.get("stalled")["errorCode"] == "JOB_STALLED"


def test_every_shard_is_looked_at(run, claim, clock):
    for number in range(40):
        claim(jobId=f"job-{number}", deadline_seconds=1)
    clock.forward(hours=1)
    assert run() == Summary(closed=40)


def test_a_part_that_fails_as_a_whole_does_not_stop_the_rest(run, claim, store, clock, monkeypatch, aws):
    claim(deadline_seconds=1)
    clock.forward(hours=1)
    receive = dlq_reader.receive_messages

    def half_down(url, **kwargs):
        if url == aws.request_dlq:
            raise AWSError("SQS is down")
        return receive(url, **kwargs)

    monkeypatch.setattr(dlq_reader, "receive_messages", half_down)
    with pytest.raises(AIJobsError):
        run()
    assert store.get("job-1")["error"]["code"] == "JOB_STALLED"


def test_two_runs_at_once_do_no_harm(run, in_dlq, claim, store, clock, dead_lettered):
    claim(in_dlq())
    clock.forward(minutes=15)
    in_the_middle = store.close

    def close(*args):
        run()  # the other run, between this one's copy and its close
        return in_the_middle(*args)

    store.close = close
    try:
        run()
    finally:
        store.close = in_the_middle
    assert store.get("job-1")["status"] == "failed"
    assert {message.attributes["ErrorCode"] for message in dead_lettered()} == {"WORKER_CRASHED"}


def test_the_handler_answers_with_what_was_done(aws, in_dlq, monkeypatch):
    monkeypatch.setenv("AI_JOB_REQUEST_DLQ_URL", aws.request_dlq)
    monkeypatch.setenv("AI_JOB_RESPONSE_DLQ_URL", aws.response_dlq)
    monkeypatch.setenv("AI_JOB_TABLE_NAME", aws.table)
    monkeypatch.setenv("AI_JOB_RETENTION_DAYS", "30")
    monkeypatch.setenv("AI_JOB_BUCKET", aws.bucket)
    monkeypatch.delitem(sys.modules, "reconciler.handler", raising=False)
    handler = importlib.import_module("reconciler.handler").handler
    in_dlq()
    context = SimpleNamespace(
        function_name="f",
        memory_limit_in_mb=128,
        invoked_function_arn="arn:aws:lambda:eu-west-1:123456789012:function:f",
        aws_request_id="r",
        get_remaining_time_in_millis=lambda: 120_000,
    )
    assert handler({}, context) == {
        "closed": 1,
        "results_applied": 0,
        "restamped": 1,
        "dropped": 0,
        "failures": 0,
    }


def test_a_job_erased_and_sent_again_stays_gone(store, claim):
    claim()
    store.erase("job-1")
    assert claim() is Refusal.FINISHED
    assert claim(input={"name": "Bob"}) is Refusal.FINISHED


def test_what_a_run_measures(run, claim, store, clock, measured):
    claim(jobId="old")
    clock.forward(minutes=7)
    claim(jobId="young")
    measured()
    run()
    found = measured()
    # The zeros keep the series alive with which alarms compute.
    assert found == {"OldestOpenJobAge": [420], "JobsCompleted": [0], "JobsFailed": [0], "JobsStalled": [0]}


def test_without_open_jobs_the_oldest_has_no_age(run, measured):
    run()
    assert measured()["OldestOpenJobAge"] == [0]


def test_a_redriven_job_counts_from_its_redrive(run, store, claim, clock, measured):
    claim()
    store.apply_result(
        AIJobResultMessage("job-1", "user-1", "greeting", "failed", error={"code": "X"}, timestamp=clock())
    )
    clock.forward(hours=3)
    claim()
    clock.forward(minutes=1)
    run()
    assert measured()["OldestOpenJobAge"] == [60]


def test_stalled_jobs_are_counted_as_failed_and_as_stalled(run, claim, clock, measured):
    claim(deadline_seconds=1)
    clock.forward(hours=1)
    measured()
    run()
    found = measured()
    assert (found["JobsFailed"], found["JobsStalled"]) == ([("greeting", 1), 0], [1, 0])
    assert found["CrashErrors"] == [1]


def test_a_result_out_of_the_dlq_is_counted_as_any_other(run, aws, claim, clock, measured):
    claim()
    clock.forward(seconds=2)
    result = a_result(timestamp=clock())
    send_message(aws.response_dlq, result.to_body(), result.attributes(), "user-1")
    measured()
    assert run().results_applied == 1
    found = measured()
    assert (found["JobsCompleted"], found["TotalTime"]) == ([("greeting", 1), 0], [("greeting", 2000)])
