"""The two functions on the queues: execution environments, and what one invocation does."""

from __future__ import annotations

from abc import ABC, abstractmethod
from itertools import islice
from typing import TYPE_CHECKING, Any

from ai_jobs.aws.clients import MAX_POOL_CONNECTIONS
from ai_jobs.service.retries import PROCESSOR_MARGIN_SECONDS, throttle_delay_seconds, transient_backoff_seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from random import Random

    import simpy

    from ai_jobs.operate.simulation.fair_queue import FairQueue
    from ai_jobs.operate.simulation.job import Job
    from ai_jobs.operate.simulation.quota import ModelQuota
    from ai_jobs.operate.simulation.scenario import FunctionTimes, Scenario

MB_PER_VCPU = 1769
"""https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html"""


class Function(ABC):
    """A Lambda function. An environment starts cold once, and then stays warm for the run.

    Attributes:
        busy, busiest: how many invocations run, and the most that ran at once.
        billed_seconds: including cold starts, for which Lambda bills since August 2025
            (https://aws.amazon.com/blogs/compute/aws-lambda-standardizes-billing-for-init-phase/).
    """

    def __init__(
        self,
        env: simpy.Environment,
        times: FunctionTimes,
        memory_mb: int,
        warm_environments: int,
    ) -> None:
        self._env = env
        self._times = times
        self._vcpus = min(1.0, memory_mb / MB_PER_VCPU)
        self._warm = warm_environments
        self.busy = self.busiest = self.invocations = self.cold_starts = 0
        self.billed_seconds = 0.0

    def invoke(self, jobs: list[Job]) -> Generator[simpy.Event, Any, None]:
        """The steps of one invocation."""
        started = self._env.now
        self.invocations += 1
        self.busy += 1
        self.busiest = max(self.busiest, self.busy)
        yield from self._start()
        handler_started = self._env.now
        yield from self._compute(len(jobs))
        yield self._env.timeout(self._times.calls_seconds)
        yield from self._work(jobs, handler_started)
        self.busy -= 1
        self._warm += 1
        self.billed_seconds += self._env.now - started

    @abstractmethod
    def _work(self, jobs: list[Job], started: float) -> Generator[simpy.Event, Any, None]:
        """What happens after the first calls to AWS, in an invocation whose handler started at that time."""

    def _start(self) -> Generator[simpy.Event, Any, None]:
        if self._warm:
            self._warm -= 1
            return
        self.cold_starts += 1
        yield self._env.timeout(self._times.cold_start_seconds / self._vcpus)

    def _compute(self, jobs: int) -> Generator[simpy.Event, Any, None]:
        """All computing of a batch: one thread at a time, because of Python's lock."""
        seconds = self._times.cpu_seconds_per_batch + jobs * self._times.cpu_seconds_per_job
        yield self._env.timeout(seconds / self._vcpus)


class Processor(Function):
    """Calls the model for all jobs of a batch at once, on at most as many threads as the worker has."""

    def __init__(
        self,
        env: simpy.Environment,
        scenario: Scenario,
        random: Random,
        quota: ModelQuota,
        requests: FairQueue,
        responses: FairQueue,
    ) -> None:
        warm = scenario.processor.initial_pollers if scenario.processor.is_scaled_up else 0
        super().__init__(env, scenario.processor_times, scenario.processor_memory_mb, warm)
        self._scenario = scenario
        self._random = random
        self._quota = quota
        self._requests = requests
        self._responses = responses
        self.model_calls = self.throttles = self.deferrals = self.timeouts = 0

    def _work(self, jobs: list[Job], started: float) -> Generator[simpy.Event, Any, None]:
        for job in jobs:
            if job.claimed_at is None:
                job.claimed_at = self._env.now
        least = self._scenario.model_timeout_seconds + PROCESSOR_MARGIN_SECONDS
        yield self._all_done(jobs, started + self._scenario.processor_timeout_seconds - least)

    def _all_done(self, jobs: list[Job], last_start: float) -> simpy.Event:
        """Start the jobs; the event comes with the end of the last one, for which the whole batch waits."""
        done, left, waiting = self._env.event(), len(jobs), iter(jobs)

        def next_one() -> None:
            nonlocal left
            left -= 1
            self._start_some(waiting, 1, last_start, next_one)
            if not left:
                done.succeed()

        self._start_some(waiting, MAX_POOL_CONNECTIONS, last_start, next_one)
        return done

    def _start_some(self, waiting: Iterator[Job], count: int, last_start: float, then: Callable[[], None]) -> None:
        for job in islice(waiting, count):
            self._start_one(job, last_start, then)

    def _start_one(self, job: Job, last_start: float, then: Callable[[], None]) -> None:
        if self._env.now >= job.submitted_at + self._scenario.deadline_seconds:
            self._after(self._times.report_seconds, lambda: self._fail(job), then)
        elif self._env.now > last_start:
            self.deferrals += 1
            self._after(self._times.report_seconds, lambda: self._postpone(job), then)
        else:
            self._call(job, then)

    def _call(self, job: Job, then: Callable[[], None]) -> None:
        call = self._quota.admit(self._env.now)
        if call is None:
            self.throttles += 1
            self._after(self._scenario.path.rejection_seconds, lambda: self._postpone(job), then)
            return
        self.model_calls += 1
        seconds, timeout = self._scenario.latency.sample(self._random), self._scenario.model_timeout_seconds

        def end() -> None:
            self._quota.settle(call, self._env.now)
            if seconds > timeout:
                self._retry(job)
            else:
                self._responses.put(job)

        self._after(min(seconds, timeout) + self._times.report_seconds, end, then)

    def _fail(self, job: Job) -> None:
        job.has_failed = True
        self._responses.put(job)

    def _postpone(self, job: Job) -> None:
        """Send a delayed copy, as the processor does (ai_jobs.service.retries)."""
        job.copies += 1
        delay = throttle_delay_seconds(job.copies, self._scenario.max_backoff_seconds, self._random.uniform)
        self._after(delay, lambda: self._requests.put(job))

    def _retry(self, job: Job) -> None:
        """Let the message come back, unless that was its last receive."""
        self.timeouts += 1
        job.timeouts += 1
        if job.timeouts >= self._scenario.max_receive_count:
            self._fail(job)
            return
        delay = transient_backoff_seconds(job.timeouts, self._scenario.max_backoff_seconds, self._random.uniform)
        self._after(delay, lambda: self._requests.put(job))

    def _after(self, seconds: float, *actions: Callable[[], None]) -> None:
        def act(_: simpy.Event) -> None:
            for action in actions:
                action()

        self._env.timeout(seconds).callbacks.append(act)


class ResultHandler(Function):
    """Writes the outcomes of a batch to the table, all at once.

    Args:
        stored: is called with each job.
    """

    def __init__(self, env: simpy.Environment, scenario: Scenario, stored: Callable[[Job], None]) -> None:
        trigger = scenario.result_handler
        warm = trigger.initial_pollers if trigger.is_scaled_up else 0
        super().__init__(env, scenario.result_handler_times, scenario.result_handler_memory_mb, warm)
        self._stored = stored

    def _work(self, jobs: list[Job], started: float) -> Generator[simpy.Event, Any, None]:  # noqa: ARG002 - the base's
        for job in jobs:
            self._stored(job)
        yield from ()
