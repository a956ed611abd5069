"""What the benchmark must reach; for a target that is missed, why, and what would fix it."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench.markdown import number, table

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Target:
    """A bound on one of a section's `figures`."""

    what: str
    section: str
    figure: str
    limit: float
    unit: str
    at_least: bool = False
    cause: str = ""
    """Why it is missed: shown only then."""
    fix: str = ""
    """What would reach it: shown only when it is missed."""

    def reached(self, results: dict[str, Any]) -> float | None:
        """The figure; None if its section was not measured.

        Args:
            results: by section, what its `measure` returned.
        """
        figure = results.get(self.section, {}).get("figures", {}).get(self.figure)
        return None if figure is None else float(figure)

    def failure(self, results: dict[str, Any]) -> str:
        """Why there is no figure, although its section was measured: the target is missed. Otherwise empty."""
        return str(results.get(self.section, {}).get("failures", {}).get(self.figure, ""))

    def is_met(self, figure: float) -> bool:
        return figure >= self.limit if self.at_least else figure <= self.limit

    @property
    def bound(self) -> str:
        """The limit as the page shows it."""
        return f"{'≥' if self.at_least else '≤'} {number(self.limit)} {self.unit}"


_SHARED_CPU = """\
Everything shares these two processors: when the local AWS, the workers, and the load client need more than there is,
jobs queue. "End to end" has the processor time of each per job."""
_FEWER_CALLS = "Fewer calls and less processor time per job would help. On AWS, the services' part runs elsewhere."


def _latency(rank: str, rate: int, limit: float) -> Target:
    what = f"{rank} end to end at {rate} jobs per second"
    return Target(what, "end_to_end", f"{rank}_{rate}", limit, "ms", cause=_SHARED_CPU, fix=_FEWER_CALLS)


TARGETS: tuple[Target, ...] = (
    Target(
        "processor time per job, all functions, on one processor",
        "processing",
        "cpu_ms_per_job",
        3,
        "ms",
        cause="""\
Half of it is botocore's: in a loop, by one thread, a call takes 0.35 to 0.45 ms (with botocore's own signer 0.5), and
a job makes four. The rest is our own checks, logs, and metrics, and threads that take turns.""",
        fix="""\
Nothing that keeps botocore. Log lines can't carry a job's metrics: `service` is the function in the one, and the
dimension that all functions share in the other.""",
    ),
    Target("a batch of 10 jobs with a model of 1 s", "processing", "batch_of_10_at_1_s", 1.1, "s"),
    Target(
        "calls from receipt to stored result",
        "processing",
        "calls_to_stored_result",
        3.5,
        "per job",
        cause="""\
A claim, a model call, a result, and a write of it are four calls. Only results that come within a few milliseconds of
each other share a call to SQS, and those of a model whose calls take different times hardly ever do.""",
        fix="""\
Holding results back until there are several would reach it, at the price of latency, and of results that a dying worker
takes with it. We don't: a result never waits for others.""",
    ),
    *(_latency(rank, rate, limit) for rate in (20, 40, 100) for rank, limit in (("p50", 60), ("p99", 200))),
    Target(
        "a burst of 1,000 jobs",
        "end_to_end",
        "burst_to_celery",
        1.5,
        "x Celery's",
        at_least=True,
        cause="""\
A job of ours makes the local AWS work several times as much as a task of Celery's does: a claim, a result through a
second queue and a second function, and an event, where Celery writes one row without an index or a stream. And our
workers take more processor time, too. "A burst of 1,000 jobs" has both, and the limit that follows from them.""",
        fix=_FEWER_CALLS,
    ),
    Target(
        "one caller's PUT",
        "submit",
        "put_to_get",
        1.2,
        "x its GET by id",
        cause="""\
Both are a signed request, the gateway, and a function. But GET then reads one row, while PUT checks the job, writes a
row with its indexes, and sends a message: two calls in turn instead of one.""",
        fix="A PUT that only sent a message would be faster, but GET would not find its job at once. POST is that.",
    ),
    Target("cold start of the processor", "cold_start", "share_of_the_usual_way", 0.3, "x the usual way"),
    Target("peak memory with responses of 200 KB", "cost", "memory_share", 0.5, "x the smallest safe memory"),
    Target(
        "the largest zip",
        "packaging",
        "largest_zip_mb",
        4,
        "MB",
        cause="Most of it is botocore with the models of the services that the function calls, and their byte code.",
        fix="Models that have only the operations that are used.",
    ),
    Target(
        "all sections together",
        "run",
        "minutes",
        10,
        "minutes",
        cause="Each section says at its end how long it took.",
        fix="Fewer rounds of the sections whose figures vary least.",
    ),
    Target(
        "the largest error of the simulation",
        "scale",
        "largest_error_percent",
        15,
        "%",
        cause="""\
The local AWS's poller pauses for 50 ms when something wakes it and there is nothing to do. At 40 jobs per second, a few
milliseconds decide whether most jobs wait for such a pause or none does, so that half-full processors or a busy one
among them change the p50 by a multiple, measured and simulated. At 100, the one thread of the local AWS is three
quarters busy: in the simulation, a fifth less of its time takes a quarter off the p50. "Is the simulation right?" below
has the range of the runs, and how idle the machine was.""",
        fix="A machine with more processors than the load needs, and nothing else on it.",
    ),
)


def targets_table(results: dict[str, Any]) -> str:
    """The targets with what was reached, and an explanation of each missed one, in Markdown."""
    rows = [(target.what, target.bound, *_outcome(target, results)) for target in TARGETS]
    return "\n".join([table(("target", "bound", "reached", ""), rows), *_explanations(results)])


def missed(results: dict[str, Any]) -> list[Target]:
    """The targets whose section was measured and whose figure is out of bounds, or can't exist."""
    return [target for target in TARGETS if _is_missed(target, results)]


def _is_missed(target: Target, results: dict[str, Any]) -> bool:
    figure = target.reached(results)
    return bool(target.failure(results)) or (figure is not None and not target.is_met(figure))


def _outcome(target: Target, results: dict[str, Any]) -> tuple[str, str]:
    figure = target.reached(results)
    if _is_missed(target, results):
        return target.failure(results) or _with_unit(figure, target), "**missed**"
    return ("-", "not measured") if figure is None else (_with_unit(figure, target), "met")


def _with_unit(figure: float | None, target: Target) -> str:
    return f"{number(figure or 0)} {target.unit}"


def _explanations(results: dict[str, Any]) -> Iterator[str]:
    """One paragraph for all targets that are missed for the same reason."""
    causes: dict[str, list[str]] = {}
    for target in missed(results):
        why = f"{target.cause or 'The cause is not known yet.'} {target.fix}".strip()
        causes.setdefault(why.replace("\n", " "), []).append(target.what)
    for why, whats in causes.items():
        yield "\n" + textwrap.fill(f"**Missed: {'; '.join(whats)}.** {why}", 120, break_on_hyphens=False)
