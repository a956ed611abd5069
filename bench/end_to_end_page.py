"""What the page shows of end_to_end.py."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from bench import kill
from bench.markdown import number
from bench.markdown import table as markdown_table
from bench.terraform import VISIBILITY_SECONDS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

TITLE = "End to end"
PICTURE = (
    "p50 and p99 from submission to result by rate, with a cross at the top where a system is overloaded, and jobs per "
    "second of a burst: ours, Celery, and dramatiq."
)

RANKS = ("p50", "p99")
_TARGETS_MS = {"p50": 60, "p99": 200}
_FEW_JOBS = 100
"""With fewer latencies, the 99th percentile is the largest of them."""

_INTRODUCTION = f"""\
One load client puts jobs on each system's own SQS queue, on the same local AWS with the same stub of a model that
responds at once; systems take turns. A latency runs from when the job was due until its row was written, by the clock
of the process that writes the row, read just before: nobody polls meanwhile. What each system does for a job:

- **Ours**: `UpdateItem` (claim), Converse, `SendMessage` (result), `UpdateItem` (result) in a second function, and an
  event from the table's stream; the state, the user's index, and the attempts of a job can be seen at any time.
- **Celery** and **dramatiq** (two workers with 25 threads each): Converse and `PutItem` into a table without indexes or
  a stream. Celery has what its documentation recommends for tasks that must not be lost (`acks_late`,
  `task_reject_on_worker_lost`, a prefetch multiplier of 1), and polls every 0.1 s, where its default would make a job
  wait for up to a second. All have a visibility timeout of {VISIBILITY_SECONDS} s.

Two things make low rates no race. The poller of our queues is a part of the local AWS: a message wakes it, and it takes
no request, while the peers' workers poll over HTTP. And with few jobs, much of Celery's latency probably is the 0.1 s
between its polls.

On two processors, everything here is a matter of CPU: the workers', and that of the local AWS, which is one Python
process and stands in for what AWS does elsewhere. Whoever finishes fewer than nine in ten of the jobs that come is
*overloaded*: its latency grows for as long as jobs come, so that it says how long the run was, and is not shown.
Percentiles are over the jobs of all rounds; with fewer than {_FEW_JOBS} jobs, the p99 is the slowest one.
"""

_BURST = """\
### A burst of 1,000 jobs

Two limits: no code of ours or the peers' can get more than 1,000 / (its CPU per job in ms) jobs per second through the
local AWS, which computes in one thread at a time; and the workers, the local AWS, the model's stub, and the load client
share the processors. The lower one is shown. What is missing is waiting for each other, and everything else that the
machine does.
"""

_EARLIER = """\
Compare the ratios of runs, not their rates: an earlier run, on the same kind of machine on another day, had 142 jobs
per second for ours, with 600 jobs, and 141 to 218 for Celery. A Celery job then took its workers {before} ms of CPU;
here it takes {now} ms, {slower} times as much.
"""
_EARLIER_CELERY_CPU_MS = 4.2

_KILL = f"""\
### A worker is killed

Jobs arrive at {kill.RATE} per second, and the model takes {kill.MODEL_SECONDS} s. In the middle, the worker that waits
for the most model calls gets a `kill -9`. There are {kill.ROUNDS} rounds, in turns.

- *In its hands* are the model calls that the worker waited for when it died.
- *Called twice* are jobs for which the model was called more than once, and in parentheses, how many those are per call
  in the hands of the dead workers. Nobody can avoid that who calls a model and can be killed.
- *Lost* are jobs without a row {kill.PATIENCE_SECONDS} s after the last submission, counted in the same way. Celery
  with its default settings acknowledges a job before it runs it.
- *Late* are jobs that came back after the visibility timeout of {VISIBILITY_SECONDS} s. (The peers' defaults are half
  an hour for Celery and 12 hours for dramatiq: with those, a job of a dead worker is that late.)

