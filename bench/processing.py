"""Section 3: batches of jobs with a model that takes its time, next to what Powertools has for batches."""

from __future__ import annotations

import itertools
import statistics
import sys
import tempfile
import zipfile
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import canned, peers
from bench.markdown import number
from bench.markdown import table as markdown_table
from bench.sections import Scale
from scripts import package
from scripts.project import DIST, ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

TITLE = "Processing"
PICTURE = "Seconds that a batch of 10 and of 100 takes with a model of 1 s, and processor time per job."
OURS, SERIAL, CONCURRENT = "ours", "BatchProcessor", "AsyncBatchProcessor"


@dataclass(frozen=True)
class Sizes:
    """How much is measured.

    Attributes:
        batches: records per batch.
        model_seconds: how long the model takes; without a wait (0), processor time is measured, too.
        cpu_jobs: jobs without a wait, in each batch size.
        rounds: batches with a wait; one that works on job after job for longer than `_LONG_SECONDS` is run once.
        serial_records: how many records a batch has that waits for one job after the other; its time is multiplied.
        path_jobs: jobs that our three functions bring from message to event, in each round.
        path_rounds: rounds of that, for each of `PATHS`.
    """

    batches: tuple[int, ...]
    model_seconds: tuple[float, ...]
    cpu_jobs: int
    rounds: int
    serial_records: int
    path_jobs: int
    path_rounds: tuple[int, ...]


_SIZES = {
    Scale.FULL: Sizes((1, 10, 100), (0, 0.1, 1), 100, 2, 4, 60, (2, 1, 1)),
    Scale.SMOKE: Sizes((1, 10), (0, 0.01), 10, 1, 5, 10, (1, 1, 1)),
}
# A model whose calls take different times, which lets few results share a call. They are the times of the reference job
# of docs/scaling.md, divided by 20, because a real model's would take too long.
_SPREAD = canned.Conditions(model_seconds=0.25, model_p99_seconds=1)
JUDGED = "model: 0.25 s (p50), 1 s (p99); 1 processor"
PATHS = {
    JUDGED: _SPREAD,
    "the same; 2 processors": replace(_SPREAD, processors=2),
    "model: at once; 1 processor": canned.AT_ONCE,
}
_WARM_UP_JOBS = 50
_LONG_SECONDS = 3


def measure(scale: Scale) -> dict[str, Any]:
    """Measure all sizes of batches, in turns, and what our functions need from message to event."""
    sizes = _SIZES[scale]
    with tempfile.TemporaryDirectory() as folder:
        code = _unpacked(Path(folder))
        variants = _variants(code, with_peers=scale is Scale.FULL)
        cells = [
            cell
            for batch in sizes.batches
            for name, command in variants.items()
            for cell in _cells(name, command, batch, sizes)
        ]
        paths = {
            name: [canned.measure(code, 10, sizes.path_jobs, conditions) for _ in range(rounds)]
            for (name, conditions), rounds in zip(PATHS.items(), sizes.path_rounds, strict=True)
        }
    functions = {name: _median_path(rounds) for name, rounds in paths.items()}
    return {"cells": cells, "path_runs": paths, "paths": functions, "figures": _figures(cells, functions[JUDGED])}


def _median_path(rounds: list[dict[str, dict[str, Any]]]) -> dict[str, dict[str, Any]]:
    return {function: _median_of([one[function] for one in rounds]) for function in canned.FUNCTIONS}


def _figures(cells: list[dict[str, Any]], functions: dict[str, dict[str, Any]]) -> dict[str, float]:
    figures = {
        "cpu_ms_per_job": sum(function["cpu_ms"] for function in functions.values()),
        "calls_to_stored_result": _calls_to_stored_result(functions),
    }
    for cell in cells:
        if (cell["variant"], cell["batch"], cell["model_seconds"]) == (OURS, 10, 1):
            figures["batch_of_10_at_1_s"] = cell["seconds"]
    return figures


def _calls_to_stored_result(functions: dict[str, dict[str, Any]]) -> float:
    return sum(_total(functions[name]["calls"]) for name in ("processor", "result_handler"))


