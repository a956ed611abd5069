"""R-E4: an operator can look at dead-lettered messages and redrive some of them, and nothing is lost on the way."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import pytest

from ai_jobs import AIJobResultMessage, JobError, get_queue_message_count, receive_messages
from ai_jobs.aws import clients
from ai_jobs.aws.queues import send_message
from ai_jobs.contract import timestamps
from ai_jobs.contract.request import ReceivedJob
from ai_jobs.contract.rules import MAX_MESSAGE_BYTES
from ai_jobs.operate import redrive
from ai_jobs.operate import sweep as sweeping
from ai_jobs.operate.dead_lettered_message import DeadLetteredMessage
from ai_jobs.operate.redrive import Outcome
from ai_jobs.operate.selection import Selection
from ai_jobs.operate.sweep import QueuePair, Sweep
from ai_jobs.service.dead_letters import send_to_dlq
from ai_jobs.service.job_store import JobStore
from ai_jobs.service.outcomes import ClaimTerms

DENIED = JobError("MODEL_ACCESS_DENIED", "no access to the model")


@pytest.fixture(autouse=True)
def _no_long_polls(monkeypatch):
    monkeypatch.setattr(sweeping, "_POLL_SECONDS", 0)


@pytest.fixture
def pair(aws):
    return QueuePair("request", aws.request_queue, aws.request_dlq)


@pytest.fixture
def response_pair(aws):
    return QueuePair("response", aws.response_queue, aws.response_dlq)


@pytest.fixture
def rows(aws):
    return JobStore(aws.table)


@pytest.fixture
def dead_lettered(aws, body, received):
    """Puts a job's message into the request DLQ, as the processor does."""

    def put(job_id="job-1", error=DENIED, now=None, **fields):
        text = body(jobId=job_id, **fields)
        user = fields.get("userId", "user-1")
        message = received(text, JobId=job_id, UserId=user, ThrottleCount="2", FirstSentAt="2026-01-01T00:00:00.000Z")
        send_to_dlq(aws.request_dlq, message, job_id, error, now or timestamps.now(), user_id=user)
        return text

    return put


@pytest.fixture
def failed_row(aws):
    """Writes the row of a failed job."""

    def write(text):
        now = timestamps.now() - timedelta(seconds=5)
        assert JobStore(aws.table, clock=lambda: now).create_failed(
            ReceivedJob.parse(text, {}, "message-1", now), "message-1", DENIED
        )

    return write


@pytest.fixture
def claim(rows):
    """Claims the job of a message as a worker does."""

    def take(message):
        job = ReceivedJob.parse(message.body, message.attributes, message.message_id, message.sent_at)
        return rows.claim(job, message.message_id, ClaimTerms(timestamps.now() + timedelta(minutes=15), 3600, 60))

    return take


@pytest.fixture
def retry(pair, rows):
    def run(selection=None, sweep=None, **options):
        treated = []
        redrive.retry(
            sweep or Sweep(options.pop("pair", pair), 10_000),
            selection or Selection(),
            treated.append,
            **{"store": rows} | options,
        )
        return treated

    return run


def outcomes(treated):
    return sorted((one.job_id, one.outcome.value, one.reason) for one in treated)


def test_a_sweep_sees_each_message_once_and_shows_all_again(pair, dead_lettered, aws):
    for number in range(23):
        dead_lettered(f"job-{number}")
    with Sweep(pair, 10_000) as sweep:
        seen = [message.job_id for messages in sweep for message in messages]
        assert get_queue_message_count(aws.request_dlq).in_flight == 23
    assert sorted(seen) == sorted(f"job-{number}" for number in range(23))
    assert (sweep.looked_at, sweep.not_seen) == (23, 0)
    assert get_queue_message_count(aws.request_dlq).visible == 23


