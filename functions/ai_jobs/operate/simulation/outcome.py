"""What happened in a run: waits and total times by tenant, what was used, and what it cost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ai_jobs.operate.simulation.costs import Usage, costs_per_million

if TYPE_CHECKING:
    from ai_jobs.operate.simulation.job import Job
    from ai_jobs.operate.simulation.scenario import Scenario

_MOST_SAMPLES = 60


def percentile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of the values does not exceed (nearest rank); 0 without values."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else 0.0


@dataclass(frozen=True)
class Sample:
    """One look at the system: messages that wait and that are in flight, invocations, and jobs that have not ended."""

    at_seconds: float
    waiting: int
    in_flight: int
    concurrency: int
    open_jobs: int


@dataclass
class TenantTimes:
    """How long a tenant's jobs waited for their first claim, and how long they took in total, in seconds.

    Attributes:
        submissions: when each of these jobs was submitted, in the order of `waits` and `totals`.
    """

    name: str
    submissions: list[float] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    totals: list[float] = field(default_factory=list)
    failed: int = 0

    def add(self, job: Job, now: float) -> None:
        """Count a job that is stored."""
        self.failed += job.has_failed
        self.submissions.append(job.submitted_at)
        self.waits.append((now if job.claimed_at is None else job.claimed_at) - job.submitted_at)
        self.totals.append(now - job.submitted_at)

    def to_document(self) -> dict[str, Any]:
        """The figures as JSON."""
        waits, totals = sorted(self.waits), sorted(self.totals)
        times = {
            "waitP50Seconds": percentile(waits, 0.5),
            "waitP99Seconds": percentile(waits, 0.99),
            "totalP50Seconds": percentile(totals, 0.5),
            "totalP99Seconds": percentile(totals, 0.99),
        }
        counts = {"jobs": len(totals), "failed": self.failed}
        return {"tenant": self.name} | counts | {name: round(seconds, 4) for name, seconds in times.items()}


@dataclass(frozen=True)
class Counts:
    """What the system did during the whole run, with its warm-up.

    Attributes:
        throttles: calls that the model rejected.
        deferrals: how often a job waited for another invocation, because too little time was left.
        timeouts: calls that took longer than the job type allows.
        processor_seconds, result_handler_seconds: billed ones.
    """

    jobs: int
    model_calls: int
    throttles: int
    deferrals: int
    timeouts: int
    busiest_processors: int
    busiest_result_handlers: int
    processor_invocations: int
    result_handler_invocations: int
    cold_starts: int
    processor_seconds: float
    result_handler_seconds: float
    request_receives: int
    response_receives: int

    @property
    def comebacks(self) -> int:
        """How often a job went back to the queue: as a delayed copy, or after a timeout."""
        return self.throttles + self.deferrals + self.timeouts


@dataclass(frozen=True)
class Outcome:
    """The outcome of a run that took `seconds` of simulated time after its warm-up.

    Attributes:
        samples: one for each second.
    """

    scenario: Scenario
    seconds: float
    tenants: Sequence[TenantTimes]
    samples: Sequence[Sample]
    counts: Counts

    @property
    def everyone(self) -> TenantTimes:
        """The times of all tenants together."""
        everyone = TenantTimes("all")
        for tenant in self.tenants:
            everyone.submissions += tenant.submissions
            everyone.waits += tenant.waits
            everyone.totals += tenant.totals
            everyone.failed += tenant.failed
        return everyone

    @property
    def mean_concurrency(self) -> float:
        """How many invocations of the processor ran on average."""
        seconds = self.scenario.warm_up_seconds + self.seconds
        return self.counts.processor_seconds / seconds if seconds else 0.0

    @property
    def costs(self) -> dict[str, float]:
        """US dollars per million jobs, by what they pay for."""
        counts, scenario = self.counts, self.scenario
        usage = Usage(
            jobs=counts.jobs,
            # After a timeout, a job costs a release and another claim as well.
            delayed_copies=counts.comebacks,
            processor_invocations=counts.processor_invocations,
            processor_gb_seconds=counts.processor_seconds * scenario.processor_memory_mb / 1024,
            result_handler_invocations=counts.result_handler_invocations,
            result_handler_gb_seconds=counts.result_handler_seconds * scenario.result_handler_memory_mb / 1024,
            request_receives=counts.request_receives,
            response_receives=counts.response_receives,
            output_tokens=scenario.quota.output_tokens,
        )
        return costs_per_million(usage)

    def to_document(self) -> dict[str, Any]:
        """Everything as JSON, with at most 60 of the samples."""
        everyone = self.everyone.to_document()
        counts, costs = self.counts, {name: round(usd, 4) for name, usd in self.costs.items()}
        return {
            "jobs": everyone["jobs"],
            "simulatedSeconds": round(self.seconds, 3),
            "jobsPerSecond": round(everyone["jobs"] / self.seconds, 3) if self.seconds else 0,
            "tenants": [tenant.to_document() for tenant in self.tenants] + [everyone] * (len(self.tenants) > 1),
            "warmUp": {"seconds": self.scenario.warm_up_seconds, "jobs": counts.jobs - everyone["jobs"]},
            "modelCalls": counts.model_calls,
            "throttles": counts.throttles,
            "deferrals": counts.deferrals,
            "timeouts": counts.timeouts,
            "coldStarts": counts.cold_starts,
            "messagesPerBatch": round((counts.jobs + counts.comebacks) / max(1, counts.processor_invocations), 2),
            "concurrency": {
                "processorMean": round(self.mean_concurrency, 2),
                "processorMax": counts.busiest_processors,
                "resultHandlerMax": counts.busiest_result_handlers,
            },
            "waitingMax": max((sample.waiting for sample in self.samples), default=0),
            "samples": [_to_document(sample) for sample in self._thinned()],
            "usdPerMillionJobs": costs | {"total": round(sum(self.costs.values()), 4)},
        }

    def _thinned(self) -> Sequence[Sample]:
        return self.samples[:: math.ceil(len(self.samples) / _MOST_SAMPLES) or 1]


def _to_document(sample: Sample) -> dict[str, Any]:
    return {
        "atSeconds": round(sample.at_seconds, 3),
        "waiting": sample.waiting,
        "inFlight": sample.in_flight,
        "concurrency": sample.concurrency,
        "openJobs": sample.open_jobs,
    }