def _total(calls: dict[str, float]) -> float:
    return sum(count for operation, count in calls.items() if not operation.startswith("appconfig"))


def _median_of(runs: list[dict[str, Any]]) -> dict[str, Any]:
    medians = {name: statistics.median(run[name] for run in runs) for name in ("cpu_ms", "batch_ms", "peak_rss_mb")}
    return medians | {"calls": runs[0]["calls"], "log_bytes": runs[0]["log_bytes"]}


def _unpacked(folder: Path) -> Path:
    """The three functions on a job's path, from their zips."""
    package.build()
    for name in canned.FUNCTIONS:
        zipfile.ZipFile(DIST / f"{name}.zip").extractall(folder)
    return folder


@dataclass(frozen=True)
class Variant:
    """A handler, and the interpreter and path that it runs with."""

    command: list[str]
    path: tuple[Path, ...]


def _variants(code: Path, *, with_peers: bool) -> dict[str, Variant]:
    run = ["-m", "bench.processing_run"]
    ours = {OURS: Variant([sys.executable, "-S", *run, "processor.handler"], (code, ROOT))}
    if not with_peers:
        return ours
    theirs = {SERIAL: "bench.usual_way.handler", CONCURRENT: "bench.usual_way.async_handler"}
    python = str(peers.python())
    return ours | {name: Variant([python, *run, module], (ROOT,)) for name, module in theirs.items()}


