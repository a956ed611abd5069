"""What the page shows of end_to_end.py."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench.markdown import number
from bench.markdown import table as markdown_table
from bench.terraform import VISIBILITY_SECONDS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

TITLE = "End to end"
PICTURE = "p50 and p99 from submission to result by rate, and jobs per second of a burst: ours, Celery, and dramatiq."

P50_TARGET_MS = 60
P99_TARGET_MS = 200

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

On two processors, everything here is a matter of CPU: the workers', and that of the local AWS, which is one Python
process and stands in for what AWS does elsewhere. Its CPU per job gives the limit: no code of ours or the peers' can
get more than 1,000 / (CPU per job in ms) jobs per second through it.
"""

_KILL = f"""\
### A worker is killed

`kill -9` of a worker while jobs arrive at 20 per second and the model takes 0.5 s. A job is lost if its row is not
there {VISIBILITY_SECONDS + 10} s after the last submission, long enough for SQS to deliver again what the dead worker
had. "Called twice" counts the jobs for which the model was called more than once: those that the worker had in its
hands, which nobody can avoid who calls a model and can be killed. Celery with its default settings acknowledges a job
before it runs it. (Their default visibility timeouts are half an hour for Celery and 12 hours for dramatiq: with those,
whatever a dead worker had is that late.)
"""


def table(results: dict[str, Any]) -> str:
    """Latencies and CPU by rate, the burst, and the kill; without peers, only the first."""
    medians = results["medians"]
    parts = [_INTRODUCTION, _latencies(medians)]
    if "burst" in medians:
        parts += ["### A burst of 1,000 jobs\n", _burst(medians["burst"])]
    if results["kill"]:
        parts += [_KILL, _kill(results["kill"])]
    return "\n".join(parts)


def plot(results: dict[str, Any], folder: Path) -> None:
    """p50 and p99 by rate with their targets, and the rates of the burst."""
    # Only here: measuring needs no matplotlib.
    from bench import drawing

    medians = results["medians"]
    rates = [load for load in medians if load != "burst"]
    names = list(medians[rates[0]])
    figure, axes = drawing.figure(3, height=3.4)
    for chart, rank, target in zip(axes, ("p50", "p99"), (P50_TARGET_MS, P99_TARGET_MS), strict=False):
        for name, color in zip(names, (drawing.OURS, *drawing.PEERS), strict=False):
            chart.plot(rates, [medians[rate][name][f"{rank}_ms"] for rate in rates], "o-", color=color, label=name)
        chart.set(yscale="log", ylim=(10, 10_000), title=f"{rank}, ms", xlabel="jobs per second")
        drawing.bound(chart, target, "target")
    burst = medians.get("burst", {})
    drawing.bars(axes[2], ["1,000 jobs"], {name: [run["per_second"]] for name, run in burst.items()}, unit="")
    axes[2].set_title("a burst, jobs per second")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    drawing.save(figure, folder, "end_to_end")


def _latencies(medians: dict[str, Any]) -> str:
    rows = [
        [f"{load} per second", name, run["p50_ms"], run["p99_ms"], *_usage(run), _lost(run)]
        for load, by_contender in medians.items()
        if load != "burst"
        for name, run in by_contender.items()
    ]
    header = ("load", "", "p50, ms", "p99, ms", *_USAGE, "not completed")
    return markdown_table(header, rows) + "\n"


def _burst(burst: dict[str, Any]) -> str:
    rows = [
        [name, run["per_second"], number(1000 / run["local_aws_cpu_ms"]), *_usage(run), _lost(run)]
        for name, run in burst.items()
    ]
    header = ("", "jobs per second", "limit of the local AWS, per second", *_USAGE, "not completed")
    ratios = [f"{number(burst['ours']['per_second'] / run['per_second'])} x {name}'s" for name, run in burst.items()]
    return f"{markdown_table(header, rows)}\n\nOurs is {' and '.join(ratios[1:])}.\n"


_USAGE = ("workers' CPU per job, ms", "local AWS's CPU per job, ms", "worker processes", "jobs per batch")


def _usage(run: dict[str, Any]) -> Sequence[float | None]:
    names = ("worker_cpu_ms", "local_aws_cpu_ms", "workers", "jobs_per_batch")
    return [run.get(name) for name in names]


def _lost(run: dict[str, Any]) -> int:
    return int(run["jobs"] - run["completed"])


def _kill(kill: dict[str, Any]) -> str:
    rows = [
        [name, run["jobs"], run["lost"], run["run_twice"], run.get("p50_ms"), run.get("p99_ms")]
        for name, run in kill.items()
    ]
    return markdown_table(("", "jobs", "lost", "called twice", "p50, ms", "p99, ms"), rows) + "\n"