def test_a_sweep_ends_at_its_limit_and_says_how_many_there_are_beyond(pair, dead_lettered, aws):
    for number in range(23):
        dead_lettered(f"job-{number}")
    with Sweep(pair, 15) as sweep:
        assert sum(map(len, sweep)) == 15
    assert sweep.not_seen == 8
    assert get_queue_message_count(aws.request_dlq).visible == 23


def test_a_sweep_waits_for_messages_that_another_reader_holds(pair, dead_lettered, aws, monkeypatch):
    """The reconciler hides the messages that it looks at: an empty response is not the end."""
    for number in range(3):
        dead_lettered(f"job-{number}")
    held = receive_messages(aws.request_dlq, max_messages=2, wait_seconds=0)
    receive = sweeping.receive_messages
    calls = itertools.count()

    def receive_and_give_back(*args, **kwargs):
        if next(calls) == 4:
            sweeping.change_visibility_of_all(aws.request_dlq, [message.receipt_handle for message in held], 0)
        return receive(*args, **kwargs)

    monkeypatch.setattr(sweeping, "receive_messages", receive_and_give_back)
    with Sweep(pair, 10_000) as sweep:
        assert sum(map(len, sweep)) == 3
    assert sweep.not_seen == 0


def test_a_sweep_does_not_wait_forever(pair, dead_lettered, aws):
    for number in range(3):
        dead_lettered(f"job-{number}")
    receive_messages(aws.request_dlq, max_messages=2, wait_seconds=0)
    seconds = itertools.count()
    with Sweep(pair, 10_000, clock=lambda: next(seconds)) as sweep:
        assert sum(map(len, sweep)) == 1
    assert sweep.not_seen == 2
    assert next(seconds) > 20


def test_a_long_sweep_keeps_its_messages_hidden(pair, dead_lettered, monkeypatch):
    for number in range(12):
        dead_lettered(f"job-{number}")
    hidden = []
    monkeypatch.setattr(
        sweeping, "change_visibility_of_all", lambda url, handles, seconds: hidden.append((len(handles), seconds))
    )
    time = [0.0]
    with Sweep(pair, 10_000, clock=lambda: time[0]) as sweep:
        for _ in sweep:
            time[0] += 25
    assert hidden == [(10, 60), (10, 60), (2, 60), (10, 0), (2, 0)]


def test_a_message_that_is_delivered_twice_is_one(pair, dead_lettered, aws, monkeypatch):
    dead_lettered()
    receive = sweeping.receive_messages
    answers = []

    def receive_twice(*args, **kwargs):
        answers.append(receive(*args, **kwargs) if not answers else answers[0])
        return answers[-1] if len(answers) < 3 else []

    monkeypatch.setattr(sweeping, "receive_messages", receive_twice)
    with Sweep(pair, 10_000) as sweep:
        assert sum(map(len, sweep)) == 1


def test_a_deleted_message_that_is_delivered_again_is_deleted_again(pair, rows, dead_lettered, monkeypatch):
    """SQS is at-least-once in this too: it must not count as another message."""
    dead_lettered()
    receive, delete = sweeping.receive_messages, sweeping.delete_message
    answers, deleted = [], []
    monkeypatch.setattr(sweeping, "delete_message", lambda url, handle: deleted.append(handle) or delete(url, handle))

    def receive_twice(*args, **kwargs):
        answers.append(answers[0] if len(answers) == 1 else receive(*args, **kwargs))
        return answers[-1]

    monkeypatch.setattr(sweeping, "receive_messages", receive_twice)
    treated = []
    redrive.purge(Sweep(pair, 10_000), Selection(), treated.append, store=rows)
    assert outcomes(treated) == [("job-1", "purged", None)]
    assert len(deleted) == 2


def test_messages_that_can_not_be_shown_again_do_not_hide_what_was_done(pair, rows, dead_lettered, aws, refusing):
    """They become visible by themselves after a minute."""
    for number in range(12):
        dead_lettered(f"job-{number}")
    refusing(clients.get_sqs_sending_client(), "ChangeMessageVisibilityBatch")
    treated = []
    redrive.purge(Sweep(pair, 10_000), Selection(job_ids={"job-0"}), treated.append, store=rows)
    assert outcomes(treated) == [("job-0", "purged", None)]
    assert get_queue_message_count(aws.request_dlq).in_flight == 11