def _cells(name: str, variant: Variant, batch: int, sizes: Sizes) -> Iterator[dict[str, Any]]:
    records = canned.submitted(10**9)
    steps: list[dict[str, Any]] = []
    for seconds in sizes.model_seconds:
        size = min(batch, sizes.serial_records) if name == SERIAL and seconds else batch
        count = _rounds(name, size, seconds, sizes) if seconds else -(-sizes.cpu_jobs // batch)
        steps.append({"model_seconds": seconds, "events": list(_events(records, size, count))})
    warm_up = list(_events(records, batch, -(-_WARM_UP_JOBS // batch)))
    plan = {"warm_up": warm_up, "steps": steps, "aws_seconds": canned.AWS_SECONDS}
    report = canned.report(variant.command, variant.path, plan)
    for step, measured in zip(steps, report["steps"], strict=True):
        times = batch / len(step["events"][0]["Records"])
        yield {
            "variant": name,
            "batch": batch,
            "model_seconds": step["model_seconds"],
            "runs": measured["seconds"],
            "times": times,
            "seconds": statistics.median(measured["seconds"]) * times,
            "cpu_ms": measured["cpu_ms"],
            "calls": measured["calls"],
            "peak_rss_mb": report["peak_rss_mb"],
        }


def _rounds(name: str, size: int, seconds: float, sizes: Sizes) -> int:
    return 1 if name == SERIAL and size * seconds > _LONG_SECONDS else sizes.rounds


def _events(records: Iterator[dict[str, Any]], batch: int, count: int) -> Iterator[dict[str, Any]]:
    for _ in range(count):
        yield {"Records": list(itertools.islice(records, batch))}


def table(results: dict[str, Any]) -> str:
    """Times by batch and model, what a job costs, and what our functions need from message to event."""
    cells = results["cells"]
    return "\n\n".join((_ABOUT, _times(cells), _ABOUT_COSTS, _costs(cells), _ABOUT_PATH, _paths(results["paths"])))


def _times(cells: list[dict[str, Any]]) -> str:
    names = list(dict.fromkeys(cell["variant"] for cell in cells))
    rows = []
    for (batch, seconds), found in itertools.groupby(sorted(cells, key=_size), _size):
        by_name = {cell["variant"]: cell for cell in found}
        rows.append((str(batch), f"{number(seconds)} s", *(_seconds(by_name[name]) for name in names)))
    return markdown_table(("batch", "model", *names), rows)


def _size(cell: dict[str, Any]) -> tuple[int, float]:
    return cell["batch"], cell["model_seconds"]


def _seconds(cell: dict[str, Any]) -> str:
    shown = _duration(cell["seconds"]) + ("*" if cell["times"] != 1 else "")
    return f"{shown} ({number(cell['seconds'] / cell['model_seconds'])} x)" if cell["model_seconds"] else shown


def _duration(seconds: float) -> str:
    return f"{number(seconds)} s" if seconds >= 1 else f"{number(seconds * 1000)} ms"


def _costs(cells: list[dict[str, Any]]) -> str:
    rows = [
        (cell["variant"], str(cell["batch"]), cell["cpu_ms"], _by_service(cell["calls"]), cell["peak_rss_mb"])
        for cell in cells
        if not cell["model_seconds"]
    ]
    return markdown_table(("", "batch", "processor time per job, ms", "calls per job", "peak memory, MB"), rows)


def _by_service(calls: dict[str, float]) -> str:
    services: defaultdict[str, float] = defaultdict(float)
    for operation, count in calls.items():
        services[operation.partition(":")[0]] += count
    return ", ".join(f"{service} {number(count)}" for service, count in sorted(services.items()))


def _paths(paths: dict[str, dict[str, dict[str, Any]]]) -> str:
    rows = [row for name, functions in paths.items() for row in _path(name, functions)]
    header = ("conditions", "function", "processor time per job, ms", "calls per job", "bytes of log per job")
    return markdown_table(header, rows)


def _path(conditions: str, functions: dict[str, dict[str, Any]]) -> Iterator[tuple[object, ...]]:
    for name, found in functions.items():
        yield conditions, name, found["cpu_ms"], _by_service(found["calls"]), found["log_bytes"]
    total = sum(found["cpu_ms"] for found in functions.values())
    yield conditions, "**together**", total, f"{number(_calls_to_stored_result(functions))} to the stored result", None


_ABOUT = f"""\
Each handler gets batches of the same messages, with canned responses of AWS in the process
([bench/canned.py](../bench/canned.py)): nothing but the handler's own work and the time of its calls is measured. A
call to AWS is assumed to take {canned.AWS_SECONDS * 1000:g} ms, and each handler is kept to one processor. The peers
are handlers with Powertools' BatchProcessor, and with its AsyncBatchProcessor and boto3 in 50 threads, as many as we
use (asyncio's own executor has four more than there are processors); they claim a job with Powertools' idempotency,
call the model, send the result, and log one line ([bench/usual_way](../bench/usual_way), without the tracer). In
parentheses: how many times the model's own time, which is the limit. *: measured with fewer records, and multiplied,
because the handler works on one after the other. A batch of 100 takes at least twice the model's time, because 50 jobs
run at once."""

_ABOUT_COSTS = """\
What a job costs such a handler, with a model that answers at once (memory: the peak over all rows above). Then, results
come close together, so that many share a call; with a real model, hardly any do (see the next table):"""

_ABOUT_PATH = """\
Our whole path, in batches of ten: the result handler writes the result to the row, and the event publisher announces
it. The peers' handlers do not have that. The targets are judged by the first conditions. The second ones are closer to
the processor's default memory, with which Lambda gives it 1.7 processors; its threads run on both, and the processor
time varies more from run to run. In the third ones, many results share a call."""


def plot(results: dict[str, Any], folder: Path) -> None:
    """Draw the slow batches, which differ by orders of magnitude, and the processor time side by side."""
    from bench import drawing

    cells = results["cells"]
    names = list(dict.fromkeys(cell["variant"] for cell in cells))
    slowest = max(cell["model_seconds"] for cell in cells)
    batches = sorted({cell["batch"] for cell in cells})[-2:]
    by_place = {(cell["variant"], cell["batch"], cell["model_seconds"]): cell for cell in cells}
    figure, (times, costs) = drawing.figure(2)
    groups = [f"batch of {batch}" for batch in batches]
    waits = {name: [by_place[name, batch, slowest]["seconds"] for batch in batches] for name in names}
    drawing.points(times, groups, waits, unit=f"seconds, with a model of {slowest:g} s")
    drawing.bound(times, slowest, "the model's own time")
    used = {name: [by_place[name, batch, 0]["cpu_ms"] for batch in batches] for name in names}
    drawing.bars(costs, groups, used, unit="processor time per job, ms")
    times.legend()
    drawing.save(figure, folder, "processing")
