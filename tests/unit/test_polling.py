"""Polling until jobs have ended."""

from __future__ import annotations

import pytest

from ai_jobs import JobError
from ai_jobs.operate.polling import poll_until_ended

BUSY = JobError("DEPENDENCY_UNAVAILABLE", "DynamoDB throttles")
REFUSED = JobError("DEPENDENCY_REFUSED", "no permission")


class Store:
    """Answers poll after poll with what it was given: statuses by job id, or an error."""

    def __init__(self, *looks):
        self._looks = list(looks)
        self.asked = []

    def get_all(self, job_ids):
        self.asked.append(list(job_ids))
        look = self._looks.pop(0) if len(self._looks) > 1 else self._looks[0]
        if isinstance(look, JobError):
            raise look
        return {job_id: {"status": look[job_id]} for job_id in job_ids if job_id in look}


@pytest.fixture
def waited():
    """Runs `poll_until_ended` in a time that passes only in pauses; gives the last rows and the pauses."""

    def run(store, ids, timeout=100):
        pauses = []
        looks = list(poll_until_ended(store, ids, timeout, clock=lambda: sum(pauses), sleep=pauses.append))
        return {job_id: row["status"] for job_id, row in looks[-1].items()}, pauses

    return run


def test_it_looks_until_all_have_ended_and_only_at_those_that_have_not(waited):
    store = Store({"a": "completed"}, {"b": "processing"}, {"b": "failed", "c": "cancelled"})
    assert waited(store, ["a", "b", "c", "a"])[0] == {"a": "completed", "b": "failed", "c": "cancelled"}
    assert store.asked == [["a", "b", "c"], ["b", "c"], ["b", "c"]]


def test_the_pauses_grow_and_end_with_the_time(waited):
    rows, pauses = waited(Store({"a": "processing"}), ["a"], timeout=30)
    assert rows == {"a": "processing"}
    assert pauses[:3] == [0.5, 0.75, 1.125]
    assert max(pauses) == 5
    assert sum(pauses) == pytest.approx(30)


def test_without_time_there_is_one_look(waited):
    store = Store({})
    assert waited(store, ["a"], timeout=0) == ({}, [])
    assert len(store.asked) == 1


def test_a_table_that_is_busy_for_a_while_is_waited_for(waited):
    assert waited(Store({}, BUSY, BUSY, BUSY, BUSY, {"a": "completed"}), ["a"])[0] == {"a": "completed"}


@pytest.mark.parametrize("looks", [[BUSY], [{}, BUSY], [{}, REFUSED, {"a": "completed"}]])
def test_a_table_that_stays_busy_or_refuses_ends_the_wait(waited, looks):
    with pytest.raises(JobError):
        waited(Store(*looks), ["a"])
