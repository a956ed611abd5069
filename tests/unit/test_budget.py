"""The token budget: what is counted and leased, and that it is never exceeded."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import boto3
import pytest
from botocore.exceptions import ReadTimeoutError
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from moto.core.models import botocore_stubber

from ai_jobs import JobError
from ai_jobs.aws import clients
from ai_jobs.service import budget as budget_module
from ai_jobs.service.budget import Budget, estimated_tokens
from ai_jobs.service.token_counters import counter_key

TODAY = "2026-01-31"
OF_ALL, OF_USER = counter_key(TODAY), counter_key(TODAY, "user-1")


@pytest.fixture
def budget(aws, clock):
    return lambda **limits: Budget(aws.table, clock=clock, **limits)


@pytest.fixture
def invocation(budget, clock):
    """Begins an invocation of 15 minutes, whose batch holds these users' jobs."""

    def begin(*users, **limits):
        begun = budget(**limits).for_invocation(clock() + timedelta(minutes=15))
        begun.expect(users)
        return begun

    return begin


@pytest.fixture
def item(aws):
    """A counter as it is in the table; None when there is none."""
    return lambda key: boto3.client("dynamodb").get_item(TableName=aws.table, Key={"jobId": {"S": key}}).get("Item")


@pytest.fixture
def counted(item):
    """What a counter stands at; None when there is none."""
    return lambda key: int(found["tokens"]["N"]) if (found := item(key)) else None


@pytest.fixture
def leases(item):
    """What the open leases of a counter hold."""
    return lambda key: [int(value["N"]) for name, value in item(key).items() if name.startswith("~")]


@pytest.fixture
def updates(aws):
    """Loses DynamoDB's answers to the updates of these numbers, from 0, after it has made them; counts all of them."""
    made = []

    def lose(*numbers):
        def answer(request, event_name, **more):
            made.append(request)
            answered = botocore_stubber(event_name, request, **more)
            if len(made) - 1 in numbers:
                raise ReadTimeoutError(endpoint_url=request.url)
            return answered

        events = clients.get_dynamodb_client().meta.events
        events.register_first("before-send.dynamodb.UpdateItem", answer)
        return made

    return lose


def refused(invocation, user, tokens):
    try:
        invocation.reserve(user, tokens)
    except JobError as error:
        return error.code == "BUDGET_EXHAUSTED"
    return False


def test_without_limits_nothing_is_counted(clock):
    unlimited = Budget("there is no such table", clock=clock).for_invocation(clock())
    unlimited.reserve("user-1", 100).settle(used=50)
    assert unlimited.settle() == []


def test_the_block_makes_way_for_what_was_used(invocation, counted, leases):
    both = invocation(*["user-1"] * 3, "user-2", daily_tokens_per_user=1000, daily_tokens_total=5000)
    reservation = both.reserve("user-1", 100)
    assert (counted(OF_USER), counted(OF_ALL)) == (300, 400)
    assert (leases(OF_USER), leases(OF_ALL)) == ([300], [400])
    reservation.settle(used=30)
    assert both.settle() == []
    assert (counted(OF_USER), counted(OF_ALL)) == (30, 30)
    assert (leases(OF_USER), leases(OF_ALL)) == ([], [])


def test_a_batch_writes_each_counter_twice(invocation, updates):  # R-S1
    both = invocation(*["user-1"] * 10, daily_tokens_per_user=10_000, daily_tokens_total=50_000)
    made = updates()
    for _ in range(10):
        both.reserve("user-1", 100).settle(used=70)
    both.settle()
    assert len(made) == 4


def test_a_block_is_extended_when_it_is_used_up(invocation, counted, leases):
    one = invocation("user-1", "user-1", daily_tokens_per_user=1000)
    one.reserve("user-1", 100)
    one.reserve("user-1", 250)
    assert (counted(OF_USER), leases(OF_USER)) == (350, [350])
    one.settle()
    assert counted(OF_USER) == 350, "a job that outlived its function stays counted with all that it reserved"


def test_a_block_is_for_no_more_jobs_than_run_at_once(invocation, counted):
    invocation(*["user-1"] * 10_000, daily_tokens_total=10**9).reserve("user-1", 100)
    assert counted(OF_ALL) == 50 * 100


def test_what_a_job_gave_back_is_there_for_the_next(invocation, updates):
    one = invocation("user-1", daily_tokens_per_user=100)
    made = updates()
    for _ in range(5):
        one.reserve("user-1", 100).settle(used=0)
    assert len(made) == 1