def test_a_message_says_what_is_known_about_it(received, body):
    message = DeadLetteredMessage.read(
        received(
            body(),
            JobId="job-1",
            ErrorCode="MODEL_ACCESS_DENIED",
            ErrorMessage="no access",
            Attempts="3",
            FailedAt="2026-01-31T11:00:00.000Z",
        ),
        "request",
    )
    assert (message.job_id, message.user_id, message.job_type) == ("job-1", "user-1", "greeting")
    assert (message.error_code, message.error_message, message.attempts) == ("MODEL_ACCESS_DENIED", "no access", 3)
    assert timestamps.to_text(message.failed_at) == "2026-01-31T11:00:00.000Z"
    assert message.unusable is None


def test_a_message_that_sqs_moved_has_no_reason_of_its_own(received, body, clock):
    """It may carry attributes from before: after a redrive by SQS, they are those of the first failure."""
    moved = received(body(jobId=None), ErrorCode="MODEL_NOT_FOUND", FailedAt="2025-01-01T00:00:00.000Z")
    moved.system_attributes["DeadLetterQueueSourceArn"] = "arn"
    message = DeadLetteredMessage.read(moved, "request")
    assert (message.job_id, message.error_code, message.attempts) == (moved.message_id, None, None)
    assert message.failed_at == clock()


@pytest.mark.parametrize("text", ["no json", "[]", "[" * 100_000, '{"userId": 7}', '{"userId": "a b", "jobType": 7}'])
def test_what_is_not_a_job_is_read_too(received, text):
    message = DeadLetteredMessage.read(received(text, JobId="job-7", UserId="user-7", Attempts="many"), "request")
    assert message.job_id == "job-7"
    assert message.unusable
    assert message.attempts is None


def test_a_result_that_a_newer_release_understands_is_usable(received):
    newer = {"schemaVersion": 2, "jobId": "job-1", "userId": "user-1", "jobType": "greeting"}
    assert DeadLetteredMessage.read(received(json.dumps(newer)), "response").unusable is None
    assert DeadLetteredMessage.read(received("{}"), "response").unusable


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (Selection(), True),
        (Selection(job_ids={"job-1", "job-2"}), True),
        (Selection(job_ids={"job-2"}), False),
        (Selection(user_id="user-1"), True),
        (Selection(user_id="user-2"), False),
        (Selection(job_type="greeting"), True),
        (Selection(job_type="other"), False),
        (Selection(error_codes={"MODEL_ACCESS_DENIED", "MODEL_NOT_FOUND"}), True),
        (Selection(error_codes={"MODEL_NOT_FOUND"}), False),
        (Selection(job_ids={"job-1"}, user_id="user-2"), False),
    ],
)
def test_all_that_is_selected_by_must_hold(received, body, selection, expected):
    message = DeadLetteredMessage.read(received(body(), ErrorCode="MODEL_ACCESS_DENIED"), "request")
    assert selection.matches(message) is expected


def test_messages_are_selected_by_their_age(received, body, clock):
    message = DeadLetteredMessage.read(received(body(), ErrorCode="X", FailedAt=timestamps.to_text(clock())), "request")
    before, after = clock() - timedelta(seconds=1), clock() + timedelta(seconds=1)
    assert Selection(failed_before=after).matches(message)
    assert not Selection(failed_before=before).matches(message)
    assert Selection(failed_after=before).matches(message)
    assert not Selection(failed_after=after).matches(message)


