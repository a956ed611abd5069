"""How many jobs per second a token budget allows: each of its counters is one row, and takes two writes per batch."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ai_jobs.contract import variables
from ai_jobs.operate.doctor.findings import Finding, State, Subject
from ai_jobs.operate.doctor.workers import trigger_of

if TYPE_CHECKING:
    from collections.abc import Iterator

COUNTER_BYTES, LEASE_BYTES = 60, 14
"""Of a counter: its row without leases, and the lease of each running invocation (tests/unit/test_store_writes.py)."""

UNITS_PER_KEY = 1000
"""Write units per second that one key takes
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html)."""

_WRITES_PER_INVOCATION = 2
_BYTES_PER_UNIT = 1024

# Few models answer all jobs of a batch sooner.
_QUICK_BATCH_SECONDS = 2


def units_per_write(invocations: float) -> int:
    """What a write of a counter costs while so many invocations run."""
    return math.ceil((COUNTER_BYTES + LEASE_BYTES * invocations) / _BYTES_PER_UNIT)


def most_jobs_per_second(batch_size: int, invocations: int) -> float:
    """How many jobs per second one counter takes while so many invocations run, in full batches."""
    return batch_size * UNITS_PER_KEY / _WRITES_PER_INVOCATION / units_per_write(invocations)


def check_budget(subject: Subject) -> Iterator[Finding]:
    """Does the budget's counter keep up with the processor at its maximum concurrency? No finding without a budget."""
    name, settings = "budget", subject.settings("processor")
    whose = _whose_counter(settings.get(variables.DAILY_TOKENS_TOTAL), settings.get(variables.DAILY_TOKENS_PER_USER))
    if whose is None:
        return
    trigger = trigger_of("request queue", subject)
    if trigger.maximum_concurrency is None:
        return  # a finding of its own
    batch, most = trigger.batch_size, trigger.maximum_concurrency
    jobs = most_jobs_per_second(batch, most)
    shortest = most * batch / jobs
    found = f"{whose} takes {jobs:,.0f} jobs per second while {most} invocations run, in full batches of {batch}"
    if shortest <= _QUICK_BATCH_SECONDS:
        yield Finding(name, State.OK, found)
    else:
        found = f"{found}: if a batch takes less than {shortest:.0f} s, jobs wait for the counter"
        advice = "raise processor.batch_size, lower processor.maximum_concurrency, or do without the budget"
        yield Finding(name, State.WARNING, found, advice)


def _whose_counter(total: str | None, per_user: str | None) -> str | None:
    """The counter that most jobs share."""
    if total:
        return "the counter of all jobs (budget.daily_tokens_total)"
    return "each user's counter (budget.daily_tokens_per_user)" if per_user else None
