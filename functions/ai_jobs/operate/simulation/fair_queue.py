"""An SQS standard queue with message groups: long polls, delivery in order of arrival, and fairness between tenants."""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import simpy

    from ai_jobs.operate.simulation.job import Job

RECEIVE_LIMIT = 10
"""The most messages of one ReceiveMessage."""

LONG_POLL_SECONDS = 20
"""The longest that a ReceiveMessage waits for the first message."""

# A tenant is a noisy neighbor with over 10% of the messages in flight, if that is at least 30, or with over 10% of the
# recent processing time. AWS does not say what recent means.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-fair-queues-detailed.html
_NOISY_SHARE = 0.1
_NOISY_MESSAGES = 30
_RECENT_SECONDS = 60


class _InFlight:
    """How many messages are in flight now, and how much time consumers recently spent on them."""

    def __init__(self) -> None:
        self.messages = 0
        self._spent = 0.0
        self._since = 0.0

    def change(self, now: float, messages: int) -> None:
        self._spent, self._since = self.recently(now), now
        self.messages += messages

    def recently(self, now: float) -> float:
        """The message-seconds spent so far, of which each weighs less the longer ago it was."""
        left = math.exp((self._since - now) / _RECENT_SECONDS)
        return self._spent * left + self.messages * _RECENT_SECONDS * (1 - left)


class FairQueue:
    """A queue that consumers poll. Receiving hides messages until they are deleted; nothing becomes visible again.

    Noisy neighbors wait while quiet tenants have messages; among noisy ones, who has the fewest in flight is next. A
    tenant that has no backlog is no longer noisy.

    Args:
        tenants: how many there are. With a single one, it is a plain queue.
    """

    def __init__(self, env: simpy.Environment, tenants: int = 1) -> None:
        self._env = env
        self._backlogs: list[deque[Job]] = [deque() for _ in range(tenants)]
        self._in_flight = [_InFlight() for _ in range(tenants)]
        self._all = _InFlight()
        self._noisy = [False] * tenants
        self._polls: deque[tuple[simpy.Event, int]] = deque()
        self._places = 0
        self.depth = 0

    @property
    def in_flight(self) -> int:
        """How many messages were received and not yet deleted."""
        return self._all.messages

    def put(self, job: Job) -> None:
        """Send the job's message. A consumer that waits gets it immediately."""
        job.place = self._places
        self._places += 1
        self._backlogs[job.tenant].append(job)
        self.depth += 1
        while self._polls:
            poll, limit = self._polls.popleft()
            if not poll.triggered:
                poll.succeed(self._take(limit))
                return

    def receive(self, limit: int = RECEIVE_LIMIT, wait_seconds: float | None = None) -> simpy.Event:
        """Poll. The event's value is the list of jobs, which is empty if none came within the time.

        Args:
            wait_seconds: None to wait until a message comes, as a consumer does that polls again and again.
        """
        poll = self._env.event()
        if self.depth:
            return poll.succeed(self._take(limit))
        self._polls.append((poll, limit))
        if wait_seconds is not None:
            self._env.timeout(wait_seconds).callbacks.append(lambda _: _give_up(poll))
        return poll

    def delete(self, jobs: list[Job]) -> None:
        """Delete messages that were received."""
        now = self._env.now
        self._all.change(now, -len(jobs))
        for job in jobs:
            self._in_flight[job.tenant].change(now, -1)

    def _take(self, limit: int) -> list[Job]:
        now = self._env.now
        self._judge(now)
        taken: list[Job] = []
        while self.depth and len(taken) < limit:
            tenant = self._next_tenant()
            taken.append(self._backlogs[tenant].popleft())
            self._in_flight[tenant].change(now, 1)
            self.depth -= 1
        self._all.change(now, len(taken))
        return taken

    def _judge(self, now: float) -> None:
        """Who is a noisy neighbor?"""
        spent = _NOISY_SHARE * self._all.recently(now)
        messages = max(_NOISY_MESSAGES, _NOISY_SHARE * self._all.messages)
        for tenant, in_flight in enumerate(self._in_flight):
            is_noisy = in_flight.messages >= messages or in_flight.recently(now) > spent
            self._noisy[tenant] = bool(self._backlogs[tenant]) and (self._noisy[tenant] or is_noisy)

    def _next_tenant(self) -> int:
        if len(self._backlogs) == 1:
            return 0
        waiting = [tenant for tenant, backlog in enumerate(self._backlogs) if backlog]
        quiet = [tenant for tenant in waiting if not self._noisy[tenant]]
        if quiet:
            return min(quiet, key=lambda tenant: self._backlogs[tenant][0].place)
        return min(waiting, key=lambda tenant: self._in_flight[tenant].messages)


def _give_up(poll: simpy.Event) -> None:
    if not poll.triggered:
        poll.succeed([])
