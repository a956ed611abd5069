"""Is the simulation right? It predicts what end_to_end.py measured, from the run with one job per second alone.

The machine is calibrated, and not the behavior: processor time per job, from the run with one job per second (batches
of one) and from the burst (full batches), and how much of that is on the path of a job. What happens at other rates,
and how fast a burst drains, follows from the model.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bench.local_model import LocalRun, LocalTimes, Step
from bench.markdown import number
from bench.markdown import table as markdown_table

if TYPE_CHECKING:
    from collections.abc import Iterator

LARGEST_ERROR_PERCENT = 15

_RATES = (20, 40, 100)
_BURST_JOBS = 1000
_STEPS = ("processor", "result_handler", "publisher")
# What each function takes of the workers' time (bench/canned.py), and of the emulator's: by its calls to AWS for a job,
# and by what the emulator does for an invocation.
_WORKERS = dict(zip(_STEPS, (0.6, 0.33, 0.07), strict=True))
_CALLS = {"submit": 0.25} | dict(zip(_STEPS, (0.5, 0.25, 0.0), strict=True))
_INVOCATIONS = dict(zip(_STEPS, (0.4, 0.3, 0.3), strict=True))
_HALVINGS = 12


def check(medians: dict[str, Any], cores: int) -> dict[str, Any]:
    """Predictions beside measurements, with the error of each in percent.

    Args:
        medians: of end_to_end.py, by load and contender.
    """
    ours = {load: by_contender["ours"] for load, by_contender in medians.items()}
    times = calibrated(ours["1"], ours["burst"], cores)
    rows = [
        _row(f"p50 at {rate} per second (ms)", ours[str(rate)]["p50_ms"], _p50(times, cores, rate, _jobs(ours, rate)))
        for rate in _RATES
    ]
    drained = LocalRun(times, cores).burst(_BURST_JOBS)
    rows.append(_row("burst of 1,000 (s)", ours["burst"]["jobs"] / ours["burst"]["per_second"], drained))
    return {"rows": rows, "largest_error_percent": max(abs(row["error_percent"]) for row in rows)}


def _jobs(ours: dict[str, Any], rate: int) -> int:
    return int(ours[str(rate)]["jobs"])


def _row(what: str, measured: float, predicted: float) -> dict[str, Any]:
    error = round((predicted / measured - 1) * 100, 1)
    return {"what": what, "measured": round(measured, 2), "predicted": round(predicted, 2), "error_percent": error}


def calibrated(light: dict[str, float], burst: dict[str, float], cores: int) -> LocalTimes:
    """The times that fit the processor time of both runs, and the latency of the light one."""
    batch_size = burst["jobs_per_batch"]
    worker = _split(light["worker_cpu_ms"], burst["worker_cpu_ms"], batch_size)
    emulator = _split(light["local_aws_cpu_ms"], burst["local_aws_cpu_ms"], batch_size)
    steps = {
        name: Step(
            batch=worker[0] * _WORKERS[name],
            job=worker[1] * _WORKERS[name],
            emulator_batch=emulator[0] * _INVOCATIONS[name],
            emulator_job=emulator[1] * _CALLS[name],
        )
        for name in _STEPS
    }
    times = LocalTimes(
        submit=emulator[1] * _CALLS["submit"],
        processor=steps["processor"],
        result_handler=steps["result_handler"],
        publisher=steps["publisher"],
        before_outcome=1.0,
    )
    return _on_the_path(times, light["p50_ms"], cores)


def _split(alone_ms: float, in_batch_ms: float, batch_size: float) -> tuple[float, float]:
    """The seconds of an invocation, and of each of its jobs, if a job alone and a job in a batch take so long."""
    batch = max(0.0, (alone_ms - in_batch_ms) / (1 - 1 / batch_size))
    return batch / 1000, max(0.0, in_batch_ms - batch / batch_size) / 1000


def _on_the_path(times: LocalTimes, p50_ms: float, cores: int) -> LocalTimes:
    """The share of the time before the outcome with which a lone job takes so long; if all is too little, it waits."""
    everything = _p50(times, cores, 1, 3)
    if everything < p50_ms:
        return replace(times, wait=(p50_ms - everything) / 1000)
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (
            (middle, high) if _p50(replace(times, before_outcome=middle), cores, 1, 3) < p50_ms else (low, middle)
        )
    return replace(times, before_outcome=(low + high) / 2)


def _p50(times: LocalTimes, cores: int, rate: float, jobs: int) -> float:
    totals = sorted(LocalRun(times, cores).at_rate(rate, jobs))
    return totals[(len(totals) - 1) // 2] * 1000


def table(found: dict[str, Any]) -> Iterator[str]:
    """Lines of Markdown: what was predicted and measured, and where they differ too much, why."""
    yield "### Is the simulation right?\n"
    yield (
        "The same queues, batches, and functions, simulated on this machine's processors with the local AWS's poller "
        "and calibrated with the run of one job per second, next to what was measured:\n"
    )
    header = ("", "measured", "predicted", "error (%)")
    yield markdown_table(
        header, [[row[name] for name in ("what", "measured", "predicted", "error_percent")] for row in found["rows"]]
    )
    wrong = [row["what"] for row in found["rows"] if abs(row["error_percent"]) > LARGEST_ERROR_PERCENT]
    if wrong:
        yield (
            f"\nMore than {number(LARGEST_ERROR_PERCENT)}% off: {', '.join(wrong)}. Near full load, a few percent of "
            "processor time more or less, or another process on the machine, change waits by a multiple."
        )