def test_a_job_gets_what_it_needs_when_the_whole_block_does_not_fit(invocation, counted):
    one = invocation(*["user-1"] * 10, daily_tokens_per_user=150)
    one.reserve("user-1", 100)
    assert counted(OF_USER) == 100
    assert refused(one, "user-1", 100)
    one.reserve("user-1", 50)


def test_a_batch_whose_budget_is_used_up_asks_once(invocation, updates):  # R-S1
    invocation(daily_tokens_total=100).reserve("user-1", 100)
    one = invocation(*["user-1"] * 10, daily_tokens_total=100)
    made = updates()
    assert all(refused(one, "user-1", 10) for _ in range(10))
    one.settle()
    assert len(made) == 2, "the block, and what one job needs"


def test_one_limit_needs_one_counter(invocation, counted):
    invocation("user-1", daily_tokens_total=5000).reserve("user-1", 100)
    assert (counted(OF_USER), counted(OF_ALL)) == (None, 100)


def test_the_budget_can_be_used_up_to_the_last_token_and_no_further(invocation):
    limited = invocation("user-1", daily_tokens_per_user=100)
    limited.reserve("user-1", 60)
    limited.reserve("user-1", 40)
    with pytest.raises(JobError, match="The user's 100 tokens are used up until midnight UTC") as caught:
        limited.reserve("user-1", 1)
    assert (caught.value.code, caught.value.error_class) == ("BUDGET_EXHAUSTED", "throttled")
    limited.reserve("user-2", 100)


def test_a_user_gets_back_what_the_total_refuses(invocation, counted):
    limited = invocation("user-1", daily_tokens_per_user=100, daily_tokens_total=50)
    with pytest.raises(JobError, match="The day's 50 tokens|The day's budget is 50 tokens"):
        limited.reserve("user-1", 60)
    limited.settle()
    assert counted(OF_USER) == 0


def test_a_job_over_the_whole_budget_never_starts_and_is_told_why(invocation, counted):
    with pytest.raises(JobError, match=r"may use 101 tokens .* The user's budget is 100 tokens\. Shorten the input"):
        invocation("user-1", daily_tokens_per_user=100).reserve("user-1", 101)
    assert counted(OF_USER) is None


def test_a_new_day_has_a_new_budget_and_settles_go_to_their_own_day(invocation, counted, clock):
    limited = invocation("user-1", daily_tokens_total=100)
    reservation = limited.reserve("user-1", 100)
    clock.forward(hours=12)
    limited.reserve("user-1", 100)
    reservation.settle(used=70)
    limited.settle()
    assert (counted(OF_ALL), counted(counter_key("2026-02-01"))) == (70, 100)


def test_counters_expire(invocation, item, clock):
    invocation("user-1", daily_tokens_total=100).reserve("user-1", 1)
    assert int(item(OF_ALL)["expiresAt"]["N"]) == int((clock() + timedelta(days=2)).timestamp())


def test_threads_of_one_invocation_never_exceed_it_together(invocation, counted):
    limited = invocation(*["user-1"] * 30, daily_tokens_total=100)
    with ThreadPoolExecutor(20) as pool:
        started = sum(not refusal for refusal in pool.map(lambda _: refused(limited, "user-1", 10), range(30)))
    assert started == 10
    limited.settle()
    assert counted(OF_ALL) == 100


def test_workers_never_exceed_it_together(invocation, counted):
    workers = [invocation(*["user-1"] * 3, daily_tokens_total=100) for _ in range(20)]
    with ThreadPoolExecutor(20) as pool:
        started = sum(not refusal for refusal in pool.map(lambda worker: refused(worker, "user-1", 10), workers))
        assert counted(OF_ALL) <= 100
        list(pool.map(lambda worker: worker.settle(), workers))
    assert counted(OF_ALL) == 10 * started


def test_a_table_that_is_not_there_is_the_operators_business(aws, clock):
    missing = Budget("missing", daily_tokens_total=1, clock=clock).for_invocation(clock())
    with pytest.raises(JobError) as caught:
        missing.reserve("user-1", 1)
    assert caught.value.code == "DEPENDENCY_REFUSED"
    assert missing.settle() == ["DEPENDENCY_REFUSED"]


def test_a_bug_while_settling_does_not_bring_back_the_batch(invocation, monkeypatch):
    limited = invocation("user-1", daily_tokens_total=100)
    limited.reserve("user-1", 1)
    monkeypatch.setattr(budget_module.Lease, "settle", lambda *_: 1 / 0)
    assert limited.settle() == ["ZeroDivisionError"]


