"""When the service tries again: every pause, backoff, and patience of the functions, and the margins that cause a wait.

Every answer to "how long until the next try?" is here, with three exceptions. The HTTP client has its own pauses
(`ai_jobs.client.core`), because it runs in another process and may not import this module. The `Retry-After` that it
gets is part of the contract (`ai_jobs.contract.api_errors`). And botocore's retries within one call to AWS belong to
its clients (`ai_jobs.aws.clients`).

Numbers that a deployment can change, such as `max_backoff_seconds`, come in as arguments.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from ai_jobs.contract.limits import LIMITS, MARGINS

Jitter = Callable[[float, float], float]
"""Picks a number of seconds between two bounds."""

# A transient failure: the message itself comes back, which uses a receive.

_TRANSIENT_BASE_SECONDS = 30


def transient_backoff_seconds(receive_count: int, max_backoff_seconds: int, jitter: Jitter = random.uniform) -> int:
    """How long a message stays hidden after a transient failure: 30 s, doubled with each receive, half of it jitter."""
    ceiling = min(max_backoff_seconds, _TRANSIENT_BASE_SECONDS * 2 ** (receive_count - 1))
    return int(jitter(ceiling / 2, ceiling))


# Something is busy: a delayed copy replaces the message, which uses no receive.

_THROTTLE_BASE_SECONDS = 10
_MOST_DOUBLINGS = 10

# Access arrives within seconds or minutes, and jobs that wait for it should notice: their wait does not grow.
_DENIED_CEILING_SECONDS = 30


def throttle_delay_seconds(copy_number: int, max_backoff_seconds: int, jitter: Jitter = random.uniform) -> int:
    """How long the nth delayed copy of a message stays hidden: up to 10 s, doubled with each copy."""
    ceiling = _THROTTLE_BASE_SECONDS * 2 ** min(copy_number - 1, _MOST_DOUBLINGS)
    return _full_jitter_seconds(ceiling, max_backoff_seconds, jitter)


def denied_delay_seconds(max_backoff_seconds: int, jitter: Jitter = random.uniform) -> int:
    """How long a delayed copy stays hidden whose job waits for access to its model: up to 30 s."""
    return _full_jitter_seconds(_DENIED_CEILING_SECONDS, max_backoff_seconds, jitter)


def requested_delay_seconds(seconds: int, jitter: Jitter = random.uniform) -> int:
    """How long a delayed copy stays hidden whose handler named a time: that long, and up to a tenth longer.

    The tenth keeps apart the jobs that all met the same outage. `max_backoff_seconds` does not shorten what a handler
    asks for; SQS's longest delay does.
    """
    return min(int(jitter(seconds, seconds * 1.1)), LIMITS["delay_seconds"].max)


def _full_jitter_seconds(ceiling: int, max_backoff_seconds: int, jitter: Jitter) -> int:
    # https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    return int(jitter(1, max(1, min(max_backoff_seconds, ceiling))))


RESULT_PATIENCE = timedelta(days=14)
"""How long a result waits as a delayed copy while the table is down: as long as SQS would have kept it."""


# Bedrock is too busy to correct an answer that is paid for: a worker waits a little before the job starts over.

_CORRECTION_CEILINGS_SECONDS = (1, 2, 4)


def correction_pauses_seconds(jitter: Jitter = random.uniform) -> Iterator[float]:
    """How long to wait before each further try of a throttled correction: up to 1, 2, and 4 s, half of it jitter."""
    return (jitter(ceiling / 2, ceiling) for ceiling in _CORRECTION_CEILINGS_SECONDS)


# Another worker holds the job.


def lease_wait_seconds(lease_expires_at: datetime, now: datetime) -> int:
    """How long a message stays hidden whose job another worker is running: until just after the lease ends."""
    return int((lease_expires_at - now).total_seconds() + 1)


# A function's time is running out.

PROCESSOR_MARGIN_SECONDS = MARGINS["processor"]["end_seconds"]
"""What the processor keeps back for sending results after the last model call: a job that needs more time than what is
left before that waits for another invocation. modules/ai-jobs checks that the margin fits."""

JOBS_API_MARGIN_SECONDS = MARGINS["jobs_api"]["end_seconds"]
"""What a GET that waits leaves of the function's time for the response."""


# A job was not sent, or its type can't be looked up.

RESUBMISSION_TIME = timedelta(minutes=15)
"""How long a job whose message SQS did not accept may be submitted again before the reconciler closes it."""

JOB_TYPES_PAUSE_SECONDS = 10
"""How long the jobs API goes without job types after it failed to read them, so that not every job waits for the
timeouts of AppConfig."""

JOB_TYPES_REREAD_SECONDS = 5
"""How long after an early read of the job types the next one may come."""


HANDLER_IMPORT_PAUSE_SECONDS = 60
"""How long a worker goes without a handler that it could not import, before it tries again."""


# Looking at a job until it has ended.


@dataclass(frozen=True)
class Pauses:
    """Pauses that grow by a factor from one to the next, up to a longest one. Iterating over them never ends."""

    first_seconds: float
    growth: float
    longest_seconds: float

    def __iter__(self) -> Iterator[float]:
        pause = self.first_seconds
        while True:
            yield pause
            pause = min(pause * self.growth, self.longest_seconds)


PAUSES_OF_A_GET = Pauses(first_seconds=1.0, growth=1.1, longest_seconds=2.0)
"""Between the reads of a row for `GET /jobs/{jobId}?wait=`: at most one read per second."""

PAUSES_OF_A_COMMAND = Pauses(first_seconds=0.5, growth=1.5, longest_seconds=5.0)
"""Between the reads of the rows that an operator's command waits for."""