def test_a_retried_job_starts_over_with_its_id(retry, dead_lettered, failed_row, claim, aws, messages_in):  # R-E4
    text = dead_lettered(traceId="trace-1")
    failed_row(text)
    assert outcomes(retry()) == [("job-1", "sent", None)]
    (message,) = messages_in(aws.request_queue)
    assert message.body == text
    assert message.attributes == {"JobId": "job-1", "UserId": "user-1"}
    assert message.group_id == "user-1"
    assert get_queue_message_count(aws.request_dlq).total == 0
    assert claim(message).attempt == 1, "the worker reopens the failed row"


def test_a_posted_job_keeps_its_id(retry, aws, body, messages_in):
    """It has no id in its body: its id is the id of its first message."""
    first = send_message(aws.request_dlq, body(jobId=None), {"UserId": "user-1", "JobType": "greeting"}, "user-1")
    assert outcomes(retry()) == [(first, "sent", None)]
    (message,) = messages_in(aws.request_queue)
    assert message.message_id != first
    assert message.attributes == {"JobId": first, "UserId": "user-1", "JobType": "greeting"}


def test_the_trace_header_is_kept(retry, aws, body, messages_in):
    trace = "Root=1-67891233-abcdef012345678912345678;Parent=463ac35c9f6413ad;Sampled=1"
    send_message(aws.request_dlq, body(), {"JobId": "job-1"}, "user-1", trace_header=trace)
    retry()
    assert messages_in(aws.request_queue)[0].trace_header == trace


def test_what_belongs_to_a_delayed_copy_is_dropped(retry, aws, body, messages_in):
    """SQS moves a delayed copy unchanged: sent back like that, its deadline would count from the first message."""
    waited = {"JobId": "job-1", "FirstSentAt": "2026-01-01T00:00:00.000Z", "ThrottleCount": "2"} | {
        "DeniedSince": "2026-01-01T00:00:00.000Z",
        "TraceId": "t",
    }
    send_message(aws.request_dlq, body(), waited, "user-1")
    retry()
    assert [message.attributes for message in messages_in(aws.request_queue)] == [{"JobId": "job-1", "TraceId": "t"}]


@pytest.mark.parametrize("status", ["completed", "cancelled", "erased", "another job"])
def test_a_message_that_it_would_be_pointless_to_send_stays(
    retry, dead_lettered, claim, rows, aws, body, received, messages_in, status
):
    dead_lettered()
    claim(received(body() if status != "another job" else body(input={"name": "Eve"})))
    if status == "completed":
        rows.apply_result(AIJobResultMessage("job-1", "user-1", "greeting", "completed", result={"text": "x"}))
    if status == "erased":
        rows.erase("job-1")
    if status == "cancelled":
        clients.get_dynamodb_client().update_item(
            TableName=aws.table,
            Key={"jobId": {"S": "job-1"}},
            UpdateExpression="SET #s = :s",
            ExpressionAttributeNames={"#s": "status"},
            ExpressionAttributeValues={":s": {"S": "cancelled"}},
        )
    (treated,) = retry()
    assert treated.outcome is Outcome.SKIPPED
    assert status in (treated.reason or "")
    assert messages_in(aws.request_queue) == []
    assert get_queue_message_count(aws.request_dlq).visible == 1


@pytest.mark.parametrize("given_back", [False, True])
def test_an_open_jobs_message_waits_for_the_reconciler(retry, dead_lettered, claim, received, rows, aws, given_back):
    """If it were sent and its failure written after that, the worker would take it for a duplicate: lost."""
    text = dead_lettered()
    claim(received(text))
    if given_back:
        rows.release("job-1", 1)
    (treated,) = retry()
    assert treated.outcome is Outcome.SKIPPED
    assert treated.reason.startswith(f"its job is still {'queued' if given_back else 'processing'}: the reconciler")
    assert get_queue_message_count(aws.request_queue).total == 0
    assert get_queue_message_count(aws.request_dlq).visible == 1


def test_a_message_whose_job_never_had_a_row_is_sent(retry, dead_lettered):
    dead_lettered()
    assert outcomes(retry()) == [("job-1", "sent", None)]