But for Celery's default settings, what differs is how much one worker has in its hands, not what becomes of that. The
same load is spread over two workers of the peers', with 25 threads each, and over up to ten of ours, each of which may
have a batch of ten.
"""


def overload(run: dict[str, Any]) -> str:
    """What there is instead of a latency."""
    return f"overloaded: finishes {number(run['ended_per_second'])} per second"


def table(results: dict[str, Any]) -> str:
    """Latencies and CPU by rate, the burst, and the kill; without peers, only the first."""
    summaries = results["medians"]
    parts = [_INTRODUCTION, _latencies(summaries)]
    if "burst" in summaries:
        parts += [_BURST, _burst(results)]
    if results["kill"]:
        parts += [_KILL, _kill(results["kill"])]
    return "\n".join(parts)


def plot(results: dict[str, Any], folder: Path) -> None:
    """p50 and p99 by rate with their targets, and the rates of the burst."""
    # Only here: measuring needs no matplotlib.
    from bench import drawing

    summaries = results["medians"]
    rates = [load for load in summaries if load != "burst"]
    names = list(summaries[rates[0]])
    figure, axes = drawing.figure(3, height=3.4)
    for chart, (rank, target) in zip(axes, _TARGETS_MS.items(), strict=False):
        for name, color in zip(names, (drawing.OURS, *drawing.PEERS), strict=False):
            values = [_steady(summaries[rate][name], f"{rank}_ms") for rate in rates]
            chart.plot(rates, values, "o-", color=color, label=name)
            over = [rate for rate in rates if summaries[rate][name]["is_overloaded"]]
            chart.plot(over, [0.97] * len(over), "x", color=color, transform=chart.get_xaxis_transform())
        chart.set(title=f"{rank}, ms", xlabel="jobs per second", ylim=(0, None))
        drawing.bound(chart, target, "target")
    burst = summaries.get("burst", {})
    drawing.bars(axes[2], ["1,000 jobs"], {name: [run["per_second"]] for name, run in burst.items()}, unit="")
    axes[2].set_title("a burst, jobs per second")
    axes[2].margins(y=0.1)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    drawing.save(figure, folder, "end_to_end")


def _steady(run: dict[str, Any], name: str) -> float:
    """The latency; a gap in the line for a system that is overloaded."""
    return math.nan if run["is_overloaded"] else float(run[name])


def _latencies(summaries: dict[str, Any]) -> str:
    rows = [
        [f"{load} per second", name, _jobs(run), *_ranks(run), *_usage(run), _lost(run)]
        for load, by_contender in summaries.items()
        if load != "burst"
        for name, run in by_contender.items()
    ]
    header = ("load", "", "rounds x jobs", "p50, ms", "p99, ms", *_USAGE, "not completed")
    return markdown_table(header, rows) + "\n"


def _jobs(run: dict[str, Any]) -> str:
    return f"{run['rounds']} x {number(run['jobs'])}"


def _ranks(run: dict[str, Any]) -> tuple[object, object]:
    if run["is_overloaded"]:
        return overload(run), "-"
    few = run["rounds"] * run["jobs"] < _FEW_JOBS
    return run["p50_ms"], f"{number(run['p99_ms'])} (slowest)" if few else run["p99_ms"]


def _burst(results: dict[str, Any]) -> str:
    burst = results["medians"]["burst"]
    rows = [
        [name, _jobs(run), _range(results["runs"]["burst"][name]), limit(run, results["cpus"]), *_usage(run)]
        for name, run in burst.items()
    ]
    header = ("", "rounds x jobs", "jobs per second", "limit, per second", *_USAGE)
    ratios = [f"{number(burst['ours']['per_second'] / run['per_second'])} x {name}'s" for name, run in burst.items()]
    return f"{markdown_table(header, rows)}\n\nOurs is {' and '.join(ratios[1:])}. {_earlier(burst)}\n"


def _range(rounds: Sequence[dict[str, Any]]) -> str:
    return " and ".join(number(run["per_second"]) for run in rounds)


def limit(run: dict[str, Any], cpus: int) -> float:
    """Jobs per second that the local AWS's one thread, and that all processors together, can do at most."""
    everything = sum(run[f"{name}_cpu_ms"] for name in ("worker", "local_aws", "model", "client"))
    return float(min(1000 / run["local_aws_cpu_ms"], cpus * 1000 / everything))


def _earlier(burst: dict[str, Any]) -> str:
    now = burst["Celery"]["worker_cpu_ms"]
    slower = number(now / _EARLIER_CELERY_CPU_MS)
    return _EARLIER.format(before=_EARLIER_CELERY_CPU_MS, now=number(now), slower=slower).replace("\n", " ").strip()


_USAGE = ("workers' CPU per job, ms", "local AWS's CPU per job, ms", "worker processes", "jobs per batch")


def _usage(run: dict[str, Any]) -> Sequence[float | None]:
    names = ("worker_cpu_ms", "local_aws_cpu_ms", "workers", "jobs_per_batch")
    return [run.get(name) for name in names]


def _lost(run: dict[str, Any]) -> int:
    return int(run["jobs"] - run["completed"])


def _kill(killed: dict[str, Any]) -> str:
    rows = [
        [name, run["jobs"], _by_round(run), *_for_each_in_hand(run), run["late"], run.get("p50_ms"), run.get("p99_ms")]
        for name, run in killed.items()
    ]
    header = ("", "jobs", "in its hands, by round", "called twice", "lost", "late", "p50, ms", "p99, ms")
    return markdown_table(header, rows) + "\n"


def _by_round(run: dict[str, Any]) -> str:
    return ", ".join(str(one["cut_off"]) for one in run["rounds"])


def _for_each_in_hand(run: dict[str, Any]) -> list[str]:
    """How many were called twice, and lost, in total and per job that the dead workers had in their hands."""
    return [f"{run[name]} ({number(run[name] / run['cut_off'])})" for name in ("run_twice", "lost")]
