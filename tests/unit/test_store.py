"""The lifecycle of a row (docs/how-it-works.md): claims, leases, results, redrives."""

from __future__ import annotations

import json
from datetime import timedelta

import boto3
import pytest

from ai_jobs import AIJobResultMessage, JobError
from ai_jobs.aws import clients
from ai_jobs.aws.items import exact
from ai_jobs.contract.request import ReceivedJob
from ai_jobs.contract.row import JobStatus
from ai_jobs.service.job_store import JobStore
from ai_jobs.service.lifecycle import Transition
from ai_jobs.service.outcomes import Applied, Claimed, ClaimTerms, Refusal, Running
from ai_jobs.service.table import JobsTable


@pytest.fixture
def claim(store, clock, body):
    """Claims job-1 with a lease of 15 minutes; keyword arguments change the message."""

    def make(*, sent_at=None, message_id="message-1", **fields):
        job = ReceivedJob.parse(body(**fields), {}, message_id, sent_at or clock())
        terms = ClaimTerms(clock() + timedelta(minutes=15), 21_600, 1800, "v1")
        return store.claim(job, message_id, terms)

    return make


@pytest.fixture
def finish(store, clock):
    """Applies an outcome to job-1."""

    def make(status="completed", attempt=1, code="BROKEN", **fields):
        fields = fields or (
            {"result": {"text": "hi", "model": "m", "usage": {"inputTokens": 1, "outputTokens": 2}}}
            if status == "completed"
            else {"error": {"code": code, "message": "x"}}
        )
        message = AIJobResultMessage(
            "job-1", "user-1", "greeting", status, attempt=attempt, timestamp=clock(), **fields
        )
        return store.apply_result(message).applied

    return make


def row(store):
    return store.get("job-1")


EVERY_KIND_OF_CHANGE = Transition(
    "change",
    by="a test",
    sources=(),
    target=JobStatus.COMPLETED,
    only_if="always",
    condition="attribute_exists(jobId) OR attribute_not_exists(jobId)",
    sets=("updatedAt", "result"),
    keeps=("createdAt", "messageId"),
    clears=("error", "updatedAt", "messageId"),
    adds=("attempt", "calls"),
)


@pytest.mark.parametrize(
    "before", [{}, {"error": {"code": "X"}, "updatedAt": "u0", "calls": 2, "messageId": "m0", "a": 1}]
)
@pytest.mark.parametrize("more", [{}, {"updatedAt": "u1", "messageId": "m1"}])
def test_a_change_returns_the_row_that_it_wrote(aws, before, more):
    table = JobsTable(aws.table)
    if before:
        boto3.resource("dynamodb").Table(aws.table).put_item(Item={"jobId": "job-1"} | before)
    values = exact({"createdAt": "c1", "result": {"parts": [1.5, {"n": 7, "none": None}], "yes": True}}) | more
    written = table.execute(EVERY_KIND_OF_CHANGE, "job-1", values, add={"attempt": 1, "calls": -1})
    assert (written["calls"], written["result"]["parts"][0]) == (before.get("calls", 0) - 1, 1.5)
    assert json.dumps(written, sort_keys=True) == json.dumps(table.get("job-1"), sort_keys=True)


def test_a_claim_writes_the_whole_open_row(store, claim, clock):
    assert claim(traceId="t-1") == Claimed(attempt=1, calls=1, deadline_at=clock() + timedelta(hours=6))
    found = row(store)
    assert 0 <= found.pop("openShard") <= 63
    assert len(found.pop("payloadHash")) == 64
    assert found == {
        "jobId": "job-1",
        "userId": "user-1",
        "jobType": "greeting",
        "status": "processing",
        "createdAt": "2026-01-31T12:00:00.000Z",
        "createdAt#jobId": "2026-01-31T12:00:00.000Z#job-1",
        "startedAt": "2026-01-31T12:00:00.000Z",
        "updatedAt": "2026-01-31T12:00:00.000Z",
        "attempt": 1,
        "calls": 1,
        "messageId": "message-1",
        "leaseExpiresAt": "2026-01-31T12:15:00.000Z",
        "deadlineAt": "2026-01-31T18:00:00.000Z",
        "dueAt": "2026-01-31T18:30:00.000Z",
        "configVersion": "v1",
        "traceId": "t-1",
        "expiresAt": int((clock() + timedelta(days=30)).timestamp()),
    }


def test_a_claim_is_one_write_and_no_read(store, claim, monkeypatch):
    calls = []
    clients.get_dynamodb_client().meta.events.register("before-call.*.*", lambda model, **_: calls.append(model.name))
    claim()
    assert calls == ["UpdateItem"]


def test_a_running_job_has_one_worker(claim, clock):
    claim()
    clock.forward(minutes=14)
    assert claim(message_id="a duplicate") == Running(clock() + timedelta(minutes=1))


