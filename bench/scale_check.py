"""Is the simulation right? It predicts what end_to_end.py measured at other rates, from its light run.

The machine is calibrated, and not the behavior: the processor time of each process per job, from the light run (batches
of one) and from the burst (full batches), and from the light run's latencies, how much of that time is on the path of a
job, and how it varies. What happens at other rates, and how fast a burst drains, follows from the model.
"""

from __future__ import annotations

import statistics
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bench.local_model import PASS_SECONDS, LocalRun, LocalTimes, Step
from bench.markdown import number
from bench.markdown import table as markdown_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

LARGEST_ERROR_PERCENT = 15
LIGHT_RATE = 10
"""Jobs per second of the light run: each job has ended, and its event is published, before the next one comes."""

_RATES = (20, 40, 100)
_BURST_JOBS = 1000
# The emulator's time, which can't be told apart from outside: by the calls to AWS for a job, and by what the emulator
# does for an invocation.
_CALLS = {"submit": 0.25, "processor": 0.5, "result_handler": 0.25, "event_publisher": 0.0}
_INVOCATIONS = {"processor": 0.4, "result_handler": 0.3, "event_publisher": 0.3}
_BATCHES = {"processor": "jobs_per_batch", "result_handler": "jobs_per_batch", "event_publisher": "events_per_batch"}
# Turns of the emulator's poller for a lone job, in the simulation and in reality; `LocalRun` adds their time by itself.
_PASSES = 8
_HALVINGS = 10
_LARGEST_VARIATION = 1.0
_SPREAD_JOBS = 100
# Of a machine that does nothing else: the peers' polling, and what measures.
_IDLE_LOAD = 0.15
# Simulated runs, of which the median counts: milliseconds decide which jobs wait for the poller.
_ROUNDS = 7


def check(results: dict[str, Any], cores: int) -> dict[str, Any]:
    """Predictions beside measurements, with the error of each in percent.

    Args:
        results: of end_to_end.py.
    """
    ours = {load: by_contender["ours"] for load, by_contender in results["runs"].items()}
    times = calibrated(results["light"], results["medians"]["burst"]["ours"], cores)
    rows = [
        *(_rate_row(times, cores, rate, ours[str(rate)]) for rate in _RATES),
        _burst_row(times, cores, ours["burst"]),
    ]
    compared = [results["light"], *(run for load in (*_RATES, "burst") for run in ours[str(load)])]
    return {
        "rows": rows,
        "largest_error_percent": max(abs(row["error_percent"]) for row in rows),
        "other_load": max(run["other_load"] for run in compared),
    }


def _rate_row(times: LocalTimes, cores: int, rate: int, measured: Sequence[dict[str, Any]]) -> dict[str, Any]:
    jobs = int(measured[0]["jobs"])
    totals = [LocalRun(times, cores, seed=seed).at_rate(rate, jobs) for seed in range(_ROUNDS)]
    predicted = [statistics.median_low(total) * 1000 for total in totals]
    return _row(f"p50 at {rate} per second (ms)", [run["p50_ms"] for run in measured], predicted)


def _burst_row(times: LocalTimes, cores: int, measured: Sequence[dict[str, Any]]) -> dict[str, Any]:
    predicted = [LocalRun(times, cores, seed=seed).burst(_BURST_JOBS) for seed in range(_ROUNDS)]
    return _row("burst of 1,000 (s)", [run["jobs"] / run["per_second"] for run in measured], predicted)


def _row(what: str, measured: Sequence[float], predicted: Sequence[float]) -> dict[str, Any]:
    """The medians of the runs, measured and simulated, and from where to where those are."""
    error = (statistics.median(predicted) / statistics.median(measured) - 1) * 100
    return {
        "what": what,
        "measured": round(statistics.median(measured), 2),
        "measured_range": [round(min(measured), 2), round(max(measured), 2)],
        "predicted": round(statistics.median(predicted), 2),
        "predicted_range": [round(min(predicted), 2), round(max(predicted), 2)],
        "error_percent": round(error, 1),
    }


def calibrated(light: dict[str, Any], burst: dict[str, float], cores: int) -> LocalTimes:
    """The times that fit the processor time of both runs, and the latencies of the light one."""
    alone_ms = light["local_aws_cpu_ms"] - _PASSES * PASS_SECONDS * 1000
    emulator = _split(alone_ms, burst["local_aws_cpu_ms"], burst["jobs_per_batch"])
    steps = {name: _step(name, light, burst, emulator) for name in _BATCHES}
    processor = steps["processor"]
    times = LocalTimes(
        submit=emulator[1] * _CALLS["submit"],
        processor=replace(processor, job=processor.job + burst["model_cpu_ms"] / 1000),
        result_handler=steps["result_handler"],
        publisher=steps["event_publisher"],
        before_outcome=1.0,
        client=burst["client_cpu_ms"] / 1000,
        kernel=burst["local_aws_kernel_share"],
    )
    latencies = light["latencies_ms"]
    return _varying(_on_the_path(times, _quantiles(latencies)[1], cores), latencies, cores)


