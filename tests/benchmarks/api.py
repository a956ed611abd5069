"""What the jobs API costs, on the local stack: its routes, a wait, and the cold start of its function.

make benchmark

It takes the stack of `make local-up`, or starts it and stops it again. Times are those of a client on this machine,
with signing and a new connection for each request; they are measured in turns, so that ratios carry over.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "functions")]

from ai_jobs.operate.triggers import find_trigger, switch_trigger
from scripts import local_aws, local_stack
from scripts.local_api import Api
from scripts.project import DIST, Failure, local_environment, run

ROUNDS = 150
WAIT_SECONDS = 10
COLD_STARTS = 15
SWITCH_SECONDS = 30
JOB = json.loads(ROOT.joinpath("examples/jobs/social-media.json").read_text())

# -S: of the packages only what is in the zip.
_IMPORT = """
import sys, time
started = time.perf_counter()
sys.path.insert(0, sys.argv[1])
__import__(sys.argv[2])
print(time.perf_counter() - started)
"""


@contextlib.contextmanager
def stack() -> Iterator[dict[str, Any]]:
    """The outputs of the local stack; one that did not run before is stopped afterwards."""
    ran = local_aws.status() is not None
    instance = local_stack.up()
    os.environ |= local_environment(instance.endpoint_url)
    try:
        yield local_stack.outputs()
    finally:
        if not ran:
            local_stack.down()


@contextlib.contextmanager
def no_workers(outputs: dict[str, Any]) -> Iterator[None]:
    """Nobody works on the jobs meanwhile: that would be measured too."""
    trigger = find_trigger(outputs["processor_function_name"], outputs["request_queue_arn"])
    if trigger is None:
        raise Failure("the processor has no trigger: run make local-down, then this again")
    switch_trigger(trigger, enabled=False, timeout_seconds=SWITCH_SECONDS)
    try:
        yield
    finally:
        switch_trigger(trigger, enabled=True, timeout_seconds=SWITCH_SECONDS)


def timed(api: Api, method: str, path: str, body: bytes | None, expected: int) -> float:
    """Milliseconds of one request."""
    started = time.perf_counter()
    status, _, answer = api.request(method, path, body)
    took = (time.perf_counter() - started) * 1000
    if status != expected:
        raise Failure(f"{method} {path} was answered {status}: {answer}")
    return took


def routes(api: Api) -> dict[str, list[float]]:
    """Milliseconds by route, one request of each in turn."""
    times: dict[str, list[float]] = {"PUT": [], "GET by id": [], "POST": [], "GET list": []}
    body = json.dumps(JOB).encode()
    for _ in range(ROUNDS + 1):
        path = f"/jobs/{uuid.uuid4()}"
        times["PUT"].append(timed(api, "PUT", path, body, 202))
        times["GET by id"].append(timed(api, "GET", path, None, 200))
        times["POST"].append(timed(api, "POST", "/jobs", body, 202))
        times["GET list"].append(timed(api, "GET", f"/jobs?userId={JOB['userId']}&limit=10", None, 200))
    return {name: taken[1:] for name, taken in times.items()}  # the first found a cold function


def variables(function: str) -> dict[str, str]:
    """The environment of a deployed function."""
    found = boto3.client("lambda").get_function_configuration(FunctionName=function)
    return dict(found["Environment"]["Variables"])


def reads_of_a_wait(api: Api, function: str) -> float:
    """Reads of the table a second while one caller waits: the function's own code, here, on the stack's table."""
    os.environ |= variables(function) | {"POWERTOOLS_LOG_LEVEL": "ERROR"}
    handler = importlib.import_module("jobs_api.handler")
    clients = importlib.import_module("ai_jobs.aws.clients")
    reads: list[str] = []
    for operation in ("GetItem", "Query", "Scan", "BatchGetItem"):
        event = f"before-call.dynamodb.{operation}"
        clients.get_dynamodb_client().meta.events.register(event, lambda model, **_: reads.append(model.name))
    job_id = str(uuid.uuid4())
    timed(api, "PUT", f"/jobs/{job_id}", json.dumps(JOB).encode(), 202)
    started = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):  # its metrics
        answer = handler.handler(_event(job_id), _Context())
    took = time.perf_counter() - started
    if (answer["statusCode"], json.loads(answer["body"])["status"]) != (200, "queued"):
        raise Failure(f"the wait was answered {answer}")
    return len(reads) / took


def _event(job_id: str) -> dict[str, Any]:
    path = f"/jobs/{job_id}"
    return {
        "httpMethod": "GET",
        "resource": "/jobs/{jobId}",
        "path": path,
        "pathParameters": {"jobId": job_id},
        "multiValueQueryStringParameters": {"wait": [str(WAIT_SECONDS)]},
        "requestContext": {"path": path},
    }


class _Context:
    function_name = "benchmark"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:us-east-1:000000000000:function:benchmark"
    aws_request_id = "benchmark"

    def get_remaining_time_in_millis(self) -> int:
        return 29_000


def cold_starts(functions: dict[str, str]) -> dict[str, list[float]]:
    """Milliseconds of a fresh Python's import of each handler out of its zip.

    Args:
        functions: the deployed function's name by that of the package.
    """
    times: dict[str, list[float]] = {package: [] for package in functions}
    environments = {package: local_environment() | variables(name) for package, name in functions.items()}
    with tempfile.TemporaryDirectory() as folder:
        for package in functions:
            zipfile.ZipFile(DIST / f"{package}.zip").extractall(Path(folder, package))
        for _ in range(COLD_STARTS + 1):
            for package, taken in times.items():
                command = [sys.executable, "-I", "-S", "-c", _IMPORT, str(Path(folder, package)), f"{package}.handler"]
                done = subprocess.run(command, env=environments[package], check=True, capture_output=True, text=True)
                taken.append(float(done.stdout.split()[-1]) * 1000)
    return {package: taken[1:] for package, taken in times.items()}  # the first found a cold disk


def main() -> None:
    with stack() as outputs:
        api = Api(outputs["api_url"])
        with no_workers(outputs):
            p50 = {name: statistics.median(taken) for name, taken in routes(api).items()}
            reads = reads_of_a_wait(api, outputs["jobs_api_function_name"])
        starts = cold_starts({name: outputs[f"{name}_function_name"] for name in ("jobs_api", "processor")})
    print(
        "jobs API, p50: " + ", ".join(f"{name} {taken:.1f} ms" for name, taken in p50.items()) + f" ({ROUNDS} rounds)"
    )
    print(f"PUT takes {p50['PUT'] / p50['GET by id']:.2f} x as long as GET by id (at most 2 x wanted)")
    print(f"a wait of {WAIT_SECONDS} s: {reads:.2f} reads of the table a second (at most 1 wanted)")
    ours, other = (statistics.median(starts[name]) for name in ("jobs_api", "processor"))
    print(
        f"cold start (import): jobs_api {ours:.0f} ms, processor {other:.0f} ms, medians of {COLD_STARTS}: "
        f"{ours / other:.2f} x (at most 1.2 x wanted)"
    )


if __name__ == "__main__":
    run(main)