def test_a_lease_that_ran_out_lets_the_next_worker_in(store, claim, clock):
    first = claim()
    clock.forward(minutes=15)
    assert claim() == Claimed(attempt=2, calls=2, deadline_at=first.deadline_at)
    assert row(store)["createdAt"] == row(store)["startedAt"] == "2026-01-31T12:00:00.000Z"


def test_a_released_job_can_be_claimed_at_once(store, claim):
    claim()
    assert store.release("job-1", 1)
    assert row(store)["status"] == "queued"
    assert "leaseExpiresAt" not in row(store)
    assert claim().attempt == 2


def test_a_day_of_waiting_is_no_attempt_for_callers(store, claim, clock, finish):
    """`attempt` tells writes apart and always grows; `calls`, which callers see, counts only those that began work."""
    for number in range(1, 97):
        assert claim().attempt == number
        store.release("job-1", number, f"copy-{number}", work_began=False)
        clock.forward(minutes=3)
    assert (row(store)["attempt"], row(store)["calls"]) == (96, 0)
    assert (claim().attempt, row(store)["calls"]) == (97, 1)
    store.release("job-1", 97)  # to be tried again: work began
    assert claim().calls == 2
    finish(attempt=98)
    assert (row(store)["attempt"], row(store)["calls"]) == (98, 2)


def test_a_redrive_starts_both_counts_over(claim, store, clock, finish):
    claim()
    store.release("job-1", 1)
    claim()
    finish("failed", attempt=2)
    clock.forward(seconds=1)
    again = claim()
    assert (again.attempt, again.calls) == (1, 1)


def test_the_error_code_goes_with_the_error(claim, store, clock, finish):
    claim()
    finish("failed", code="MODEL_ERROR")
    assert (row(store)["error"]["code"], row(store)["errorCode"]) == ("MODEL_ERROR", "MODEL_ERROR")
    clock.forward(seconds=1)
    claim()
    assert {"error", "errorCode"}.isdisjoint(row(store))


def test_only_the_holder_can_release(store, claim, clock):
    claim()
    clock.forward(minutes=15)
    claim()
    assert not store.release("job-1", 1)
    assert row(store)["status"] == "processing"


def test_a_result_closes_the_row(store, claim, finish, clock):  # R-J5
    claim()
    clock.forward(seconds=5)
    assert finish() is Applied.APPLIED
    found = row(store)
    assert (found["status"], found["completedAt"]) == ("completed", "2026-01-31T12:00:05.000Z")
    assert found["result"]["text"] == "hi"
    assert (found["model"], found["usage"]) == ("m", {"inputTokens": 1, "outputTokens": 2})
    assert {"openShard", "dueAt", "leaseExpiresAt", "error"}.isdisjoint(found)


def test_a_failure_closes_the_row_with_its_reason(store, claim, finish):  # R-J5
    claim()
    finish("failed", error={"code": "INVALID_INPUT", "message": "no", "field": "input.name"})
    found = row(store)
    assert (found["status"], found["error"]["field"]) == ("failed", "input.name")
    assert found["errorCode"] == "INVALID_INPUT"
    assert "result" not in found


def test_fractions_in_a_result_are_kept(store, claim, finish):
    claim()
    finish(result={"text": "", "score": 0.1})
    assert str(row(store)["result"]["score"]) == "0.1"


@pytest.mark.parametrize("late", ["completed", "failed"])
def test_a_terminal_state_is_never_overwritten(store, claim, finish, late):  # R-J5
    claim()
    finish()
    before = row(store)
    assert finish(late) is Applied.REPEATED
    assert row(store) == before


def test_a_result_of_an_older_attempt_is_dropped(store, claim, finish, clock):
    claim()
    clock.forward(minutes=15)
    claim()
    assert finish(attempt=1) is Applied.SUPERSEDED
    assert row(store)["status"] == "processing"
    assert finish(attempt=2) is Applied.APPLIED


def test_a_result_that_comes_after_the_release_still_counts(store, claim, finish):
    claim()
    store.release("job-1", 1)
    assert finish() is Applied.APPLIED
    assert claim() is Refusal.FINISHED


@pytest.mark.parametrize("code", ["JOB_STALLED", "WORKER_CRASHED"])
def test_a_late_result_heals_a_job_that_was_given_up(store, claim, finish, code):
    claim()
    finish("failed", code=code)
    assert finish(attempt=2) is Applied.SUPERSEDED
    assert finish(attempt=None) is Applied.REPEATED, "the job is not open any more"
    assert finish(attempt=1) is Applied.APPLIED
    assert row(store)["status"] == "completed"
    assert "error" not in row(store)


def test_a_result_without_a_row_is_told_apart(finish):
    assert finish() is Applied.UNKNOWN_JOB


