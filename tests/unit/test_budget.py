"""The spend guard: a daily token budget per user and in total."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import boto3
import pytest
from botocore.exceptions import ReadTimeoutError
from moto.core.models import botocore_stubber

from ai_jobs import JobError
from ai_jobs.aws import clients
from ai_jobs.service.budget import Budget, counter_key


@pytest.fixture
def budget(aws, clock):
    return lambda **limits: Budget(aws.table, clock=clock, **limits)


@pytest.fixture
def counted(aws):
    """What a counter stands at; None when there is none."""

    def read(key):
        item = boto3.client("dynamodb").get_item(TableName=aws.table, Key={"jobId": {"S": key}}).get("Item")
        return int(item["tokens"]["N"]) if item else None

    return read


TODAY = "2026-01-31"


@pytest.fixture
def lost(aws):
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


def test_without_limits_nothing_is_counted(clock):
    budget = Budget("there is no such table", clock=clock)
    budget.settle(budget.reserve("user-1", 100), 50)


def test_what_was_set_aside_makes_way_for_what_was_used(budget, counted):
    both = budget(daily_tokens_per_user=1000, daily_tokens_total=5000)
    reservation = both.reserve("user-1", 100)
    assert (counted(counter_key(TODAY, "user-1")), counted(counter_key(TODAY))) == (100, 100)
    both.settle(reservation, used=30)
    assert (counted(counter_key(TODAY, "user-1")), counted(counter_key(TODAY))) == (30, 30)


def test_one_limit_needs_one_counter(budget, counted):
    budget(daily_tokens_total=5000).reserve("user-1", 100)
    assert (counted(counter_key(TODAY, "user-1")), counted(counter_key(TODAY))) == (None, 100)


def test_the_budget_can_be_used_up_to_the_last_token_and_no_further(budget):
    limited = budget(daily_tokens_per_user=100)
    limited.reserve("user-1", 60)
    limited.reserve("user-1", 40)
    with pytest.raises(JobError, match="The user's 100 tokens are used up until midnight UTC") as caught:
        limited.reserve("user-1", 1)
    assert (caught.value.code, caught.value.error_class) == ("BUDGET_EXHAUSTED", "throttled")
    limited.reserve("user-2", 100)


def test_a_user_gets_back_what_the_total_refuses(budget, counted):
    limited = budget(daily_tokens_per_user=100, daily_tokens_total=50)
    with pytest.raises(JobError, match="The day's 50 tokens"):
        limited.reserve("user-1", 60)
    assert counted(counter_key(TODAY, "user-1")) == 0


def test_a_call_over_the_whole_budget_never_starts(budget, counted):
    with pytest.raises(JobError, match="100 tokens"):
        budget(daily_tokens_per_user=100).reserve("user-1", 101)
    assert counted(counter_key(TODAY, "user-1")) is None


def test_a_new_day_has_a_new_budget_and_settles_go_to_their_own_day(budget, counted, clock):
    limited = budget(daily_tokens_total=100)
    reservation = limited.reserve("user-1", 100)
    clock.forward(hours=12)
    limited.reserve("user-1", 100)
    limited.settle(reservation, used=70)
    assert (counted(counter_key(TODAY)), counted(counter_key("2026-02-01"))) == (70, 100)


def test_counters_expire(budget, aws, clock):
    budget(daily_tokens_total=100).reserve("user-1", 1)
    item = boto3.client("dynamodb").get_item(TableName=aws.table, Key={"jobId": {"S": counter_key(TODAY)}})["Item"]
    assert int(item["expiresAt"]["N"]) == int((clock() + timedelta(days=2)).timestamp())


def test_jobs_that_start_at_once_never_exceed_it_together(budget, counted, monkeypatch):
    limited = budget(daily_tokens_total=100)

    def reserve(_):
        try:
            limited.reserve("user-1", 10)
        except JobError:
            return 0
        return 10

    with ThreadPoolExecutor(20) as pool:
        assert sum(pool.map(reserve, range(30))) == 100
    assert counted(counter_key(TODAY)) == 100


def test_a_table_that_is_not_there_is_the_operators_business(aws, clock):
    with pytest.raises(JobError) as caught:
        Budget("missing", daily_tokens_total=1, clock=clock).reserve("user-1", 1)
    assert caught.value.code == "DEPENDENCY_REFUSED"


def test_a_counter_that_was_erased_stays_gone(budget, counted, aws):
    limited = budget(daily_tokens_per_user=100)
    reservation = limited.reserve("user-1", 50)
    boto3.client("dynamodb").delete_item(TableName=aws.table, Key={"jobId": {"S": counter_key(TODAY, "user-1")}})
    limited.settle(reservation, used=10)
    assert counted(counter_key(TODAY, "user-1")) is None


def test_what_is_said_is_why_it_was_refused_though_undoing_fails_too(budget, monkeypatch):
    limited = budget(daily_tokens_per_user=100, daily_tokens_total=50)

    def down(*args, **kwargs):
        raise JobError("DEPENDENCY_UNAVAILABLE", "DynamoDB is down")

    monkeypatch.setattr(limited, "settle", down)
    with pytest.raises(JobError, match="The day's 50 tokens"):
        limited.reserve("user-1", 60)


def test_an_update_counts_once_however_often_it_is_sent(budget, counted, lost):
    both = budget(daily_tokens_per_user=1000, daily_tokens_total=5000)
    made = lost(0, 2, 4, 6)  # the first answer of each of the four updates; botocore sends every update again
    reservation = both.reserve("user-1", 100)
    assert (counted(counter_key(TODAY, "user-1")), counted(counter_key(TODAY))) == (100, 100)
    both.settle(reservation, used=30)
    assert (counted(counter_key(TODAY, "user-1")), counted(counter_key(TODAY))) == (30, 30)
    assert len(made) == 8


def test_a_reservation_whose_answers_are_all_lost_is_given_back(budget, counted, lost):
    limited = budget(daily_tokens_per_user=1000)
    lost(0, 1)
    with pytest.raises(JobError) as caught:
        limited.reserve("user-1", 100)
    assert caught.value.code == "DEPENDENCY_UNAVAILABLE"
    assert counted(counter_key(TODAY, "user-1")) == 0


def test_the_last_tokens_are_not_refused_to_whoever_holds_them(budget, counted, lost):
    lost(0)
    budget(daily_tokens_per_user=100).reserve("user-1", 100)
    assert counted(counter_key(TODAY, "user-1")) == 100


def test_a_reservation_is_settled_once(budget, counted):
    limited = budget(daily_tokens_total=1000)
    reservation = limited.reserve("user-1", 100)
    limited.settle(reservation, used=30)
    limited.settle(reservation, used=30)
    assert counted(counter_key(TODAY)) == 30


def test_a_counter_holds_only_what_is_open(budget, aws):
    limited = budget(daily_tokens_total=100_000)
    for reservation in [limited.reserve("user-1", 100) for _ in range(50)]:
        limited.settle(reservation, used=1)
    still_open = limited.reserve("user-1", 100)
    item = boto3.client("dynamodb").get_item(TableName=aws.table, Key={"jobId": {"S": counter_key(TODAY)}})["Item"]
    assert item["open"] == {"SS": [still_open.id]}
