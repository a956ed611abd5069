"""The simulation on the local AWS instead of AWS: two cores for everything, and the emulator's poller.

It exists to be compared with what end_to_end.py measures: that shows whether the parts that both simulations share
(`ai_jobs.operate.simulation`: queues, batches, what waits for what) behave as the real ones do. Two things are not as
on AWS, and are modeled as they are in MiniStack 1.5 (ministack/services/lambda_svc.py):

- All processes compute on the same cores.
- One thread polls for all functions. In turns, it takes one batch from each queue and starts its invocation. Then it
  invokes the event publisher, and waits for it. When nothing was left, it sleeps until something happens; when there
  still was nothing after that, it waits 50 ms more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import simpy

from ai_jobs.operate.simulation.fair_queue import RECEIVE_LIMIT, FairQueue
from ai_jobs.operate.simulation.job import Job

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    Steps = Generator[simpy.Event, Any, None]

_IDLE_WAIT_SECONDS = 1
_IDLE_GAP_SECONDS = 0.05
_STREAM_BATCH = 100
_TURN_SECONDS = 0.001
_ENDING = 0.25
"""Of what an invocation takes after its outcome, the share until its messages are deleted. The rest is background."""


@dataclass(frozen=True)
class Step:
    """The processor time of an invocation, in seconds: of the function, and of the emulator that serves it.

    Attributes:
        batch, job: of each invocation, and for each of its jobs.
        emulator_batch, emulator_job: the same of the emulator, which computes in one thread at a time.
    """

    batch: float
    job: float
    emulator_batch: float
    emulator_job: float


@dataclass(frozen=True)
class LocalTimes:
    """Where the processor time goes.

    Attributes:
        submit: the emulator's, for the request that sends a job's message.
        before_outcome: the share of an invocation's time before the outcome of its jobs is there. The rest comes after
            that: the response, deleting the messages, logs.
        wait: the time that a job waits on its way for anything but a processor, in seconds.
    """

    submit: float
    processor: Step
    result_handler: Step
    publisher: Step
    before_outcome: float
    wait: float = 0.0


class LocalRun:
    """One run: jobs come at equal distances, or all at once.

    Args:
        maximum_concurrency: of both functions on queues.
    """

    def __init__(self, times: LocalTimes, cores: int, maximum_concurrency: int = 10) -> None:
        self._times = times
        self._env = simpy.Environment()
        self._cores = simpy.Resource(self._env, cores)
        self._emulator = simpy.Resource(self._env, 1)
        self._most = maximum_concurrency
        self._requests, self._responses = FairQueue(self._env), FairQueue(self._env)
        self._running = {self._requests: 0, self._responses: 0}
        self._stream = self._filtered = 0
        self._wake = self._env.event()
        self._totals: list[float] = []

    def at_rate(self, jobs_per_second: float, jobs: int) -> list[float]:
        """The seconds that each job took, in order of their ends."""
        for number in range(jobs):
            self._env.process(self._submit(number / jobs_per_second))
        return self._run(jobs)

    def burst(self, jobs: int) -> float:
        """The seconds in which so many jobs that are sent at once are all done."""
        for _ in range(jobs):
            self._env.process(self._submit(0))
        return max(self._run(jobs))

    def _run(self, jobs: int) -> list[float]:
        self._env.process(self._poll())
        while len(self._totals) < jobs:
            self._env.step()
        return self._totals

    def _submit(self, due: float) -> Steps:
        yield self._env.timeout(due)
        yield from self._serve(self._times.submit)
        self._arrive(self._requests, Job(0, due))

    def _arrive(self, queue: FairQueue, job: Job) -> None:
        queue.put(job)
        self._notify()

    def _notify(self) -> None:
        if not self._wake.triggered:
            self._wake.succeed()

    def _compute(self, seconds: float) -> Steps:
        for turn in _turns(seconds):
            with self._cores.request() as core:
                yield core
                yield self._env.timeout(turn)

    def _poll(self) -> Steps:
        was_idle = False
        while True:
            self._wake = self._env.event()
            found = self._start_batches()
            if self._stream:
                yield from self._publish()
            if found:
                was_idle = False
                yield self._env.timeout(0)
                continue
            if was_idle:
                yield self._env.timeout(_IDLE_GAP_SECONDS)
            yield self._wake | self._env.timeout(_IDLE_WAIT_SECONDS)
            was_idle = self._wake.triggered

    def _start_batches(self) -> int:
        """Start what can be started. Returns how much there was, in the table's stream, too."""
        found = self._filtered + self._stream
        self._filtered = 0
        found += self._start_batch(self._requests, self._times.processor, self._has_outcome)
        return found + self._start_batch(self._responses, self._times.result_handler, self._is_stored)

    def _start_batch(self, queue: FairQueue, step: Step, end: Callable[[Job], None]) -> int:
        if not queue.depth or self._running[queue] >= self._most:
            return 0
        self._running[queue] += 1
        self._env.process(self._invoke(queue, queue.receive(RECEIVE_LIMIT).value or [], step, end))
        return 1

    def _invoke(self, queue: FairQueue, jobs: list[Job], step: Step, end: Callable[[Job], None]) -> Steps:
        """The threads of a batch take turns, so that its jobs end at about the same time."""
        share = self._times.before_outcome
        yield self._env.timeout(self._times.wait / 2)
        yield from self._work(step.batch * share, step.emulator_batch * share)
        for _ in jobs:
            yield from self._work(step.job * share / 2, step.emulator_job * share / 2)
            self._is_claimed(queue)
        for _ in jobs:
            yield from self._work(step.job * share / 2, step.emulator_job * share / 2)
        for job in jobs:
            end(job)
        rest = [seconds * (1 - share) for seconds in _total(step, len(jobs))]
        yield from self._work(*(seconds * _ENDING for seconds in rest))
        queue.delete(jobs)
        self._running[queue] -= 1
        self._notify()
        yield from self._work(*(seconds * (1 - _ENDING) for seconds in rest))

    def _is_claimed(self, queue: FairQueue) -> None:
        """A claim is in the table's stream, too: the poller finds it, and filters it out."""
        if queue is self._requests:
            self._filtered += 1
            self._notify()

    def _has_outcome(self, job: Job) -> None:
        self._arrive(self._responses, job)

    def _is_stored(self, job: Job) -> None:
        self._totals.append(self._env.now - job.submitted_at)
        self._stream += 1
        self._notify()

    def _publish(self) -> Steps:
        records = min(self._stream, _STREAM_BATCH)
        self._stream -= records
        yield from self._work(*_total(self._times.publisher, records))

    def _work(self, function: float, emulator: float) -> Steps:
        yield from self._compute(function)
        yield from self._serve(emulator)

    def _serve(self, seconds: float) -> Steps:
        for turn in _turns(seconds):
            with self._emulator.request() as thread:
                yield thread
                yield from self._compute(turn)


def _turns(seconds: float) -> Iterator[float]:
    """The time in turns, after each of which others may compute."""
    whole, rest = divmod(seconds, _TURN_SECONDS)
    yield from [_TURN_SECONDS] * int(whole)
    if rest:
        yield rest


def _total(step: Step, jobs: int) -> tuple[float, float]:
    return step.batch + jobs * step.job, step.emulator_batch + jobs * step.emulator_job