def test_a_finished_job_is_not_run_again(claim, finish, clock):
    sent = clock()
    claim()
    finish()
    clock.forward(minutes=20)
    assert claim(sent_at=sent) is Refusal.FINISHED
    assert claim(sent_at=clock()) is Refusal.FINISHED, "a completed job is final, whenever the message was sent"


def test_the_same_id_with_another_payload_never_runs(store, claim, finish, clock):
    claim()
    before = row(store)
    assert claim(input={"name": "Bob"}) is Refusal.CONFLICT
    assert claim(userId="user-2") is Refusal.CONFLICT
    assert row(store) == before
    finish("failed")
    clock.forward(minutes=1)
    assert claim(input={"name": "Bob"}) is Refusal.CONFLICT


def test_not_even_a_free_job_can_be_taken_over_by_another_payload(store, claim, clock):
    claim()
    clock.forward(minutes=20)  # the lease ran out
    assert claim(input={"name": "Bob"}) is Refusal.CONFLICT
    claim()
    store.release("job-1", 2)
    assert claim(input={"name": "Bob"}) is Refusal.CONFLICT


def test_a_redrive_opens_a_failed_job_again(store, claim, finish, clock):
    sent = clock()
    claim()
    store.release("job-1", 1)
    claim()
    clock.forward(hours=7)
    finish("failed", attempt=2)
    assert claim(sent_at=sent) is Refusal.FINISHED, "a message from before the failure is only a duplicate"
    clock.forward(seconds=1)
    assert claim() == Claimed(attempt=1, calls=1, deadline_at=clock() + timedelta(hours=6))
    found = row(store)
    assert (found["status"], found["createdAt"]) == ("processing", "2026-01-31T12:00:00.000Z")
    assert {"error", "completedAt"}.isdisjoint(found)
    assert {"openShard", "dueAt"} <= set(found)


def test_of_two_workers_that_see_one_redrive_one_gets_the_job(store, claim, finish, clock, monkeypatch):
    claim()
    clock.forward(minutes=1)
    finish("failed")
    clock.forward(minutes=1)
    reopen = store._reopen

    def after_another(*args):
        monkeypatch.setattr(store, "_reopen", reopen)
        assert claim(message_id="another").attempt == 1
        return reopen(*args)

    monkeypatch.setattr(store, "_reopen", after_another)
    assert claim() == Running(clock() + timedelta(minutes=15))


def test_a_redrive_that_finds_the_job_given_back_is_not_taken_for_a_duplicate(store, claim, finish, clock, monkeypatch):
    claim()
    clock.forward(minutes=1)
    finish("failed")
    clock.forward(minutes=1)
    reopen = store._reopen

    def after_another(*args):
        monkeypatch.setattr(store, "_reopen", reopen)
        claim(message_id="another")
        store.release("job-1", 1)
        clock.forward(seconds=1)
        return reopen(*args)

    monkeypatch.setattr(store, "_reopen", after_another)
    assert claim() == Running(clock()), "it comes back at once"


def test_a_late_first_message_heals_a_failed_enqueue(claim, finish, clock):
    sent = clock()
    claim()
    clock.forward(minutes=1)
    finish("failed", code="ENQUEUE_FAILED")
    healed = claim(sent_at=sent)
    assert healed == Claimed(1, sent + timedelta(hours=6), 1), "its time has been running since it was submitted"


def test_a_redrive_of_a_job_that_was_never_enqueued_starts_its_time_anew(claim, finish, clock):
    claim()
    clock.forward(hours=7)
    finish("failed", code="ENQUEUE_FAILED")
    clock.forward(minutes=1)
    assert claim() == Claimed(1, clock() + timedelta(hours=6), 1)


@pytest.fixture
def answers_are_lost():
    """Each write is made twice, as the client does that got no answer to the first."""

    def lose(operation):
        client = clients.get_dynamodb_client()
        make = client._make_api_call

        def twice(name, arguments):
            if name == operation:
                make(name, arguments)
            return make(name, arguments)

        client._make_api_call = twice

    return lose


def test_a_claim_whose_answer_was_lost_is_a_claim(claim, clock, answers_are_lost):
    answers_are_lost("UpdateItem")
    assert claim() == Claimed(1, clock() + timedelta(hours=6), 1)


def test_a_cancellation_whose_answer_was_lost_is_done(store, claim, clock, answers_are_lost):
    claim()
    clock.forward(seconds=1)
    answers_are_lost("UpdateItem")
    assert store.cancel("job-1").done


def test_a_message_that_is_overtaken_by_its_cancellation_claims_nothing(store, claim, finish):
    claim()
    assert store.cancel("job-1").done
    assert claim() is Refusal.FINISHED
    assert finish() is Applied.REPEATED
    assert row(store)["status"] == "cancelled"