def _step(name: str, light: dict[str, Any], burst: dict[str, float], emulator: tuple[float, float]) -> Step:
    return Step(
        *_split(light[f"{name}_cpu_ms"], burst[f"{name}_cpu_ms"], burst[_BATCHES[name]]),
        emulator_batch=emulator[0] * _INVOCATIONS[name],
        emulator_job=emulator[1] * _CALLS[name],
    )


def _split(alone_ms: float, in_batch_ms: float, batch_size: float) -> tuple[float, float]:
    """The seconds of an invocation, and of each of its jobs, if a job alone and a job in a batch take so long."""
    batch = max(0.0, (alone_ms - in_batch_ms) / (1 - 1 / batch_size))
    return batch / 1000, max(0.0, in_batch_ms - batch / batch_size) / 1000


def _on_the_path(times: LocalTimes, p50_ms: float, cores: int) -> LocalTimes:
    """The share of the time before the outcome with which a lone job takes so long; if all is too little, it waits."""
    everything = _light(times, cores, 1)[0]
    if everything < p50_ms:
        return replace(times, wait=(p50_ms - everything) / 1000)
    share = _solved(lambda share: _light(replace(times, before_outcome=share), cores, 1)[0], p50_ms, 1.0)
    return replace(times, before_outcome=share)


def _varying(times: LocalTimes, latencies_ms: Sequence[float], cores: int) -> LocalTimes:
    """The variation of the times with which half of the light run's latencies are as close together as measured.

    Not those in the other half, which has the jobs that something else on the machine delayed.
    """

    def middle_half(latencies: Sequence[float]) -> float:
        low, _, high = _quantiles(latencies)
        return high - low

    def simulated(variation: float) -> float:
        return middle_half(_light(replace(times, variation=variation), cores, _SPREAD_JOBS))

    return replace(times, variation=_solved(simulated, middle_half(latencies_ms), _LARGEST_VARIATION))


def _solved(function: Callable[[float], float], value: float, most: float) -> float:
    """Where between 0 and `most` an increasing function has this value."""
    low, high = 0.0, most
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if function(middle) < value else (low, middle)
    return (low + high) / 2


def _light(times: LocalTimes, cores: int, jobs: int) -> list[float]:
    return [seconds * 1000 for seconds in LocalRun(times, cores).at_rate(LIGHT_RATE, jobs)]


def _quantiles(latencies: Sequence[float]) -> list[float]:
    return statistics.quantiles(latencies, n=4, method="inclusive")


def table(found: dict[str, Any]) -> Iterator[str]:
    """Lines of Markdown: what was predicted and measured, and where they differ too much, why."""
    yield "### Is the simulation right?\n"
    yield (
        "The same queues, batches, and functions, simulated on this machine's processors with the local AWS's poller.\n"
        f"A light run of {LIGHT_RATE} jobs per second, before the peers start, and the processor time of the burst "
        "calibrate it; the rest\nis predicted. Each figure is the median of runs, next to the lowest and the highest "
        "one:\n"
    )
    header = ("", "measured", "of runs", "predicted", "of runs", "error (%)")
    yield markdown_table(header, [_cells(row) for row in found["rows"]])
    wrong = [row["what"] for row in found["rows"] if abs(row["error_percent"]) > LARGEST_ERROR_PERCENT]
    if wrong:
        yield (
            f"\nMore than {number(LARGEST_ERROR_PERCENT)}% off: {', '.join(wrong)}. The local AWS's poller pauses for "
            "50 ms when something wakes it\nand there is nothing to do. A few milliseconds decide how often it does, "
            "and with that which jobs wait."
        )
    if found["other_load"] > _IDLE_LOAD:
        yield (
            f"\nThis machine was not idle: other processes kept up to {number(found['other_load'])} processors busy "
            "during these runs. The simulation\nknows nothing of them."
        )


def _cells(row: dict[str, Any]) -> tuple[object, ...]:
    measured, predicted = (" to ".join(map(number, row[f"{name}_range"])) for name in ("measured", "predicted"))
    return (row["what"], row["measured"], measured, row["predicted"], predicted, row["error_percent"])
