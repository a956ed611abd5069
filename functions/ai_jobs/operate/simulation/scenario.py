"""What is simulated: the traffic, the model, the settings of the module, and the times that AWS's own steps take."""

from __future__ import annotations

from dataclasses import dataclass, field

from ai_jobs.contract.limits import LIMITS
from ai_jobs.operate.simulation.distributions import Distribution, Fixed


@dataclass(frozen=True)
class Tenant:
    """Jobs with one `MessageGroupId`, which is the user's id.

    Attributes:
        share: of the arrivals, relative to the shares of the others.
        burst_jobs: how many more jobs it submits at once, `burst_at_seconds` after the start.
    """

    name: str
    share: float = 1.0
    burst_jobs: int = 0
    burst_at_seconds: float = 0.0


@dataclass(frozen=True)
class Period:
    """A time during which jobs arrive at one rate."""

    seconds: float
    jobs_per_second: float


@dataclass(frozen=True)
class Arrivals:
    """When jobs are submitted.

    Attributes:
        periods: one after the other.
        burst_jobs: submitted at the start, all at once.
        regular: at equal distances, as a load generator sends them, and not at random (a Poisson process).
    """

    periods: tuple[Period, ...] = ()
    burst_jobs: int = 0
    regular: bool = False

    @property
    def seconds(self) -> float:
        """How long jobs arrive."""
        return sum(period.seconds for period in self.periods)

    @property
    def initial_rate(self) -> float:
        """How many jobs per second arrive in the beginning."""
        return self.periods[0].jobs_per_second if self.periods else 0.0


@dataclass(frozen=True)
class Quota:
    """What the model accepts in any 60 seconds; None for no limit.

    Bedrock counts the input and `max_tokens` when a call starts, and corrects that to what was used when it ends
    (https://docs.aws.amazon.com/bedrock/latest/userguide/quotas-token-burndown.html). Since May 2026 it limits only
    tokens (https://docs.aws.amazon.com/bedrock/latest/userguide/quotas-runtime.html); other providers limit requests
    too.
    """

    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    input_tokens: int = 500
    output_tokens: int = 300
    max_tokens: int = 2048

    @property
    def reserved_tokens(self) -> int:
        """What a call takes from the quota when it starts."""
        return self.input_tokens + self.max_tokens

    @property
    def used_tokens(self) -> int:
        """What remains counted when it has ended."""
        return self.input_tokens + self.output_tokens


INITIAL_POLLERS = 5
POLLERS_PER_MINUTE = 300
"""Lambda starts with five concurrent batches. While messages are left, it adds up to 300 a minute
(https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html)."""


@dataclass(frozen=True)
class Trigger:
    """An event source mapping between a queue and a function: the settings of `processor` and `result_handler`.

    Attributes:
        is_scaled_up: traffic before the start has already brought it to its maximum, and warmed the function. The
            scenario's `warm_up_seconds` are that traffic.
    """

    batch_size: int = 10
    batching_window_seconds: float = 0
    maximum_concurrency: int = 10
    is_scaled_up: bool = False

    @property
    def initial_pollers(self) -> int:
        """How many batches it works on at once in the beginning."""
        return self.maximum_concurrency if self.is_scaled_up else min(INITIAL_POLLERS, self.maximum_concurrency)


@dataclass(frozen=True)
class FunctionTimes:
    """How long the steps of one invocation take, in seconds, beside the model.

    Attributes:
        cold_start_seconds: of a new execution environment, until its handler runs: computing, on one vCPU.
        cpu_seconds_per_batch, cpu_seconds_per_job: computing, on one vCPU. An environment has one per 1,769 MB of
            memory (https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html), and Python uses one.
        calls_seconds: waiting for SQS and DynamoDB before the model calls, or, in the result handler, for the writes.
        report_seconds: waiting for SQS after a model call.
    """

    cold_start_seconds: float
    cpu_seconds_per_batch: float
    cpu_seconds_per_job: float
    calls_seconds: float
    report_seconds: float = 0.0


# Computing and cold starts as `make bench` measures them with canned AWS responses (docs/performance.md). The calls are
# the single-digit milliseconds that SQS and DynamoDB take within a region, one after the other.
PROCESSOR_TIMES = FunctionTimes(0.64, 0.001, 0.0029, calls_seconds=0.015, report_seconds=0.010)
RESULT_HANDLER_TIMES = FunctionTimes(0.5, 0.001, 0.0015, calls_seconds=0.010)


@dataclass(frozen=True)
class Path:
    """The times of the steps between the functions, in seconds.

    Attributes:
        submit_seconds: from the request until SQS has the message.
        dispatch_seconds: from a message that can be received to the start of the handler, in a warm environment.
        delete_seconds: from the end of an invocation until its poller receives again.
        rejection_seconds: how long a model takes to reject a call.
    """

    submit_seconds: float = 0.015
    dispatch_seconds: float = 0.015
    delete_seconds: float = 0.010
    rejection_seconds: float = 0.05


@dataclass(frozen=True)
class Scenario:
    """Everything that a run depends on: equal scenarios have equal outcomes.

    Attributes:
        model_timeout_seconds: of the job type. A call that takes longer is cut off and tried again, and none starts in
            an invocation that has less time left.
        processor_timeout_seconds: when Lambda ends an invocation.
        max_receive_count: how often a job is tried whose calls are cut off.
    """

    arrivals: Arrivals
    latency: Distribution = field(default_factory=lambda: Fixed(2.0))
    quota: Quota = field(default_factory=Quota)
    tenants: tuple[Tenant, ...] = (Tenant("all"),)
    processor: Trigger = field(default_factory=lambda: Trigger(batching_window_seconds=5))
    result_handler: Trigger = field(default_factory=Trigger)
    processor_memory_mb: int = 3008
    result_handler_memory_mb: int = 512
    processor_times: FunctionTimes = PROCESSOR_TIMES
    result_handler_times: FunctionTimes = RESULT_HANDLER_TIMES
    path: Path = field(default_factory=Path)
    model_timeout_seconds: float = 120
    processor_timeout_seconds: float = 900
    max_receive_count: int = 3
    max_backoff_seconds: int = LIMITS["max_backoff_seconds"].max
    deadline_seconds: float = 21_600
    seed: int = 1

    @property
    def warm_up_seconds(self) -> float:
        """How long jobs arrive at the first rate before the run begins, if the processor is scaled up.

        All but 1% of the calls that run in a steady state have started within that time.
        """
        if not self.processor.is_scaled_up or not self.arrivals.initial_rate:
            return 0.0
        longest = min(self.latency.p99_seconds, self.model_timeout_seconds)
        return longest + self.processor.batching_window_seconds
