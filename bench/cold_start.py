"""Section 2: a cold start, from the import of a handler to the first request that leaves the process."""

from __future__ import annotations

import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import canned, peers
from bench.markdown import table as markdown_table
from bench.sections import Scale
from scripts import package
from scripts.project import DIST, Failure

if TYPE_CHECKING:
    from collections.abc import Iterator

TITLE = "Cold start"
PICTURE = "Bars: milliseconds from the import to the first request, for our five functions, the usual way, and boto3."
USUAL, BARE, NOTHING = "the usual way", "one bare boto3 client", "python -c pass"

_ROUNDS = {Scale.FULL: 5, Scale.SMOKE: 1}
_PATIENCE_SECONDS = 20
_SCRIPT = Path(__file__).with_name("fresh_start.py")
_USUAL_WAY = Path(__file__).with_name("usual_way")

# Without LAMBDA_TASK_ROOT, Powertools' tracer would do nothing. Nobody listens for its UDP packets.
_ON_LAMBDA = {"LAMBDA_TASK_ROOT": "/var/task", "PATH": os.environ["PATH"]}
_MORE_SETTINGS = {"AI_JOB_AUTHORIZATION": "AWS_IAM", "AI_JOB_MAX_WAIT_SECONDS": "20"}


@dataclass(frozen=True)
class Start:
    """A handler, what is on its path, and the event that it gets."""

    module: str
    path: list[str]
    event: dict[str, Any]


def measure(scale: Scale) -> dict[str, Any]:
    """Start each handler in turn, round after round; the first round only warms the disk's cache."""
    package.build()
    with tempfile.TemporaryDirectory() as folder:
        starts = _starts(Path(folder), with_usual_way=scale is Scale.FULL)
        runs: dict[str, dict[str, list[float]]] = {name: {"ms": [], "cpu_ms": []} for name in (*starts, NOTHING)}
        for _ in range(_ROUNDS[scale] + 1):
            for name, taken in runs.items():
                wall, cpu = _first_request(starts[name]) if name in starts else _nothing()
                taken["ms"].append(wall * 1000)
                taken["cpu_ms"].append(cpu * 1000)
    measured = {name: {unit: values[1:] for unit, values in taken.items()} for name, taken in runs.items()}
    medians = {name: {unit: statistics.median(of) for unit, of in taken.items()} for name, taken in measured.items()}
    return {"runs": measured, "medians": medians, "figures": _figures(medians)}


def _figures(medians: dict[str, dict[str, float]]) -> dict[str, float]:
    figures = {"processor_ms": medians["processor"]["ms"]}
    if USUAL in medians:
        figures["share_of_the_usual_way"] = medians["processor"]["ms"] / medians[USUAL]["ms"]
    return figures


def _starts(folder: Path, *, with_usual_way: bool) -> dict[str, Start]:
    paths = {bundle.name: str(_unpacked(folder, bundle.name)) for bundle in package.BUNDLES}
    events = _events()
    starts = {name: Start(f"{name}.handler", [path], events[name]) for name, path in paths.items()}
    if with_usual_way:
        starts[USUAL] = Start("bench.usual_way.handler", [str(_usual_way(folder))], events["processor"])
    alone = [paths["processor"], str(_USUAL_WAY)]
    return starts | {BARE: Start("bare_client", alone, {"queue_url": canned.ENVIRONMENT["AI_JOB_REQUEST_QUEUE_URL"]})}


def _unpacked(folder: Path, name: str) -> Path:
    zipfile.ZipFile(DIST / f"{name}.zip").extractall(folder / name)
    return folder / name


def _usual_way(folder: Path) -> Path:
    """What `pip install -t` and `zip` put together, without byte code."""
    (site,) = (peers.python().parent.parent / "lib").glob("python*/site-packages")
    target = folder / "usual-way"
    without = shutil.ignore_patterns("__pycache__")
    shutil.copytree(site, target, ignore=without)
    shutil.copytree(_USUAL_WAY, target / "bench" / "usual_way", ignore=without)
    return target


