"""Lambda's event source mapping for a queue: pollers that gather batches and invoke a function."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ai_jobs.operate.simulation.fair_queue import LONG_POLL_SECONDS, RECEIVE_LIMIT
from ai_jobs.operate.simulation.scenario import POLLERS_PER_MINUTE

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    import simpy

    from ai_jobs.operate.simulation.fair_queue import FairQueue
    from ai_jobs.operate.simulation.job import Job
    from ai_jobs.operate.simulation.scenario import Path, Trigger


class EventSourceMapping:
    """Polls the queue and invokes the function with each batch. A poller works on one batch at a time.

    Args:
        invoke: the steps of one invocation, which end when the function returns.
        first_polls: after how many seconds each of the first pollers begins to poll.
    """

    def __init__(
        self,
        env: simpy.Environment,
        queue: FairQueue,
        trigger: Trigger,
        path: Path,
        invoke: Callable[[list[Job]], Generator[simpy.Event, Any, None]],
        first_polls: Iterable[float],
    ) -> None:
        self._env = env
        self._queue = queue
        self._trigger = trigger
        self._path = path
        self._invoke = invoke
        self._pollers = 0
        self._busy = 0
        self.receives = 0
        for seconds in first_polls:
            self._add_poller(seconds)
        env.process(self._scale_up())

    def _add_poller(self, first_poll_seconds: float) -> None:
        self._pollers += 1
        self._env.process(self._poll(first_poll_seconds))

    def _scale_up(self) -> Generator[simpy.Event, Any, None]:
        """Add pollers while there is more than they can do. They stay for the rest of the run."""
        while self._pollers < self._trigger.maximum_concurrency:
            yield self._env.timeout(60 / POLLERS_PER_MINUTE)
            if self._queue.depth and self._busy == self._pollers:
                self._add_poller(0)

    def _poll(self, first_poll_seconds: float) -> Generator[simpy.Event, Any, None]:
        yield self._env.timeout(first_poll_seconds)
        while True:
            batch: list[Job] = []
            yield from self._gather(batch)
            self._busy += 1
            yield self._env.timeout(self._path.dispatch_seconds)
            yield from self._invoke(batch)
            if self._path.delete_seconds:
                yield self._env.timeout(self._path.delete_seconds)
            self._queue.delete(batch)
            self._busy -= 1

    def _gather(self, batch: list[Job]) -> Generator[simpy.Event, Any, None]:
        """Receive until the batch is full or its window is over.

        A poll that waits for another message notices the end of the window only when it returns: on a quiet queue after
        20 seconds, which is how long a lone job waits, whatever the window
        (https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html says "up to 20 seconds").
        """
        size, wait_seconds = self._trigger.batch_size, None
        window_ends = self._env.now
        while not batch or (len(batch) < size and self._env.now < window_ends):
            self.receives += 1
            received = yield self._queue.receive(min(RECEIVE_LIMIT, size - len(batch)), wait_seconds)
            if not batch:
                window_ends = self._env.now + self._trigger.batching_window_seconds
                wait_seconds = LONG_POLL_SECONDS
            batch.extend(received)