@pytest.fixture
def purge(pair, rows):
    def run():
        treated = []
        redrive.purge(Sweep(pair, 10_000), Selection(), treated.append, store=rows)
        return treated

    return run


def test_purge_leaves_the_only_trace_of_a_job(purge, aws, body, claim, received):
    """Its row would stay open, or never exist: GET would return 404 forever."""
    text = body()
    claim(received(text))
    send_message(aws.request_dlq, text, {"JobId": "job-1", "ErrorCode": "MODEL_ACCESS_DENIED"}, "user-1")
    send_message(aws.request_dlq, body(jobId="job-2"), {}, "user-1")
    by_job = {one.job_id: one for one in purge()}
    assert {one.outcome for one in by_job.values()} == {Outcome.SKIPPED}
    assert by_job["job-1"].reason.startswith("its job is still processing")
    assert by_job["job-2"].reason.startswith("its job has no row yet")
    assert get_queue_message_count(aws.request_dlq).visible == 2


def test_purge_deletes_what_is_written_elsewhere_or_is_not_a_job(purge, aws, body, failed_row, claim, received):
    failed_row(body())
    send_message(aws.request_dlq, body(), {"JobId": "job-1", "ErrorCode": "MODEL_ACCESS_DENIED"}, "user-1")
    send_message(aws.request_dlq, "no json", {"JobId": "x", "ErrorCode": "NOT_A_JOB"}, "user-1")
    claim(received(body(jobId="job-3")))
    conflict = body(jobId="job-3", input={"name": "other"})
    send_message(aws.request_dlq, conflict, {"JobId": "job-3", "ErrorCode": "JOB_ID_CONFLICT"}, "user-1")
    expired = body(jobId="job-4")
    send_message(aws.request_dlq, expired, {"JobId": "job-4", "ErrorCode": "WORKER_CRASHED"}, "user-1")
    assert [one.outcome for one in purge()] == [Outcome.PURGED] * 4


def test_a_retry_needs_to_know_where_to(pair, rows):
    with pytest.raises(ValueError, match="queue to send to"):
        redrive.retry(Sweep(replace(pair, queue_url=None), 10), Selection(), print, store=rows)


def test_what_is_not_a_job_stays(retry, aws):
    send_message(aws.request_dlq, "no json", {"JobId": "job-1", "ErrorCode": "NOT_A_JOB"})
    (treated,) = retry()
    assert treated.outcome is Outcome.SKIPPED
    assert "not JSON" in (treated.reason or "")
    assert get_queue_message_count(aws.request_dlq).visible == 1


def test_only_what_is_meant_is_retried_and_the_rest_is_visible_at_once(retry, dead_lettered, aws, messages_in):
    for number in range(25):
        dead_lettered(f"job-{number}", userId=f"user-{number % 2}")
    assert len(retry(Selection(user_id="user-1"))) == 12
    assert {message.group_id for message in messages_in(aws.request_queue)} == {"user-1"}
    count = get_queue_message_count(aws.request_dlq)
    assert (count.visible, count.in_flight) == (13, 0)


def test_a_dry_run_changes_nothing(retry, dead_lettered, aws):
    dead_lettered()
    assert outcomes(retry(dry_run=True, rate=1)) == [("job-1", "sent", None)]
    assert get_queue_message_count(aws.request_queue).total == 0
    assert get_queue_message_count(aws.request_dlq).visible == 1


def test_a_message_that_can_not_be_sent_stays(retry, dead_lettered, aws, refusing):
    for number in range(3):
        dead_lettered(f"job-{number}")
    refusing(clients.get_sqs_sending_client(), "SendMessage")
    treated = retry()
    assert [one.outcome for one in treated] == [Outcome.FAILED] * 3
    assert "AccessDenied" in (treated[0].reason or "")
    assert get_queue_message_count(aws.request_dlq).visible == 3


