"""End to end: from submitting a job until its result is in DynamoDB, at fixed rates, in a burst, and through a kill."""

from __future__ import annotations

import contextlib
import os
import statistics
from typing import TYPE_CHECKING, Any

from bench import kill, local_system
from bench.contenders import CELERY, CELERY_DEFAULT, DRAMATIQ, Ours, create_table
from bench.end_to_end_page import PICTURE, RANKS, TITLE, overload, plot, table
from bench.load import percentiles
from bench.runs import at_rate, burst
from bench.scale_check import LIGHT_RATE
from bench.sections import Scale

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.contenders import Contender, Peer
    from bench.local_system import LocalSystem

__all__ = ["PICTURE", "TITLE", "measure", "plot", "table"]

# Jobs at each rate, in each of so many rounds.
RATES = {1: 6, 20: 80, 40: 120, 100: 300}
ROUNDS = {1: 1, 20: 2, 40: 2, 100: 2}
# One burst is already an average over a hundred batches.
BURST_JOBS = 1000
BURST_ROUNDS = 1
_TARGET_RATES = (20, 40, 100)

OVERLOADED_SHARE = 0.9
"""Whoever finishes a smaller share of the jobs that come has no latency: it grows for as long as the run lasts."""

# From this run of ours, scale_check.py predicts the others. It comes before the peers start: their polling makes the
# local AWS work, which would count as work for our jobs.
LIGHT_JOBS = 40

# Enough batches at once to start all workers; whoever starts in the middle of a run would be in its figures.
_WARM_UP_JOBS = {Scale.FULL: 300, Scale.SMOKE: 20}
# Cold workers on a busy machine: what is left of the warm-up would be in the figures of the first run.
_WARM_UP_SECONDS = 180


def measure(scale: Scale) -> dict[str, Any]:
    """Run every load on every contender, in turns."""
    system = local_system.shared()
    ours = Ours(system)
    burst(system, ours, _WARM_UP_JOBS[scale], _WARM_UP_SECONDS)
    if scale is Scale.SMOKE:
        return _results({"20": {"ours": [at_rate(system, ours, 20, 10)]}})
    light = at_rate(system, ours, LIGHT_RATE, LIGHT_JOBS)
    create_table(system)
    with contextlib.ExitStack() as stack:
        contenders: list[Contender] = [ours, *_peers(stack, system, (CELERY, DRAMATIQ), _WARM_UP_JOBS[scale])]
        runs = {str(rate): _in_turns(system, contenders, rate) for rate in RATES}
        runs["burst"] = _in_turns(system, contenders, None)
        # First, because all of its jobs that are lost are waited for as long as is allowed.
        killed = kill.measure(system, [*_peers(stack, system, (CELERY_DEFAULT,), 20), *contenders])
    return _results(runs) | {"light": light, "kill": killed}


def _results(runs: dict[str, dict[str, list[dict[str, Any]]]]) -> dict[str, Any]:
    summaries = {
        load: {name: _summary(load, rounds) for name, rounds in by_contender.items()}
        for load, by_contender in runs.items()
    }
    judged = _judged(summaries) if "burst" in summaries else {}
    return {"cpus": os.cpu_count(), "runs": runs, "medians": summaries, "kill": {}, "figures": {}} | judged


def _peers(stack: contextlib.ExitStack, system: LocalSystem, peers: Sequence[Peer], jobs: int) -> list[Contender]:
    """These peers, started and warmed up by so many jobs."""
    started: list[Contender] = [stack.enter_context(peer.running(system)) for peer in peers]
    for contender in started:
        burst(system, contender, jobs, _WARM_UP_SECONDS)
    return started


def _in_turns(
    system: LocalSystem, contenders: Sequence[Contender], rate: int | None
) -> dict[str, list[dict[str, Any]]]:
    """The runs of each contender at a rate; without one, of the burst."""
    runs: dict[str, list[dict[str, Any]]] = {contender.name: [] for contender in contenders}
    for _ in range(ROUNDS[rate] if rate else BURST_ROUNDS):
        for contender in contenders:
            run = at_rate(system, contender, rate, RATES[rate]) if rate else burst(system, contender, BURST_JOBS)
            runs[contender.name].append(run)
    return runs


def _summary(load: str, rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """The median of each number over the rounds, but the percentiles over the jobs of all rounds."""
    names = [name for name, value in rounds[0].items() if isinstance(value, int | float)]
    medians = {name: round(statistics.median(run[name] for run in rounds if name in run), 2) for name in names}
    latencies = [latency / 1000 for run in rounds for latency in run["latencies_ms"]]
    is_slow = load != "burst" and medians.get("ended_per_second", 0) < OVERLOADED_SHARE * int(load)
    pooled = percentiles(latencies) if latencies else {}
    return medians | pooled | {"rounds": len(rounds), "is_overloaded": is_slow}


def _judged(summaries: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The figures, and why there is none where a target asks for the latency of a system that is overloaded."""
    names = {f"{rank}_{rate}": (f"{rank}_ms", summaries[str(rate)]["ours"]) for rate in _TARGET_RATES for rank in RANKS}
    steady = {name: run[key] for name, (key, run) in names.items() if not run["is_overloaded"]}
    overloads = {name: overload(run) for name, (_, run) in names.items() if run["is_overloaded"]}
    per_second = {name: run["per_second"] for name, run in summaries["burst"].items()}
    ratio = round(per_second["ours"] / per_second[CELERY.name], 2)
    return {"figures": steady | {"burst_to_celery": ratio}, "failures": overloads}
