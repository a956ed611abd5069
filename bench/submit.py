"""Submitting jobs over HTTP: PUT and POST beside GET by id, and what the local AWS itself can do."""

from __future__ import annotations

import contextlib
import json
import statistics
import time
import uuid
from typing import TYPE_CHECKING, Any

from bench import local_system
from bench.load import Request, closed_loop, open_loop, percentiles, signed, sqs_request
from bench.markdown import table as markdown_table
from bench.sections import Scale
from scripts.project import Failure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from bench.local_system import LocalSystem

TITLE = "Submitting a job"
PICTURE = "Milliseconds of PUT, POST, and GET by id, next to a method of the local AWS that does nothing."

# How many requests to send, by callers in a closed loop and by rate in an open one. A smoke run sends a few.
CALLERS = {1: 50, 16: 64}
RATES = {20: 20, 100: 100}
_SMOKE_REQUESTS = 4
_ROUNDS = 2
_WARM_UPS = 3

_LABELS = {
    "put": "`PUT /jobs/{jobId}`",
    "get": "`GET /jobs/{jobId}`",
    "post": "`POST /jobs`",
    "send": "one `SendMessage`",
    "nothing": "a method that does nothing",
}
_INTRODUCTION = """\
The processor is paused meanwhile. Each request is signed beforehand, and the routes take turns. At a fixed rate,
latencies count from when a request was due, so that a stall shows in all requests that it delays. The last two lines
are the limit on this machine: the local AWS's gateway with a mock method behind it, and the bare SQS call that
`POST /jobs` makes. `PUT` runs a function that writes a row and sends a message; `GET` runs one that reads a row.

Cells are p50 / p99 in milliseconds, medians of {rounds} rounds with as many requests as the heading says: with fewer
than 100, the p99 is the slowest one.
"""


def measure(scale: Scale) -> dict[str, Any]:
    """Time every route in every mode, in turns."""
    system = local_system.shared()
    routes = _Routes(system, max(*CALLERS.values(), *RATES.values()) if scale is Scale.FULL else _SMOKE_REQUESTS)
    rounds = _ROUNDS if scale is Scale.FULL else 1
    with system.paused("processor"):
        time.sleep(1)  # a poll that is already under way would still take jobs
        modes = _modes()
        _warm_up(routes, modes)
        routes.submit_known()
        runs = [
            {name: {mode: percentiles(send(routes.requests(name))) for mode, send in modes.items()} for name in _LABELS}
            for _ in range(rounds)
        ]
    system.client("sqs").purge_queue(QueueUrl=system.outputs["request_queue_url"])
    medians = _medians(runs)
    alone = mode_name(callers=1)
    ratio = medians["put"][alone]["p50_ms"] / medians["get"][alone]["p50_ms"]
    return {"runs": runs, "medians": medians, "figures": {"put_to_get": round(ratio, 2)}}


def table(results: dict[str, Any]) -> str:
    """Each route's p50 and p99 by mode."""
    medians = results["medians"]
    modes = list(medians["put"])
    rows = [[label, *(_cell(medians[name][mode]) for mode in modes)] for name, label in _LABELS.items()]
    header = ("", *(f"{mode} ({_REQUESTS[mode]})" for mode in modes))
    introduction = _INTRODUCTION.format(rounds=len(results["runs"]))
    ratio = f"\nOne caller's PUT takes {results['figures']['put_to_get']} times as long as its GET by id."
    return f"{introduction}\n{markdown_table(header, rows)}\n{ratio}"


def plot(results: dict[str, Any], folder: Path) -> None:
    """The p50 of each route, by mode."""
    # Only here: measuring needs no matplotlib.
    from bench import drawing

    figure, (axes,) = drawing.figure(height=3.6)
    medians = results["medians"]
    modes = list(medians["put"])
    series = {
        label.replace("`", ""): [medians[name][mode]["p50_ms"] for mode in modes]
        for name, label in _LABELS.items()
        if name != "nothing"
    }
    drawing.bars(axes, modes, series, unit="p50, ms")
    limit = medians["nothing"][mode_name(callers=1)]["p50_ms"]
    drawing.bound(axes, limit, "a method that does nothing, 1 caller")
    figure.legend(loc="outside lower center", ncols=3, fontsize=9)
    drawing.save(figure, folder, "submit")


