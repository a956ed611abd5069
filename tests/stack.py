"""One local AWS, one apply and the real zips for the integration tests and the fault suite: a pytest plugin."""

from __future__ import annotations

import json
import os
import runpy
import time
import uuid
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from pytest_terraform import terraform

from ai_jobs.local import instances
from ai_jobs.local.environment import local_environment
from scripts.local_api import Api
from scripts.project import ROOT
from tests import converse_stub

WAIT_SECONDS = 60

# Leaves the fixture `stack` in this module, which works only once pytest is configured: hence a plugin that the
# conftest.py of each suite registers. Nothing is destroyed in the end: the local AWS is thrown away after the tests,
# and it would only cost half a minute.
terraform("stack", scope="session", replay=False, teardown=terraform.TEARDOWN_OFF)


@pytest.fixture(scope="session")
def outputs(request: pytest.FixtureRequest) -> SimpleNamespace:
    """The outputs of tests/stacks/stack."""
    # By name: what tests ask for themselves, pytest-terraform destroys after the last of them, off or not.
    stack: Any = request.getfixturevalue("stack")
    return SimpleNamespace(**{name: output["value"] for name, output in stack.outputs.items()})


@pytest.fixture(scope="session")
def model() -> Iterator[converse_stub.ConverseStub]:
    """The model that the functions call."""
    with converse_stub.running() as stub:
        yield stub


@pytest.fixture(scope="session", autouse=True)
def local_aws_instance(
    model: converse_stub.ConverseStub, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[instances.Instance]:
    """A local AWS of the tests' own; from here on the whole process talks to it and to nothing else."""
    folder = tmp_path_factory.mktemp("local-aws")
    before = dict(os.environ)
    with instances.running(folder, {"AWS_ENDPOINT_URL_BEDROCK_RUNTIME": model.endpoint_url}) as instance:
        os.environ.clear()
        os.environ.update(local_environment(instance.endpoint_url, before))
        files = {"authorizer.py": "authorizer.py", "layer/stack_handlers.py": "python/stack_handlers.py"}
        for variable, (source, name) in zip(("authorizer", "handlers"), files.items(), strict=True):
            package = _package(folder / f"{variable}.zip", source, name)
            os.environ[f"TF_VAR_{variable}_package"] = str(package)
        os.environ.update({"TF_VAR_acme_layer_package": str(_acme_layer(folder))})
        yield instance
        os.environ.clear()
        os.environ.update(before)


def _package(package: Path, source: str, name: str) -> Path:
    """A zip with one file of tests/stacks/stack, made anew."""
    with zipfile.ZipFile(package, "w") as archive:
        archive.write(Path(__file__).parent / "stacks/stack" / source, name)
    return package


def _acme_layer(folder: Path) -> Path:
    """The layer of examples/custom-handler, built by its own script."""
    package = folder / "acme-layer.zip"
    runpy.run_path(str(ROOT / "examples/custom-handler/acme-jobs/build_layer.py"))["build"](package)
    return package


@pytest.fixture(scope="session")
def api(outputs: SimpleNamespace, local_aws_instance: instances.Instance) -> Api:
    """The HTTP API, every call signed."""
    return Api(f"{local_aws_instance.endpoint_url}/restapis/{outputs.api_id}/{outputs.api_stage_name}/_user_request_")


def wait_for(look: Callable[[], Any], what: str) -> Any:
    """The first thing that `look` finds; the test fails when it finds nothing for a minute."""
    end = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(0.1)
    pytest.fail(f"waited {WAIT_SECONDS} s for {what}")


@pytest.fixture(scope="session")
def until() -> Callable[[Callable[[], Any], str], Any]:
    return wait_for


@pytest.fixture
def text() -> Callable[..., str]:
    """A prompt that no other job has, with the model's cue."""
    return lambda answers="200": f"{uuid.uuid4()} answers={answers}"


@pytest.fixture(scope="session")
def submit(api: Api) -> Callable[..., str]:
    """Submits an echo job over HTTP and returns its id."""

    def send(text: str, **fields: Any) -> str:
        body = {"userId": "user-1", "jobType": "echo", "input": {"text": text}} | fields
        status, answer = api.call("POST", "/jobs", json.dumps(body).encode())
        assert status == 202, answer
        return str(answer["jobId"])

    return send


@pytest.fixture(scope="session")
def ended(api: Api) -> Callable[[str], dict[str, Any]]:
    """Waits until a job is terminal and returns what GET says of it."""

    def look(job_id: str) -> dict[str, Any] | None:
        status, answer = api.call("GET", f"/jobs/{job_id}")
        assert status in (200, 404), answer
        return answer if status == 200 and answer["status"] in ("completed", "failed") else None

    return lambda job_id: wait_for(lambda: look(job_id), f"job {job_id}")


@pytest.fixture(scope="session")
def received_from() -> Callable[..., Any]:
    """Waits for the message of a job in a queue and takes it out."""
    from ai_jobs import delete_message, receive_messages

    def take(queue_url: str, job_id: str) -> Any:
        def look() -> Any:
            for message in receive_messages(queue_url, wait_seconds=0, visibility_timeout_seconds=2):
                if job_id in (message.message_id, message.attributes.get("JobId")):
                    delete_message(queue_url, message.receipt_handle)
                    return message
            return None

        return wait_for(look, f"a message of job {job_id} in {queue_url}")

    return take


class Pauses:
    """Pauses queue triggers: call it with a function's name; `resume` starts all of them again."""

    def __init__(self) -> None:
        self._client = boto3.client("lambda")
        self._stopped: list[str] = []

    def __call__(self, function: str) -> None:
        self._switch(function, enabled=False)
        self._stopped.append(function)
        time.sleep(1)  # a poll that is already under way would still take a message

    def resume(self) -> None:
        while self._stopped:
            self._switch(self._stopped.pop(), enabled=True)

    def _switch(self, function: str, *, enabled: bool) -> None:
        (mapping,) = self._client.list_event_source_mappings(FunctionName=function)["EventSourceMappings"]
        self._client.update_event_source_mapping(UUID=mapping["UUID"], Enabled=enabled)


@pytest.fixture
def paused(outputs: SimpleNamespace) -> Iterator[Pauses]:
    """Pauses a function's queue trigger, until the end of the test at the latest."""
    pauses = Pauses()
    yield pauses
    pauses.resume()


@pytest.fixture
def logged(outputs: SimpleNamespace) -> Callable[..., list[dict[str, Any]]]:
    """A function's log lines with this message; the processor's unless said otherwise."""

    def read(message: str, function: str = outputs.processor_function_name) -> list[dict[str, Any]]:
        group = f"/aws/lambda/{function}"
        pages = boto3.client("logs").get_paginator("filter_log_events").paginate(logGroupName=group)
        texts = [event["message"] for page in pages for event in page["events"]]
        lines = [json.loads(line) for text in texts for line in text.splitlines() if line.startswith("{")]
        return [line for line in lines if line.get("message") == message]

    return read
