"""Section 8: 10, 100, 1,000, and 10,000 jobs per second, which no test machine has, from `ai-jobs simulate`."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ai_jobs.operate.doctor.memory import SMALLEST_SAFE_MEMORY_MB
from ai_jobs.operate.simulation.distributions import Lognormal
from ai_jobs.operate.simulation.fair_queue import LONG_POLL_SECONDS
from ai_jobs.operate.simulation.outcome import percentile
from ai_jobs.operate.simulation.run import simulate
from ai_jobs.operate.simulation.scenario import Arrivals, Period, Scenario, Trigger
from bench import results as results_file
from bench import scale_check
from bench.cost import DEFAULT_MEMORY_MB
from bench.markdown import number
from bench.markdown import table as markdown_table
from bench.sections import Scale

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from ai_jobs.operate.simulation.outcome import Outcome

BEGIN = "<!-- BEGIN scale (generated: make bench) -->"
END = "<!-- END scale -->"
TITLE = "At scale"
PICTURE = (
    "Left: the wait of half of the jobs, and of all but 1%, at 10 to 10,000 jobs per second with the settings of the "
    "table. Right: messages that wait after traffic starts at once, until Lambda has enough pollers."
)

LATENCY = Lognormal(5, 20)
"""Of the model: half of the calls take up to 5 s, and 1% take over 20 s."""

_RAMPS, _RAMP_SECONDS = (100, 1000), 120


@dataclass(frozen=True)
class Case:
    """A rate, and settings of the module that are enough for it.

    Attributes:
        cells: how many copies of the module share the traffic. One of them is simulated: they do not affect each other.
        seconds: how long jobs arrive.
    """

    jobs_per_second: int
    processor: Trigger
    memory_mb: int
    result_concurrency: int
    cells: int
    seconds: int

    def scenario(self, *, is_scaled_up: bool, seconds: float) -> Scenario:
        """The traffic of one cell."""
        processor = Trigger(
            self.processor.batch_size,
            self.processor.batching_window_seconds,
            self.processor.maximum_concurrency,
            is_scaled_up=is_scaled_up,
        )
        return Scenario(
            Arrivals((Period(seconds, self.jobs_per_second / self.cells),)),
            LATENCY,
            processor=processor,
            result_handler=Trigger(maximum_concurrency=self.result_concurrency, is_scaled_up=is_scaled_up),
            processor_memory_mb=self.memory_mb,
        )


# The memory is the smallest that the section on costs calls safe.
CASES = (
    Case(10, Trigger(10, 0, 30), SMALLEST_SAFE_MEMORY_MB[10], 10, 1, 300),
    Case(100, Trigger(10, 0, 200), SMALLEST_SAFE_MEMORY_MB[10], 10, 1, 120),
    Case(1000, Trigger(50, 1, 600), SMALLEST_SAFE_MEMORY_MB[50], 50, 1, 60),
    Case(10_000, Trigger(50, 1, 1000), SMALLEST_SAFE_MEMORY_MB[50], 100, 5, 45),
)
_DEFAULT = Case(10, Trigger(10, 5, 10), DEFAULT_MEMORY_MB, 10, 1, 600)
_WHOLE_RATE_SECONDS = 10
_SHORTEST_DRAIN_SECONDS = 10
_SAMPLES_APART = 3


def measure(scale: Scale) -> dict[str, Any]:
    shorter = 1 if scale is Scale.FULL else 20
    cases = CASES if scale is Scale.FULL else CASES[:2]
    whole, took = _whole_rate(cases[-1], _WHOLE_RATE_SECONDS / shorter)
    checked = _checked()
    return {
        "latency": vars(LATENCY),
        "cases": [_steady(case, case.seconds / shorter) for case in cases],
        "default": _steady(_DEFAULT, _DEFAULT.seconds / shorter),
        "ramps": [_ramp(case, _RAMP_SECONDS / shorter) for case in cases if case.jobs_per_second in _RAMPS],
        "whole_rate": whole,
        "check": checked,
        "figures": {"seconds_per_minute_of_10000_jobs": took}
        | ({"largest_error_percent": checked["largest_error_percent"]} if checked else {}),
    }


def _checked() -> dict[str, Any] | None:
    """Predictions for the section end_to_end of the latest results, which runs before this one; None without it."""
    found = results_file.read()["sections"].get("end_to_end", {})
    return scale_check.check(found, found["cpus"]) if "light" in found else None


def _steady(case: Case, seconds: float) -> dict[str, Any]:
    outcome = simulate(case.scenario(is_scaled_up=True, seconds=seconds))
    return _settings(case) | _figures(outcome, seconds)


def _ramp(case: Case, seconds: float) -> dict[str, Any]:
    outcome = simulate(case.scenario(is_scaled_up=False, seconds=seconds))
    samples = [sample for sample in outcome.samples if sample.at_seconds <= seconds][::_SAMPLES_APART]
    return {
        "jobs_per_second": case.jobs_per_second,
        "at_seconds": [sample.at_seconds for sample in samples],
        "waiting": [sample.waiting for sample in samples],
    } | _figures(outcome, seconds)


def _whole_rate(case: Case, seconds: float) -> tuple[dict[str, Any], float]:
    """One cell with all of the highest rate: what it is worth, and how long simulating a minute of it takes."""
    one_cell = Case(case.jobs_per_second, case.processor, case.memory_mb, case.result_concurrency, 1, 0)
    scenario = one_cell.scenario(is_scaled_up=True, seconds=seconds)
    started = time.process_time()
    outcome = simulate(scenario)
    took = (time.process_time() - started) / (scenario.warm_up_seconds + seconds) * 60
    return _figures(outcome, seconds), round(took, 1)


def _settings(case: Case) -> dict[str, Any]:
    return {
        "jobs_per_second": case.jobs_per_second,
        "cells": case.cells,
        "batch_size": case.processor.batch_size,
        "batching_window_seconds": case.processor.batching_window_seconds,
        "maximum_concurrency": case.processor.maximum_concurrency,
        "memory_mb": case.memory_mb,
        "result_concurrency": case.result_concurrency,
    }


def _figures(outcome: Outcome, seconds: float) -> dict[str, Any]:
    document = outcome.to_document()
    # Not from the start, because in flight there is only what has arrived.
    arriving = [sample for sample in outcome.samples if seconds / 4 <= sample.at_seconds <= seconds]
    return _times(outcome, seconds) | {
        "mean_concurrency": _mean(sample.concurrency for sample in arriving),
        "mean_in_flight": _mean(sample.in_flight for sample in arriving),
        "capacity_per_second": _capacity(outcome, seconds),
        "result_handlers": document["concurrency"]["resultHandlerMax"],
        "messages_per_batch": document["messagesPerBatch"],
        "usd_per_million": document["usdPerMillionJobs"]["total"],
    }


def _times(outcome: Outcome, seconds: float) -> dict[str, float]:
    """Percentiles of the jobs that come while others follow: when no more come, the last ones wait for a long poll."""
    everyone = outcome.everyone
    last = max(seconds / 2, seconds - LONG_POLL_SECONDS)
    counted = [index for index, at_seconds in enumerate(everyone.submissions) if at_seconds <= last]
    found: dict[str, float] = {}
    for name, times in (("wait", everyone.waits), ("total", everyone.totals)):
        ordered = sorted(times[index] for index in counted)
        found |= {f"{name}_p{rank}_s": round(percentile(ordered, rank / 100), 4) for rank in (50, 99)}
    return found


def _capacity(outcome: Outcome, seconds: float) -> float | None:
    """Jobs per second that end after the last one has arrived and while others wait; None if none wait for so long."""
    busy = [sample for sample in outcome.samples if sample.at_seconds >= seconds and sample.waiting]
    if len(busy) < _SHORTEST_DRAIN_SECONDS:
        return None
    return round((busy[0].open_jobs - busy[-1].open_jobs) / (busy[-1].at_seconds - busy[0].at_seconds), 1)


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return round(sum(found) / len(found), 1) if found else 0.0


def table(results: dict[str, Any]) -> str:
    check = scale_check.table(results["check"]) if results["check"] else ()
    return "\n".join((_introduction(results), "", _cases(results), "", *_remarks(results), "", *check))


def scaling_part(results: dict[str, Any]) -> str:
    """What docs/scaling.md shows of this section."""
    picture = f"![{PICTURE}](img/bench-scale.png)"
    return "\n".join((_introduction(results), "", picture, "", _cases(results), "", *_remarks(results)))


def _introduction(results: dict[str, Any]) -> str:
    p50, p99 = (number(results["latency"][name]) for name in ("p50_seconds", "p99_seconds"))
    return (
        "[`ai-jobs simulate`](cli.md#what-would-it-take) predicts these figures for AWS; none was measured there. "
        f"Model\ncalls take {p50} s (p50) and {p99} s (p99). All pollers and environments are warm, and the model's "
        "quota is\nlarge enough."
    )


def _cases(results: dict[str, Any]) -> str:
    header = (
        "jobs per second",
        "cells",
        "batch, window",
        "maximum concurrency",
        "memory, MB",
        "wait p50, p99 (s)",
        "total p50, p99 (s)",
        "invocations",
        "messages in flight",
        "US dollars per million jobs",
    )
    return markdown_table(header, [_row(case) for case in results["cases"]])


def _row(case: dict[str, Any]) -> tuple[object, ...]:
    cells = case["cells"]
    return (
        case["jobs_per_second"],
        cells,
        f"{case['batch_size']}, {case['batching_window_seconds']} s",
        f"{case['maximum_concurrency']}{' each' if cells > 1 else ''}",
        case["memory_mb"],
        f"{number(case['wait_p50_s'])}, {number(case['wait_p99_s'])}",
        f"{number(case['total_p50_s'])}, {number(case['total_p99_s'])}",
        round(case["mean_concurrency"] * cells),
        round(case["mean_in_flight"] * cells),
        case["usd_per_million"],
    )


def _remarks(results: dict[str, Any]) -> Iterable[str]:
    default, whole = results["default"], results["whole_rate"]
    yield (
        f"- With the module's defaults, {default['jobs_per_second']} jobs per second are too many: with a maximum "
        f"concurrency of {default['maximum_concurrency']}, the service finishes {_finished(default)}. With "
        f"{number(default['memory_mb'])} MB, a million of them cost ${number(default['usd_per_million'])}."
    )
    for ramp in results["ramps"]:
        yield (
            f"- When {number(ramp['jobs_per_second'])} jobs per second start at once, up to "
            f"{number(max(ramp['waiting']))} messages wait until Lambda has added enough pollers (300 a minute). The "
            f"p99 of the wait in that time is {number(ramp['wait_p99_s'])} s; {_at_the_end(ramp)}."
        )
    yield (
        f"- One cell can't do all {number(CASES[-1].jobs_per_second)} jobs per second: an event source mapping has at "
        f"most 1,000 invocations. With the settings of the last line, it finishes {_finished(whole)}."
    )
    yield (
        "- Simulating one minute of 10,000 jobs per second takes "
        f"{number(results['figures']['seconds_per_minute_of_10000_jobs'])} s of computing."
    )


def _at_the_end(ramp: dict[str, Any]) -> str:
    """Does the backlog clear within the run?"""
    last, most = ramp["waiting"][-1], max(ramp["waiting"])
    after = f"after {number(ramp['at_seconds'][-1])} s"
    return f"{after}, {number(last)} still wait" if last > most / 10 else f"{after}, the backlog is gone"


def _finished(figures: dict[str, Any]) -> str:
    """Of a run with more jobs than it has capacity for; a smoke run ends before that shows."""
    capacity = figures["capacity_per_second"]
    return "all of them" if capacity is None else f"{number(capacity)} per second"


def plot(results: dict[str, Any], folder: Path) -> None:
    from bench import drawing

    drawn, (left, right) = drawing.figure(2, height=3.4)
    rates = [number(case["jobs_per_second"]) for case in results["cases"]]
    series = {name: [case[f"wait_{name}_s"] for case in results["cases"]] for name in ("p50", "p99")}
    drawing.bars(left, rates, series, unit="wait until the first claim (s)")
    left.set_xlabel("jobs per second")
    left.legend()
    for ramp, color in zip(results["ramps"], (drawing.PEERS[0], drawing.OURS), strict=False):
        right.plot(
            ramp["at_seconds"], ramp["waiting"], label=f"{number(ramp['jobs_per_second'])} per second", color=color
        )
    right.set_yscale("symlog")
    right.set_xlabel("seconds after traffic starts at once")
    right.set_ylabel("messages that wait")
    right.legend(loc="center right")
    drawing.save(drawn, folder, "scale")
