"""Writes the tables of docs/scaling.md that can be computed; --check only compares.

python -m scripts.scaling_docs [--check]
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TYPE_CHECKING

from ai_jobs.operate.doctor.budget import most_jobs_per_second
from ai_jobs.operate.doctor.memory import SMALLEST_SAFE_MEMORY_MB
from ai_jobs.operate.simulation.costs import PRICES
from scripts.generated import between, markdown_table, write_or_check
from scripts.project import ROOT, run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGE = ROOT / "docs/scaling.md"

# The reference job: its tokens, and the percentiles of its model call in seconds.
INPUT_TOKENS, OUTPUT_TOKENS, MAX_TOKENS = 500, 300, 2048
P50_SECONDS, P99_SECONDS = 5, 20
WRITES_PER_JOB = 3

SECONDS_PER_BATCH = (1, 2, 5, 10, 20)
# Of one trigger (https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html).
MOST_INVOCATIONS = 1000

HOURS_PER_MONTH = 730
SECONDS_PER_MONTH = HOURS_PER_MONTH * 3600
# One Fargate task.
TASK_VCPU, TASK_GB, CALLS_PER_TASK, UTILIZATION = 1, 2, 200, 0.5
# Of amazon.nova-lite-v1:0, the module's default, in US dollars per million tokens (modules/ai-jobs, model_prices).
INPUT_PRICE, OUTPUT_PRICE = 0.06, 0.24


def longest_of(calls: int) -> float:
    """How many seconds the longest of so many model calls takes on average (lognormal; an integral of 1 - F^n)."""
    sigma = math.log(P99_SECONDS / P50_SECONDS) / NormalDist().inv_cdf(0.99)
    latency, step = NormalDist(math.log(P50_SECONDS), sigma), 0.01
    return sum(step * (1 - latency.cdf(math.log(index * step)) ** calls) for index in range(1, 20_000))


def rounded(value: float) -> str:
    """Two significant digits: the model's times are not known any better."""
    digits = 1 - math.floor(math.log10(value))
    return f"{round(value, digits):,.0f}" if digits <= 0 else f"{round(value, digits):g}"


def needs() -> str:
    """What each rate needs."""
    header = [
        "jobs per second",
        "model calls at once",
        "tokens per minute",
        "invocations, batch 10",
        "invocations, batch 50",
        "messages in flight, batch 50",
        "writes per second of the table and of each index",
    ]
    return markdown_table(header, (_needs(rate) for rate in (10, 100, 1000, 10_000)))


def _needs(rate: int) -> list[str]:
    tokens = rate * tokens_per_minute_of_one()
    in_flight = rate * longest_of(50)
    calls, batches_of_10, batches_of_50 = rate * longest_of(1), rate / 10 * longest_of(10), in_flight / 50
    estimates = (calls, tokens, batches_of_10, batches_of_50, in_flight)
    at_once, quota, of_10, of_50, messages = map(rounded, estimates)
    return [f"{rate:,}", at_once, quota, of_10, of_50, messages, f"{rate * WRITES_PER_JOB:,}"]


def tokens_per_minute_of_one() -> float:
    """What one job per second takes of the model's quota: those that ended within the minute, and those that run."""
    return 60 * (INPUT_TOKENS + OUTPUT_TOKENS) + longest_of(1) * (MAX_TOKENS - OUTPUT_TOKENS)


def counters() -> str:
    """How many jobs per second a counter of the budget takes."""
    rows = [
        [f"batches of {batch}", *(_most_jobs(batch, seconds) for seconds in SECONDS_PER_BATCH)]
        for batch in (10, 25, 50)
    ]
    return markdown_table(["", *(f"{seconds} s per batch" for seconds in SECONDS_PER_BATCH)], rows)


def _most_jobs(batch: int, seconds: int) -> str:
    """The rate at which the invocations that it keeps running leave room for just as many jobs."""
    jobs = max(
        min(most_jobs_per_second(batch, invocations), batch * invocations / seconds)
        for invocations in range(1, MOST_INVOCATIONS + 1)
    )
    return f"{rounded(jobs)}" if jobs >= 1000 else f"**{rounded(jobs)}**"


def fargate() -> str:
    """Where two tasks cost as much as the processor."""
    header = [
        "processor",
        "US dollars per million jobs",
        "two tasks are cheaper from",
        "100 jobs per second, a month: Lambda",
        "Fargate",
        "the model's tokens",
    ]
    safe = SMALLEST_SAFE_MEMORY_MB
    return markdown_table(header, [_fargate(*row) for row in ((3008, 10), (safe[10], 10), (safe[50], 50))])


def _fargate(memory_mb: int, batch: int) -> list[str]:
    gb_seconds = memory_mb / 1024 * longest_of(batch) / batch
    per_job = gb_seconds * PRICES["lambda_gb_second"] + PRICES["lambda_request"] / batch
    task = HOURS_PER_MONTH * (TASK_VCPU * PRICES["fargate_vcpu_hour"] + TASK_GB * PRICES["fargate_gb_hour"])
    jobs, per_task = 100 * SECONDS_PER_MONTH, CALLS_PER_TASK * UTILIZATION / longest_of(1)
    model = jobs * (INPUT_TOKENS * INPUT_PRICE + OUTPUT_TOKENS * OUTPUT_PRICE) / 1_000_000
    return [
        f"{memory_mb:,} MB, batches of {batch}",
        f"{per_job * 1_000_000:.1f}",
        f"{2 * task / per_job / SECONDS_PER_MONTH:.1f} jobs per second",
        *(f"${rounded(dollars)}" for dollars in (jobs * per_job, math.ceil(100 / per_task) * task, model)),
    ]


TABLES = {"needs": needs, "counters": counters, "fargate": fargate}


def _generated() -> Iterator[tuple[Path, str]]:
    page = PAGE.read_text(encoding="utf-8")
    for name, make in TABLES.items():
        page = between(page, f"<!-- BEGIN {name} (generated: make docs) -->", f"<!-- END {name} -->", make())
    yield PAGE, page


def main() -> None:
    write_or_check("scaling_docs", "The computed tables of docs/scaling.md.", ROOT, _generated())


if __name__ == "__main__":
    run(main)