def test_a_message_that_can_not_be_deleted_was_sent_and_is_reported(retry, dead_lettered, aws, refusing):
    """The order matters: the other way around, the job would be lost."""
    dead_lettered()
    refusing(clients.get_sqs_client(), "DeleteMessage")
    (treated,) = retry()
    assert treated.outcome is Outcome.FAILED
    assert treated.reason.startswith("it was sent, but it is still in the DLQ too")
    assert get_queue_message_count(aws.request_queue).visible == 1
    assert get_queue_message_count(aws.request_dlq).visible == 1


def test_a_table_that_can_not_be_read_fails_the_message(retry, dead_lettered, aws, refusing):
    dead_lettered()
    refusing(clients.get_dynamodb_client(), "GetItem", "AccessDeniedException")
    assert outcomes(retry()) == [("job-1", "failed", "DynamoDB answered AccessDeniedException (HTTP 0).")]
    assert get_queue_message_count(aws.request_dlq).visible == 1


def test_a_message_without_room_for_its_id_stays(retry, aws, body):
    """As a new message it would be another job."""
    text = body(jobId=None, input={"name": ""})
    send_message(aws.request_dlq, text[:-3] + "x" * (MAX_MESSAGE_BYTES - len(text)) + text[-3:], {})
    (treated,) = retry()
    assert treated.outcome is Outcome.FAILED
    assert "SQS accepts at most" in (treated.reason or "")
    assert get_queue_message_count(aws.request_dlq).visible == 1


def test_a_large_message_that_names_its_job_goes_with_fewer_attributes(retry, aws, body, messages_in):
    text = body(input={"name": ""})
    full = text[:-3] + "x" * (MAX_MESSAGE_BYTES - len(text)) + text[-3:]
    send_message(aws.request_dlq, full, {}, "user-1")
    assert outcomes(retry()) == [("job-1", "sent", None)]
    assert [message.attributes for message in messages_in(aws.request_queue)] == [{}]


def test_a_job_that_comes_back_at_once_does_not_go_round_and_round(retry, dead_lettered, monkeypatch, aws):
    """The cause of its failure is still there: a worker dead-letters it again during the run."""
    text = dead_lettered()
    send = redrive.send_message

    def send_and_fail_again(url, *args, **kwargs):
        send(url, *args, **kwargs)
        return send(aws.request_dlq, text, {"JobId": "job-1", "ErrorCode": "MODEL_ACCESS_DENIED"}, "user-1")

    monkeypatch.setattr(redrive, "send_message", send_and_fail_again)
    assert outcomes(retry()) == [
        ("job-1", "sent", None),
        ("job-1", "skipped", "this run has sent it already: it failed again, or the DLQ had it twice"),
    ]
    assert get_queue_message_count(aws.request_dlq).visible == 1


def test_an_interrupted_run_finishes_what_has_begun_and_shows_the_rest(pair, rows, dead_lettered, aws, monkeypatch):
    for number in range(25):
        dead_lettered(f"job-{number}")
    wait = redrive.wait
    rounds = itertools.count()

    def interrupted(futures):
        if next(rounds) == 1:
            raise KeyboardInterrupt
        return wait(futures)

    monkeypatch.setattr(redrive, "wait", interrupted)
    treated = []
    with pytest.raises(KeyboardInterrupt):
        redrive.retry(Sweep(pair, 10_000), Selection(), treated.append, store=rows)
    assert [one.outcome for one in treated] == [Outcome.SENT] * 20
    assert get_queue_message_count(aws.request_queue).visible == 20
    count = get_queue_message_count(aws.request_dlq)
    assert (count.visible, count.in_flight) == (5, 0)


def test_a_queue_that_fails_in_the_middle_leaves_the_rest_visible(pair, rows, dead_lettered, aws, refusing):
    for number in range(25):
        dead_lettered(f"job-{number}")
    refusing(clients.get_sqs_client(), "ReceiveMessage", after=1)
    treated = []
    with pytest.raises(Exception, match="Cannot receive"):
        redrive.retry(Sweep(pair, 10_000), Selection(job_ids={"job-0"}), treated.append, store=rows)
    assert get_queue_message_count(aws.request_dlq).in_flight == 0