def test_the_end_does_not_wait_for_a_table_that_hangs(invocation, monkeypatch):
    limited = invocation("user-1", daily_tokens_total=100)
    limited.reserve("user-1", 1)
    monkeypatch.setattr(budget_module, "_SETTLE_SECONDS", 0)
    monkeypatch.setattr(budget_module, "wait", lambda futures, timeout: ([], futures))
    assert limited.settle() == ["TIMEOUT"]


# Erased counters


def test_a_counter_that_was_erased_stays_gone(invocation, item, aws):
    limited = invocation("user-1", daily_tokens_per_user=100)
    limited.reserve("user-1", 50).settle(used=10)
    boto3.client("dynamodb").delete_item(TableName=aws.table, Key={"jobId": {"S": OF_USER}})
    assert limited.settle() == []
    assert item(OF_USER) is None


def test_a_job_that_starts_after_its_user_was_erased_is_counted(invocation, counted, aws):
    limited = invocation("user-1", daily_tokens_per_user=100)
    limited.reserve("user-1", 50).settle(used=10)
    boto3.client("dynamodb").delete_item(TableName=aws.table, Key={"jobId": {"S": OF_USER}})
    limited.reserve("user-1", 60).settle(used=20)
    limited.settle()
    assert counted(OF_USER) == 30


# Lost responses


def test_an_update_counts_once_however_often_it_is_sent(invocation, counted, updates):
    both = invocation("user-1", "user-1", daily_tokens_per_user=1000, daily_tokens_total=5000)
    made = updates(0, 2, 4, 6)  # the first answer of each of the four leases; botocore sends every update again
    first, second = both.reserve("user-1", 100), both.reserve("user-1", 500)
    assert (counted(OF_USER), counted(OF_ALL)) == (600, 600)
    assert len(made) == 8
    first.settle(used=30)
    second.settle(used=30)
    both.settle()
    assert (counted(OF_USER), counted(OF_ALL)) == (60, 60)


def test_a_settled_block_counts_once_however_often_it_is_sent(invocation, counted, updates):
    one = invocation("user-1", daily_tokens_total=1000)
    one.reserve("user-1", 100).settle(used=30)
    made = updates(0)
    assert one.settle() == []
    assert one.settle() == []
    assert (counted(OF_ALL), len(made)) == (30, 2)


def test_a_lease_whose_answers_are_all_lost_is_given_back(invocation, counted, updates):
    limited = invocation("user-1", daily_tokens_per_user=1000)
    updates(0, 1)
    with pytest.raises(JobError) as caught:
        limited.reserve("user-1", 100)
    assert caught.value.code == "DEPENDENCY_UNAVAILABLE"
    assert counted(OF_USER) == 100
    limited.settle()
    assert counted(OF_USER) == 0


def test_an_extension_whose_answers_are_all_lost_is_found_again(invocation, counted, updates):
    limited = invocation("user-1", daily_tokens_per_user=1000)
    first = limited.reserve("user-1", 100)
    updates(0, 1)
    with pytest.raises(JobError):
        limited.reserve("user-1", 200)
    assert counted(OF_USER) == 300
    second = limited.reserve("user-1", 300)
    assert counted(OF_USER) == 400
    first.settle(used=10)
    second.settle(used=20)
    limited.settle()
    assert counted(OF_USER) == 30


def test_the_last_tokens_are_not_refused_to_whoever_holds_them(invocation, counted, updates):
    updates(0)
    invocation("user-1", daily_tokens_per_user=100).reserve("user-1", 100)
    assert counted(OF_USER) == 100


# Dead workers


def test_a_dead_workers_block_counts_as_used_in_full(invocation, counted, clock):  # R-S1 R-B2
    invocation("user-1", daily_tokens_total=100).reserve("user-1", 80).settle(used=1)  # and dies
    clock.forward(hours=1)
    assert refused(invocation("user-1", daily_tokens_total=100), "user-1", 21)
    invocation("user-1", daily_tokens_total=100).reserve("user-1", 20)
    assert counted(OF_ALL) == 100


def test_workers_that_die_one_after_the_other_do_not_get_past_the_limit(invocation, clock):  # R-S1 R-B2
    limit, used = 100_000, 0
    for _ in range(50):
        worker = invocation(*["user-1"] * 10, daily_tokens_total=limit)
        used += 2548 * sum(not refused(worker, "user-1", 2548) for _ in range(10))  # and dies
        clock.forward(minutes=10)
    assert limit - 2548 < used <= limit


