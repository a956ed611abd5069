"""The retry policy: how long until the next try."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest

from ai_jobs.service import retries


def highest(low, high):
    return high


def lowest(low, high):
    return low


@pytest.mark.parametrize(("receives", "seconds"), [(1, (15, 30)), (2, (30, 60)), (3, (60, 120)), (9, (450, 900))])
def test_a_transient_failure_backs_off_longer_with_each_receive(receives, seconds):  # R-E1
    assert retries.transient_backoff_seconds(receives, 900, lowest) == seconds[0]
    assert retries.transient_backoff_seconds(receives, 900, highest) == seconds[1]
    assert retries.transient_backoff_seconds(receives, 20, highest) == 20, "the deployment's limit holds from the start"


@pytest.mark.parametrize(("copy", "seconds"), [(1, 10), (2, 20), (6, 320), (7, 640), (8, 900), (10**6, 900)])
def test_a_copy_waits_longer_than_the_one_before(copy, seconds):
    assert retries.throttle_delay_seconds(copy, 900, highest) == seconds
    assert retries.throttle_delay_seconds(copy, 900, lowest) == 1, "full jitter"
    assert retries.throttle_delay_seconds(copy, 0, highest) == 1, "never at once"


def test_a_job_that_waits_for_access_always_waits_as_long():
    assert retries.denied_delay_seconds(900, highest) == 30
    assert retries.denied_delay_seconds(900, lowest) == 1
    assert retries.denied_delay_seconds(20, highest) == 20


def test_a_throttled_correction_waits_a_few_seconds_at_most():  # R-A1
    assert list(retries.correction_pauses_seconds(highest)) == [1, 2, 4]
    assert list(retries.correction_pauses_seconds(lowest)) == [0.5, 1, 2]


def test_a_message_of_a_running_job_waits_until_the_lease_has_ended():
    now = datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert retries.lease_wait_seconds(now + timedelta(seconds=90), now) == 91


@pytest.mark.parametrize(
    ("pauses", "first_ones", "longest"),
    [
        (retries.PAUSES_OF_A_GET, [1, 1.1, 1.21, 1.331], 2),
        (retries.PAUSES_OF_A_COMMAND, [0.5, 0.75, 1.125, 1.6875], 5),
    ],
)
def test_pauses_grow_up_to_the_longest(pauses, first_ones, longest):
    many = list(islice(pauses, 20))
    assert many[:4] == pytest.approx(first_ones)
    assert max(many) == many[-1] == longest
    assert next(iter(pauses)) == first_ones[0], "each wait begins with the first one"
