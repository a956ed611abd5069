"""The simulation on the local AWS instead of AWS: two cores for everything, and the emulator's poller.

It exists to be compared with what end_to_end.py measures: that shows whether the parts that both simulations share
(`ai_jobs.operate.simulation`: queues, batches, what waits for what) behave as the real ones do. What is not as on AWS
is modeled as it is in MiniStack 1.5 (ministack/services/lambda_svc.py and ministack/core/lambda_runtime.py):

- All processes compute on the same cores. The emulator is one Python process: of its own code, one thread computes at a
  time; of the kernel's code that serves it, all do.
- One thread polls for all functions. In turns, it takes one batch from each queue and starts its invocation. Then it
  invokes the event publisher, and waits for it (`_poll_loop`). Whatever happens meanwhile needs no other turn to be
  noticed. When nothing was left, it sleeps until a message or a row is written or an invocation ends; when there still
  was nothing after that, it pauses for 50 ms. Usually the last invocation of a job to end is the publisher's, so that
  no pause follows; but a few milliseconds decide that.
- An invocation ends when the function has logged nothing for 5 ms (`_drain_stderr_bounded`). Only then are its messages
  deleted, and the poller hears of it.
"""

from __future__ import annotations

import random
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
_LOG_SECONDS = 0.0055
"""5 ms without a line. It looks every 1 ms, a sleep that takes about 1.1 ms, so that the fifth look is the one."""
_STREAM_BATCH = 100
_BURST_CALLERS = 4
PASS_SECONDS = 0.00015
"""Of the emulator, for one turn of its poller; measured with `time.thread_time` around the parts of `_poll_loop`."""
_TURN_SECONDS = 0.001


@dataclass(frozen=True)
class Step:
    """The processor time of an invocation, in seconds: of the function, and of the emulator that serves it.

    Attributes:
        batch, job: of each invocation, and for each of its jobs.
        emulator_batch, emulator_job: the same of the emulator.
    """

    batch: float
    job: float
    emulator_batch: float
    emulator_job: float


@dataclass(frozen=True)
class LocalTimes:
    """Where the processor time goes.

    Attributes:
        client: the load client's, for each job.
        submit: the emulator's, for the request that sends a job's message.
        before_outcome: the share of an invocation's time before the outcome of its jobs is there. The rest comes after
            that: the response, logs.
        wait: the time that a job waits on its way for anything but a processor, in seconds.
        variation: the standard deviation of an invocation's times, as a share of them.
        kernel: the share of the emulator's time in the kernel, which is 6% to 10% under load.
    """

    submit: float
    processor: Step
    result_handler: Step
    publisher: Step
    before_outcome: float
    wait: float = 0.0
    client: float = 0.0
    variation: float = 0.0
    kernel: float = 0.0


class LocalRun:
    """One run: jobs come at equal distances, or all at once.

    Args:
        maximum_concurrency: of both functions on queues.
        seed: of the times' variation.
    """

    def __init__(self, times: LocalTimes, cores: int, maximum_concurrency: int = 10, seed: int = 0) -> None:
        self._times = times
        self._env = simpy.Environment()
        self._cores = simpy.Resource(self._env, cores)
        self._emulator = simpy.Resource(self._env, 1)
        self._most = maximum_concurrency
        self._random = random.Random(seed)
        self._requests, self._responses = FairQueue(self._env), FairQueue(self._env)
        self._running = {self._requests: 0, self._responses: 0}
        self._stream = self._filtered = 0
        self._wake = self._env.event()
        self._totals: list[float] = []

    def at_rate(self, jobs_per_second: float, jobs: int) -> list[float]:
        """The seconds that each job took, in order of their ends."""
        for number in range(jobs):
            self._env.process(self._submit_at(number / jobs_per_second))
        return self._run(jobs)

    def burst(self, jobs: int) -> float:
        """The seconds until so many jobs are all done that a few callers send as fast as they can, ten at a time."""
        batches = iter(range(0, jobs, RECEIVE_LIMIT))
        for _ in range(_BURST_CALLERS):
            self._env.process(self._submit_in_turn(batches, jobs))
        return max(self._run(jobs))

    def _run(self, jobs: int) -> list[float]:
        self._env.process(self._poll())
        while len(self._totals) < jobs:
            self._env.step()
        return self._totals

    def _submit_at(self, due: float) -> Steps:
        yield self._env.timeout(due)
        yield from self._submit(1, due)

    def _submit_in_turn(self, batches: Iterator[int], jobs: int) -> Steps:
        for sent in batches:
            yield from self._submit(min(RECEIVE_LIMIT, jobs - sent), 0)

    def _submit(self, jobs: int, due: float) -> Steps:
        yield from self._compute(self._times.client * jobs)
        yield from self._serve(self._times.submit * jobs)
        for _ in range(jobs):
            self._arrive(self._requests, Job(0, due))

    def _arrive(self, queue: FairQueue, job: Job) -> None:
        queue.put(job)
        self._notify()

    def _notify(self) -> None:
        if not self._wake.triggered:
            self._wake.succeed()

    def _poll(self) -> Steps:
        was_idle = False
        while True:
            self._wake = self._env.event()
            yield from self._serve(PASS_SECONDS)
            found = self._start_batches()
            if self._stream:
                yield from self._publish()
            if found:
                was_idle = False
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
        before = self._times.before_outcome * self._varied()
        yield self._env.timeout(self._times.wait / 2)
        yield from self._work(step.batch * before, step.emulator_batch * before)
        for _ in jobs:
            yield from self._work(step.job * before / 2, step.emulator_job * before / 2)
            self._is_claimed(queue)
        for _ in jobs:
            yield from self._work(step.job * before / 2, step.emulator_job * before / 2)
        for job in jobs:
            end(job)
        after = (1 - self._times.before_outcome) * self._varied()
        yield from self._work(*_total(step, len(jobs), after))
        yield self._env.timeout(_LOG_SECONDS)
        queue.delete(jobs)
        self._running[queue] -= 1
        self._notify()

    def _varied(self) -> float:
        """A factor of 1 on average."""
        variance = self._times.variation**2
        return self._random.gammavariate(1 / variance, variance) if variance else 1.0

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
        yield from self._work(*_total(self._times.publisher, records, self._varied()))
        yield self._env.timeout(_LOG_SECONDS)

    def _work(self, function: float, emulator: float) -> Steps:
        yield from self._compute(function)
        yield from self._serve(emulator)

    def _serve(self, seconds: float) -> Steps:
        for turn in _turns(seconds):
            with self._emulator.request() as thread:
                yield thread
                yield from self._compute(turn * (1 - self._times.kernel))
            yield from self._compute(turn * self._times.kernel)

    def _compute(self, seconds: float) -> Steps:
        for turn in _turns(seconds):
            with self._cores.request() as core:
                yield core
                yield self._env.timeout(turn)


def _turns(seconds: float) -> Iterator[float]:
    """The time in turns, after each of which others may compute."""
    whole, rest = divmod(seconds, _TURN_SECONDS)
    yield from [_TURN_SECONDS] * int(whole)
    if rest:
        yield rest


def _total(step: Step, jobs: int, factor: float) -> tuple[float, float]:
    return (step.batch + jobs * step.job) * factor, (step.emulator_batch + jobs * step.emulator_job) * factor
