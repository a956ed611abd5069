"""How many callers may wait at once: never more than the limit, and nothing left behind."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from ai_jobs.aws import clients
from ai_jobs.service.wait_slots import WaitSlots


@pytest.fixture
def slots(aws, clock):
    def of(most, **options):
        return WaitSlots(aws.table, most, clock, **options)

    return of


@pytest.fixture
def writes(aws):
    """The operations on the table, in the order they are made."""
    made = []
    events = clients.get_dynamodb_client().meta.events
    events.register("before-call.*.*", lambda model, **_: made.append(model.name))
    return made


def test_without_a_limit_nothing_is_asked(slots, writes):
    with slots(None).taken(20) as may_wait:
        assert may_wait
    assert writes == []


def test_as_many_as_the_limit_and_no_more(slots):
    limited = slots(2)
    with limited.taken(20) as first, limited.taken(20) as second, limited.taken(20) as third:
        assert (first, second, third) == (True, True, False)
    with limited.taken(20) as again:
        assert again, "a wait that is over gives its slot back"


def test_a_failure_while_waiting_gives_the_slot_back(slots):
    limited = slots(1)
    with pytest.raises(RuntimeError), limited.taken(20):
        raise RuntimeError("the function broke")
    with limited.taken(20) as may_wait:
        assert may_wait


def test_the_slot_of_a_function_that_died_is_free_after_its_wait(slots, clock):
    limited = slots(1)
    never_left = limited.taken(20)
    assert never_left.__enter__()
    clock.forward(seconds=20)
    with limited.taken(20) as may_wait:
        assert not may_wait, "it could still be waiting"
    clock.forward(seconds=3)
    with limited.taken(20) as may_wait:
        assert may_wait


def test_a_late_return_does_not_free_the_next_ones_slot(slots, clock):
    limited = slots(1)
    late = limited.taken(20)
    assert late.__enter__()
    clock.forward(seconds=25)
    with limited.taken(20) as may_wait:
        assert may_wait
        late.__exit__(None, None, None)
        with limited.taken(20) as third:
            assert not third


def test_few_slots_are_tried_of_many(slots, writes):
    limited = slots(1000, pick=lambda below, count: list(range(below))[:count])
    held = [limited.taken(20) for _ in range(5)]
    assert all(one.__enter__() for one in held)
    writes.clear()
    with limited.taken(20) as may_wait:
        assert not may_wait
    assert writes == ["UpdateItem"] * 5


def test_a_table_that_refuses_lets_nobody_wait(clock, aws):
    with WaitSlots("no-such-table", 1, clock).taken(20) as may_wait:
        assert not may_wait


def test_never_more_than_the_limit_wait(slots, clock):
    """Whoever comes, leaves, or dies and is heard of late: those whose wait is not over are never too many."""
    chance = random.Random(7)
    limited, waiting, refused = slots(3), [], 0
    for _ in range(300):
        move = chance.choice(["enter", "enter", "leave", "second"])
        if move == "enter":
            one = limited.taken(4)
            if one.__enter__():
                waiting.append((one, clock() + timedelta(seconds=4)))
            else:
                refused += 1
        elif move == "leave" and waiting:  # perhaps long after its wait was over
            waiting.pop(chance.randrange(len(waiting)))[0].__exit__(None, None, None)
        elif move == "second":
            clock.forward(seconds=1)
        assert sum(ends_at > clock() for _, ends_at in waiting) <= 3
    assert refused > 20, "the limit was reached again and again"
