"""Runs a scenario: jobs arrive, go through both queues and functions, and are counted when they are stored."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

import simpy

from ai_jobs.operate.simulation.event_source import EventSourceMapping
from ai_jobs.operate.simulation.fair_queue import FairQueue
from ai_jobs.operate.simulation.functions import Processor, ResultHandler
from ai_jobs.operate.simulation.job import Job
from ai_jobs.operate.simulation.outcome import Counts, Outcome, Sample, TenantTimes
from ai_jobs.operate.simulation.quota import ModelQuota
from ai_jobs.operate.simulation.scenario import Period

if TYPE_CHECKING:
    from collections.abc import Generator

    from ai_jobs.operate.simulation.functions import Function
    from ai_jobs.operate.simulation.scenario import Arrivals, Scenario, Trigger

_SAMPLE_SECONDS = 1.0


def simulate(scenario: Scenario) -> Outcome:
    """Run the scenario until all of its jobs have ended.

    If the scenario has a warm-up, its jobs come before the time 0 and are not in the tenants' times. The counts include
    them, because costs per job are those of the whole run.

    It takes about 20 microseconds of computing per job and retry: a minute of 10,000 jobs a second takes half a minute.
    """
    return _Run(scenario).outcome()


class _Run:
    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._env = env = simpy.Environment(initial_time=-scenario.warm_up_seconds)
        self._requests = FairQueue(env, len(scenario.tenants))
        self._responses = FairQueue(env, len(scenario.tenants))
        quota = ModelQuota(scenario.quota)
        random = Random(f"{scenario.seed} model")  # noqa: S311 - a simulation that can be repeated
        self._processor = Processor(env, scenario, random, quota, self._requests, self._responses)
        self._handler = ResultHandler(env, scenario, self._stored)
        self._mappings = (
            self._mapping(self._requests, scenario.processor, self._processor),
            self._mapping(self._responses, scenario.result_handler, self._handler),
        )
        self._times = [TenantTimes(tenant.name) for tenant in scenario.tenants]
        self._jobs = self._open = self._submitting = 0
        self._all_ended = env.event()
        self._samples: list[Sample] = []

    def _mapping(self, queue: FairQueue, trigger: Trigger, function: Function) -> EventSourceMapping:
        first_polls = self._first_polls() if function is self._processor else [0.0] * trigger.initial_pollers
        return EventSourceMapping(self._env, queue, trigger, self._scenario.path, function.invoke, first_polls)

    def _first_polls(self) -> list[float]:
        """In a warm-up, each poller begins at some moment of a model call, as if it had been working before.

        Pollers that begin together stay in step for long: each job then waits for about as long as a batch takes.
        """
        pollers = range(self._scenario.processor.initial_pollers)
        if not self._scenario.warm_up_seconds:
            return [0.0 for _ in pollers]
        random = Random(f"{self._scenario.seed} pollers")  # noqa: S311
        return [random.random() * self._scenario.latency.sample(random) for _ in pollers]

    def outcome(self) -> Outcome:
        """Run to the end, and say what happened."""
        random = Random(f"{self._scenario.seed} arrivals")  # noqa: S311
        self._start(self._submit_over_time(self._scenario.arrivals, random))
        for index, tenant in enumerate(self._scenario.tenants):
            if tenant.burst_jobs:
                self._start(self._submit_at(tenant.burst_at_seconds, [index] * tenant.burst_jobs))
        if self._scenario.arrivals.burst_jobs:
            self._start(self._submit_at(0, self._choose(random, self._scenario.arrivals.burst_jobs)))
        self._env.process(self._watch())
        self._env.run(until=self._all_ended)
        return Outcome(self._scenario, self._env.now, self._times, self._samples, self._counts())

    def _start(self, submitting: Generator[simpy.Event, Any, None]) -> None:
        """Start a source of jobs: the run does not end before it is finished."""
        self._submitting += 1

        def steps() -> Generator[simpy.Event, Any, None]:
            yield from submitting
            self._submitting -= 1
            self._end_if_done()

        self._env.process(steps())

    def _submit_over_time(self, arrivals: Arrivals, random: Random) -> Generator[simpy.Event, Any, None]:
        ends = self._env.now
        warm_up = [Period(-ends, arrivals.initial_rate)] if ends else []
        for period in (*warm_up, *arrivals.periods):
            ends += period.seconds
            while period.jobs_per_second:
                gap = 1 / period.jobs_per_second if arrivals.regular else random.expovariate(period.jobs_per_second)
                if self._env.now + gap > ends:
                    break
                yield self._env.timeout(gap)
                self._submit(self._choose(random, 1)[0])
            yield self._env.timeout(max(0.0, ends - self._env.now))

    def _submit_at(self, seconds: float, tenants: list[int]) -> Generator[simpy.Event, Any, None]:
        yield self._env.timeout(seconds - self._env.now)
        for tenant in tenants:
            self._submit(tenant)

    def _choose(self, random: Random, count: int) -> list[int]:
        tenants = self._scenario.tenants
        if len(tenants) == 1:
            return [0] * count
        return random.choices(range(len(tenants)), [tenant.share for tenant in tenants], k=count)

    def _submit(self, tenant: int) -> None:
        job = Job(tenant, self._env.now)
        self._jobs += 1
        self._open += 1
        sent = self._env.timeout(self._scenario.path.submit_seconds)
        sent.callbacks.append(lambda _: self._requests.put(job))

    def _stored(self, job: Job) -> None:
        if job.submitted_at >= 0:
            self._times[job.tenant].add(job, self._env.now)
        self._open -= 1
        self._end_if_done()

    def _end_if_done(self) -> None:
        if not self._open and not self._submitting and not self._all_ended.triggered:
            self._all_ended.succeed()

    def _watch(self) -> Generator[simpy.Event, Any, None]:
        yield self._env.timeout(self._scenario.warm_up_seconds)
        while True:
            waiting, in_flight = self._requests.depth, self._requests.in_flight
            self._samples.append(Sample(self._env.now, waiting, in_flight, self._processor.busy, self._open))
            yield self._env.timeout(_SAMPLE_SECONDS)

    def _counts(self) -> Counts:
        requests, responses = self._mappings
        return Counts(
            jobs=self._jobs,
            model_calls=self._processor.model_calls,
            throttles=self._processor.throttles,
            deferrals=self._processor.deferrals,
            timeouts=self._processor.timeouts,
            busiest_processors=self._processor.busiest,
            busiest_result_handlers=self._handler.busiest,
            processor_invocations=self._processor.invocations,
            result_handler_invocations=self._handler.invocations,
            cold_starts=self._processor.cold_starts + self._handler.cold_starts,
            processor_seconds=self._processor.billed_seconds,
            result_handler_seconds=self._handler.billed_seconds,
            request_receives=requests.receives,
            response_receives=responses.receives,
        )