def _events() -> dict[str, dict[str, Any]]:
    """An event for each function that makes it call AWS."""
    (job,) = canned.submitted(1)
    moment = "2026-01-31T12:00:00.000Z"
    names = {"jobId": "job-1", "userId": "user-1", "jobType": "echo"}
    result = names | {"attempt": 1, "status": "completed", "result": {"text": "hello"}, "timestamp": moment}
    row = {name: {"S": value} for name, value in (names | {"createdAt": moment}).items()}
    ended = row | {"status": {"S": "completed"}, "completedAt": {"S": moment}}
    path = "/jobs/job-1"
    return {
        "processor": {"Records": [job]},
        "result_handler": {"Records": [canned.sqs_record(1, json.dumps(result), {"UserId": "user-1"})]},
        "event_publisher": {"Records": list(canned.stream_records([(row, ended)]))},
        "jobs_api": {
            "httpMethod": "GET",
            "resource": "/jobs/{jobId}",
            "path": path,
            "pathParameters": {"jobId": "job-1"},
            "requestContext": {"path": path},
        },
        "reconciler": {},
    }


def _first_request(start: Start) -> tuple[float, float]:
    """Seconds from the import to the first request, and of processor time, that of Python's own start included."""
    with socket.create_server(("127.0.0.1", 0)) as door, _started(start, door.getsockname()[1]) as child:
        assert child.stdout is not None
        began = float(child.stdout.readline() or "nan")
        door.settimeout(_PATIENCE_SECONDS)
        try:
            caller, _ = door.accept()
        except TimeoutError:
            raise Failure(f"{start.module} made no request within {_PATIENCE_SECONDS} s") from None
        with caller:
            caller.recv(1)
            took = time.monotonic() - began
            child.kill()
            _, _, used = os.wait4(child.pid, 0)
            child.returncode = -1
    return took, used.ru_utime + used.ru_stime


@contextmanager
def _started(start: Start, port: int) -> Iterator[subprocess.Popen[str]]:
    settings = canned.ENVIRONMENT | _MORE_SETTINGS | _ON_LAMBDA | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}
    # -B: the usual way stays without byte code.
    command = [sys.executable, "-I", "-S", "-B", str(_SCRIPT)]
    with subprocess.Popen(command, env=settings, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin is not None
        json.dump({"module": start.module, "path": start.path, "event": start.event}, child.stdin)
        child.stdin.close()
        try:
            yield child
        finally:
            if child.returncode is None:
                child.kill()


def _nothing() -> tuple[float, float]:
    began, before = time.monotonic(), os.times()
    subprocess.run([sys.executable, "-I", "-S", "-c", "pass"], check=True)
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return time.monotonic() - began, used


def table(results: dict[str, Any]) -> str:
    """One row for each handler."""
    medians = results["medians"]
    usual, bare = medians.get(USUAL, {}).get("ms"), medians[BARE]["ms"]
    rows = [
        (f"**{name}**" if name in (USUAL, BARE, NOTHING) else name, found["ms"], found["cpu_ms"])
        + ((usual and found["ms"] / usual, found["ms"] / bare) if name != NOTHING else (None, None))
        for name, found in medians.items()
    ]
    header = ("handler", "ms to the first request", "ms of processor time", "x the usual way", "x a bare client")
    return f"{_EXPLANATION}\n{markdown_table(header, rows)}"


_EXPLANATION = """\
Each handler starts in a fresh Python 3.13 with nothing but its zip on the path, is imported, and gets an event; the
clock stops when the first byte of its first request to AWS arrives at a socket. *The usual way* is a processor written
with Powertools' batch, idempotency, parser, and tracer ([bench/usual_way](../bench/usual_way)), with all of boto3 and
without byte code. The floor is one boto3 client, from our zip, that sends a message. `python -c pass` is a whole
process; the clock of the others starts after that, but their processor time includes it.
"""


def plot(results: dict[str, Any], folder: Path) -> None:
    """Draw the bars, with the target as a share of the usual way."""
    from bench import drawing

    medians = {name: found["ms"] for name, found in results["medians"].items() if name != NOTHING}
    figure, (axes,) = drawing.figure(height=3.2)
    drawing.rows(axes, medians, peers=(USUAL,), floor=(BARE,), unit="ms from the import to the first request")
    if USUAL in medians:
        drawing.bound(axes, 0.3 * medians[USUAL], "target: 0.3 x the usual way", vertical=True)
        axes.legend(loc="lower right")
    drawing.save(figure, folder, "cold_start")