def test_an_expired_row_counts_as_gone(store, claim, finish, clock):
    claim()
    finish()
    clock.forward(days=30)
    assert row(store) is None
    assert claim(input={"name": "Bob"}).attempt == 1
    assert row(store)["createdAt"] == "2026-03-02T12:00:00.000Z"
    assert "result" not in row(store)


def test_a_row_is_read_consistently(store):
    asked = []
    clients.get_dynamodb_client().meta.events.register(
        "provide-client-params.dynamodb.GetItem", lambda params, **_: asked.append(params["ConsistentRead"])
    )
    assert store.get("nobody") is None
    assert asked == [True]


def test_open_jobs_are_spread_over_the_shards(store, clock, body):
    terms = ClaimTerms(clock() + timedelta(minutes=15), 60, 60)
    shards = set()
    for number in range(100):
        job = ReceivedJob.parse(body(jobId=f"job-{number}"), {}, "m", clock())
        store.claim(job, "m", terms)
        shards.add(int(store.get(f"job-{number}")["openShard"]))
    assert len(shards) > 40, "of 64; test_store_writes looks at all of them"
    assert max(shards) <= 63


@pytest.mark.parametrize("table", ["missing"])
def test_a_refusal_is_an_operators_matter(aws, claim, table):
    store = JobStore(table)
    with pytest.raises(JobError) as caught:
        store.get("job-1")
    assert (caught.value.code, caught.value.error_class) == ("DEPENDENCY_REFUSED", "operator")


def test_an_outage_is_waited_out(aws, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    clients.forget_clients()
    boto3.DEFAULT_SESSION = None
    with pytest.raises(JobError) as caught:
        JobStore("jobs").get("job-1")
    assert (caught.value.code, caught.value.error_class) == ("DEPENDENCY_UNAVAILABLE", "throttled")


def test_a_result_of_an_earlier_life_is_dropped(claim, finish, store, clock):
    """Attempts start anew with a redrive: the number alone does not tell an old result that comes once more."""
    claim()
    clock.forward(seconds=5)
    old = AIJobResultMessage(
        "job-1", "user-1", "greeting", "failed", attempt=1, error={"code": "BROKEN", "message": "x"}, timestamp=clock()
    )
    store.apply_result(old)
    clock.forward(minutes=1)
    assert claim(message_id="redriven").attempt == 1
    assert store.apply_result(old).applied is not Applied.APPLIED
    assert row(store)["status"] == "processing"
    assert finish() is Applied.APPLIED


def test_many_rows_are_read_at_once_and_the_gone_ones_left_out(store, claim, clock):
    for number in range(130):
        claim(jobId=f"job-{number}")
    store.erase("job-7")
    ids = [f"job-{number}" for number in range(130)]
    rows = store.get_all([*ids, "nobody", "job-1"])
    assert rows.keys() == set(ids) - {"job-7"}
    assert rows["job-1"] == store.get("job-1")
    clock.forward(days=31)
    assert store.get_all(ids) == {}
    assert store.get_all([]) == {}


def test_rows_that_did_not_fit_into_one_answer_are_asked_for_again(store, claim, monkeypatch):
    """DynamoDB answers with 16 MB at most, and names the keys that it left out."""
    for number in range(5):
        claim(jobId=f"job-{number}")
    client = clients.get_dynamodb_client()
    asked = []
    read = client.batch_get_item

    def two_at_a_time(RequestItems):  # noqa: N803 - boto3's own name
        request = RequestItems["jobs"]
        asked.append(len(request["Keys"]))
        assert request["ConsistentRead"]
        answer = read(RequestItems={"jobs": request | {"Keys": request["Keys"][:2]}})
        rest = request["Keys"][2:]
        return answer | {"UnprocessedKeys": {"jobs": {"Keys": rest}} if rest else {}}

    monkeypatch.setattr(client, "batch_get_item", two_at_a_time)
    assert len(store.get_all(f"job-{number}" for number in range(5))) == 5
    assert asked == [5, 3, 1]


def test_a_users_jobs_come_newest_first(store, claim, clock):
    for number in range(3):
        claim(jobId=f"job-{number}")
        clock.forward(minutes=1)
    claim(jobId="other", userId="user-2")
    assert [found["jobId"] for found in store.listing.history_of("user-1")] == ["job-2", "job-1", "job-0"]
    clock.forward(days=30, minutes=-2)
    assert [found["jobId"] for found in store.listing.history_of("user-1")] == ["job-2"], "expired rows are gone"


@pytest.mark.parametrize(
    "read", [lambda store: store.get_all(["x"]), lambda store: list(store.listing.history_of("user-1"))]
)
def test_a_missing_table_is_an_operators_matter_for_every_reader(aws, read):
    with pytest.raises(JobError) as caught:
        read(JobStore("missing"))
    assert caught.value.code == "DEPENDENCY_REFUSED"