def test_what_dead_workers_left_in_the_row_is_removed_after_their_invocations(invocation, counted, leases, clock):
    invocation("user-1", daily_tokens_total=100).reserve("user-1", 30)  # and dies
    clock.forward(minutes=15)
    invocation("user-1", daily_tokens_total=100).reserve("user-1", 20)
    assert sorted(leases(OF_ALL)) == [20, 30], "its last moment: it may still settle"
    clock.forward(minutes=1, seconds=1)
    invocation("user-1", daily_tokens_total=100).reserve("user-1", 10)
    assert (counted(OF_ALL), sorted(leases(OF_ALL))) == (60, [10, 20])


def test_however_many_workers_died_the_row_does_not_grow(invocation, counted, leases, clock):  # R-S1
    for _ in range(120):
        invocation("user-1", daily_tokens_total=1000).reserve("user-1", 1)
    clock.forward(hours=1)
    for _ in range(3):
        invocation("user-1", daily_tokens_total=1000).reserve("user-1", 1)
    assert (counted(OF_ALL), leases(OF_ALL)) == (123, [1, 1, 1])


def test_a_removal_whose_answer_is_lost_changes_nothing_else(invocation, counted, leases, clock, updates):
    invocation("user-1", daily_tokens_total=100).reserve("user-1", 30)
    clock.forward(hours=1)
    updates(1)  # 0 is the new lease, 1 removes the old one
    invocation("user-1", daily_tokens_total=100).reserve("user-1", 50)
    assert (counted(OF_ALL), leases(OF_ALL)) == (80, [50])


def test_a_job_does_not_wait_because_a_removal_failed(invocation, clock, updates):
    invocation("user-1", daily_tokens_total=100).reserve("user-1", 30)
    clock.forward(hours=1)
    updates(1, 2)  # all tries of the removal
    invocation("user-1", daily_tokens_total=100).reserve("user-1", 50)


def test_a_worker_that_wakes_up_after_its_lease_was_removed_changes_nothing(invocation, counted, clock):
    late = invocation("user-1", daily_tokens_total=100)
    late.reserve("user-1", 80).settle(used=10)
    clock.forward(hours=1)
    invocation("user-1", daily_tokens_total=100).reserve("user-1", 20)
    late.settle()
    assert counted(OF_ALL) == 100


# Always


LIMIT = 1000


class Workers(RuleBasedStateMachine):
    """Workers that begin, work, finish, and die, in any order, within one day."""

    def __init__(self):
        super().__init__()
        self.time = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
        self.budget = Budget("jobs", daily_tokens_total=LIMIT, clock=lambda: self.time)
        self.key = {"jobId": {"S": OF_ALL}}
        clients.get_dynamodb_client().delete_item(TableName="jobs", Key=self.key)
        self.workers, self.spent = [], 0

    def drawn(self, data):
        return self.workers.pop(data.draw(st.integers(0, len(self.workers) - 1)))

    @rule(jobs=st.integers(0, 12))
    def begin(self, jobs):
        worker = self.budget.for_invocation(self.time + timedelta(minutes=5))
        worker.expect(["user-1"] * jobs)
        self.workers.append(worker)

    @precondition(lambda self: self.workers)
    @rule(data=st.data(), most=st.integers(1, 400), share=st.floats(0, 1))
    def work(self, data, most, share):
        worker = self.drawn(data)
        self.workers.append(worker)
        with contextlib.suppress(JobError):
            worker.reserve("user-1", most).settle(used=int(most * share))
            self.spent += int(most * share)

    @precondition(lambda self: self.workers)
    @rule(data=st.data())
    def finish(self, data):
        assert self.drawn(data).settle() == []

    @precondition(lambda self: self.workers)
    @rule(data=st.data())
    def die(self, data):
        self.drawn(data)

    @rule()
    def wait(self):
        """Until what the dead hold has expired: every invocation has ended by then."""
        while self.workers:
            self.workers.pop().settle()
        self.time += timedelta(minutes=7)

    @invariant()
    def the_limit_holds(self):
        item = clients.get_dynamodb_client().get_item(TableName="jobs", Key=self.key).get("Item")
        assert item is None or 0 <= int(item["tokens"]["N"]) <= LIMIT

    @invariant()
    def no_more_is_spent_than_the_limit(self):
        assert self.spent <= LIMIT


def test_whatever_happens_the_limit_holds(aws):  # R-S1
    run_state_machine_as_test(Workers, settings=settings(max_examples=20, deadline=None))


# The estimate of an input


@pytest.mark.parametrize(
    ("texts", "tokens"),
    [((None, ""), 0), ((None, "abc"), 1), (("abc", "a"), 2), (("日本", "語"), 3), ((None, "\ud83c"), 1)],
)
def test_an_input_is_estimated_from_its_bytes(texts, tokens):
    assert estimated_tokens(*texts) == tokens