def test_the_rate_is_kept(retry, dead_lettered, monkeypatch):
    for number in range(25):
        dead_lettered(f"job-{number}")
    pauses = []
    # A clock that stands still: the messages themselves take no time.
    monkeypatch.setattr(redrive, "time", SimpleNamespace(sleep=pauses.append, monotonic=lambda: 0.0))
    retry(rate=5)
    assert pauses == [10 / 5, 10 / 5, 5 / 5]


@pytest.fixture
def dead_lettered_result(aws, received):
    def put(job_id="job-1", attempt=1):
        result = AIJobResultMessage(
            job_id, "user-1", "greeting", "completed", attempt=attempt, result={"text": "Hello"}
        )
        message = received(result.to_body(), **result.attributes())
        error = JobError("DEPENDENCY_REFUSED", "DynamoDB answered AccessDenied")
        send_to_dlq(aws.response_dlq, message, job_id, error, timestamps.now(), "user-1")
        return result

    return put


def test_a_result_goes_back_to_the_response_queue(
    retry, response_pair, dead_lettered_result, claim, received, body, aws, rows
):
    claim(received(body()))
    result = dead_lettered_result()
    assert outcomes(retry(pair=response_pair)) == [("job-1", "sent", None)]
    (message,) = receive_messages(aws.response_queue, wait_seconds=0)
    assert message.attributes == result.attributes()
    assert message.group_id == "user-1"
    assert rows.apply_result(AIJobResultMessage.from_body(message.body)).applied.value == "applied"


@pytest.mark.parametrize("state", ["no row", "erased", "failed", "completed"])
def test_a_result_that_no_row_can_take_stays(
    retry, response_pair, dead_lettered_result, claim, received, body, rows, failed_row, state, aws
):
    dead_lettered_result()
    if state == "failed":
        failed_row(body())
    elif state != "no row":
        claim(received(body()))
    if state == "erased":
        rows.erase("job-1")
    if state == "completed":
        rows.apply_result(AIJobResultMessage("job-1", "user-1", "greeting", "completed", result={"text": "x"}))
    (treated,) = retry(pair=response_pair)
    assert treated.outcome is Outcome.SKIPPED
    assert state in (treated.reason or "")
    assert get_queue_message_count(aws.response_dlq).visible == 1


def test_a_result_of_a_stalled_job_goes_back(retry, response_pair, dead_lettered_result, claim, received, body, rows):
    """It may still replace that end."""
    dead_lettered_result()
    claim(received(body()))
    stalled = {"code": "JOB_STALLED", "message": "x"}
    rows.apply_result(AIJobResultMessage("job-1", "user-1", "greeting", "failed", error=stalled))
    assert outcomes(retry(pair=response_pair)) == [("job-1", "sent", None)]


def test_purge_deletes_what_is_meant_and_nothing_else(pair, rows, dead_lettered, aws):
    for number in range(25):
        dead_lettered(f"job-{number}", userId=f"user-{number % 2}")
    treated = []
    redrive.purge(Sweep(pair, 10_000), Selection(user_id="user-1"), treated.append, store=rows)
    assert [one.outcome for one in treated] == [Outcome.PURGED] * 12
    count = get_queue_message_count(aws.request_dlq)
    assert (count.visible, count.in_flight) == (13, 0)
    assert get_queue_message_count(aws.request_queue).total == 0


def test_a_dry_purge_deletes_nothing(pair, rows, dead_lettered, aws):
    dead_lettered()
    treated = []
    redrive.purge(Sweep(pair, 10_000), Selection(), treated.append, store=rows, dry_run=True)
    assert outcomes(treated) == [("job-1", "purged", None)]
    assert get_queue_message_count(aws.request_dlq).visible == 1