def mode_name(*, callers: int = 0, rate: int = 0) -> str:
    """How the page calls so many callers, or so many requests per second."""
    if rate:
        return f"{rate} per second"
    return f"{callers} caller{'s' if callers > 1 else ''}"


_REQUESTS = {mode_name(callers=callers): count for callers, count in CALLERS.items()}
_REQUESTS |= {mode_name(rate=rate): count for rate, count in RATES.items()}


def _modes() -> dict[str, Callable[[Sequence[Request]], list[float]]]:
    """What sends some of the given requests and returns their latencies, by the mode's name."""
    closed = {mode_name(callers=callers): _closed(callers, count) for callers, count in CALLERS.items()}
    return closed | {mode_name(rate=rate): _open(rate, count) for rate, count in RATES.items()}


def _warm_up(routes: _Routes, modes: Mapping[str, Callable[[Sequence[Request]], list[float]]]) -> None:
    """Start as many workers as each mode needs. While they start, a PUT may get a 503, as any client's may."""
    for send in modes.values():
        for _ in range(_WARM_UPS):
            with contextlib.suppress(Failure):
                send(routes.requests("put"))
                break


def _closed(callers: int, count: int) -> Callable[[Sequence[Request]], list[float]]:
    return lambda requests: [sent.seconds for sent in closed_loop(requests[:count], callers)]


def _open(rate: int, count: int) -> Callable[[Sequence[Request]], list[float]]:
    return lambda requests: [sent.seconds for sent in open_loop(requests[:count], rate)]


def _medians(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """The median of each number over the rounds, by route and mode."""
    return {
        name: {
            mode: {rank: statistics.median(run[name][mode][rank] for run in runs) for rank in ranks}
            for mode, ranks in modes.items()
        }
        for name, modes in runs[0].items()
    }


def _cell(ranks: dict[str, float]) -> str:
    return f"{ranks['p50_ms']:.1f} / {ranks['p99_ms']:.1f}"


class _Routes:
    """Requests for each route; those for PUT and POST submit new jobs, and those for GET ask for existing ones."""

    def __init__(self, system: LocalSystem, count: int) -> None:
        self._outputs = system.outputs
        self._endpoint_url = system.instance.endpoint_url
        self._count = count
        self._known: list[str] = []

    def submit_known(self) -> None:
        """Submit the jobs that GET asks for."""
        self._known = [str(uuid.uuid4()) for _ in range(self._count)]
        closed_loop([self._put_job(job_id) for job_id in self._known], 1)

    def requests(self, route: str) -> list[Request]:
        """New requests for a route."""
        return [getattr(self, f"_{route}")(number) for number in range(self._count)]

    def _put(self, _: int) -> Request:
        return self._put_job(str(uuid.uuid4()))

    def _put_job(self, job_id: str) -> Request:
        return self._http("PUT", f"/jobs/{job_id}", _job(), 202)

    def _post(self, _: int) -> Request:
        return self._http("POST", "/jobs", _job(), 202)

    def _get(self, number: int) -> Request:
        return self._http("GET", f"/jobs/{self._known[number]}", None, 200)

    def _nothing(self, _: int) -> Request:
        return self._http("PATCH", "/jobs", None, 405)

    def _send(self, _: int) -> Request:
        message = {"QueueUrl": self._outputs["request_queue_url"], "MessageBody": _job().decode()}
        return sqs_request(self._endpoint_url, "SendMessage", message)

    def _http(self, method: str, path: str, body: bytes | None, expected: int) -> Request:
        headers = {"Content-Type": "application/json"} if body else {}
        return signed("execute-api", method, self._outputs["api_url"] + path, body, headers, expected)


def _job() -> bytes:
    job = {"userId": "user-1", "jobType": "echo", "input": {"text": "How long does it take to submit this?"}}
    return json.dumps(job).encode()
