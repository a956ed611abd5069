"""Starts and stops the local AWS: one MiniStack on loopback that checks signatures and IAM policies (AUTH=true), and
the local model, which the functions call in place of Bedrock.

    python -m scripts.local_aws start | stop | status

AI_JOBS_LOCAL_PORT sets MiniStack's port (default 4566); the model is on a free one. The state file, the logs, and
temporary folders are in .local/. Tests that need their own instance use `running()`, which picks a free port and stops
the instance afterward; they bring their own model.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import shutil
import sys
import time
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from scripts.background import HOST, Server, free_port, identity_of, is_listening, is_taken, launch
from scripts.project import LOCAL, ROOT, Failure, local_environment, run

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

DEFAULT_PORT = 4566
PORT_VARIABLE = "AI_JOBS_LOCAL_PORT"
MODEL_VARIABLE = "AWS_ENDPOINT_URL_BEDROCK_RUNTIME"
START_SECONDS = 30
# Settings for the caller's own MiniStack or LocalStack, which would change what ours does.
FOREIGN_PREFIXES = ("MINISTACK_", "LOCALSTACK_", "LAMBDA_")
FOREIGN_NAMES = {"EDGE_PORT", "PERSIST_STATE", "S3_PERSIST", "SERVICES", "USE_SSL", "PYTHONPATH", "PYTHONHOME"}


@dataclass(frozen=True)
class Instance(Server):
    """A MiniStack that this project started.

    Attributes:
        model: the local model that its functions call; None if they call another one.
    """

    model: Server | None = None

    def is_whole(self) -> bool:
        """Is everything that was started still running?"""
        return self.is_running() and (self.model is None or self.model.is_running())


def start(folder: Path = LOCAL, port: int | None = None) -> Instance:
    """The running instance, or a new one with a local model.

    Raises:
        Failure: if an instance runs on a port other than the one given: whatever is on it would be lost.
    """
    found = status(folder)
    # One without a model was started by a version that had none, and its functions would call MiniStack's own mock.
    if found and found.model:
        if port not in {None, found.port}:
            raise Failure(
                f"{PORT_VARIABLE} is {port}, but the local AWS of this folder already runs at {found.endpoint_url}, "
                f"with its stack and its jobs. To use it, unset {PORT_VARIABLE}. To start an empty one on port {port}, "
                "stop it first: make local-down"
            )
        return found
    stop(folder)  # removes what a killed instance left behind
    model_port = free_port()
    return _launch(folder, port or DEFAULT_PORT, {MODEL_VARIABLE: f"http://{HOST}:{model_port}"}, model_port)


def status(folder: Path = LOCAL) -> Instance | None:
    """The instance in the state file, if it is still running, and its model too."""
    instance = _recorded(folder)
    return instance if instance and instance.is_whole() else None


def stop(folder: Path = LOCAL) -> bool:
    """End the running instance, or what is left of it, and remove its files; False if nothing was running."""
    instance = _recorded(folder)
    servers = [instance, instance.model] if instance else []
    ended = [server.end() for server in servers if server]
    _state_file(folder).unlink(missing_ok=True)
    shutil.rmtree(folder / "tmp", ignore_errors=True)
    return any(ended)


@contextlib.contextmanager
def running(folder: Path, extra_environment: Mapping[str, str] | None = None) -> Iterator[Instance]:
    """A separate instance on a free port, for tests; the functions' workers inherit the extra environment."""
    try:
        yield _launch(folder, free_port(), extra_environment)
    finally:
        stop(folder)


def port_from_environment() -> int | None:
    text = os.environ.get(PORT_VARIABLE, "")
    if not text:
        return None
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise Failure(f'{PORT_VARIABLE} is "{text}". It must be a port number from 1 to 65535.')
    return int(text)


def _state_file(folder: Path) -> Path:
    return folder / "ministack.json"


def _recorded(folder: Path) -> Instance | None:
    """What was last started in this folder, whatever has become of it."""
    try:
        document = json.loads(_state_file(folder).read_text(encoding="utf-8"))
        instance = Instance(**document)
        return replace(instance, model=Server(**document["model"]) if instance.model else None)
    except (OSError, ValueError, TypeError):
        return None


@dataclass(frozen=True)
class _Launched:
    """A process that was started, and may not serve yet."""

    name: str
    process: subprocess.Popen[bytes]
    port: int
    log: Path
    serves: Callable[[int], bool]

    def server(self) -> Server:
        return Server(self.process.pid, identity_of(self.process.pid) or "", self.port)

    def wait(self, deadline: float) -> None:
        """Wait until it serves. Raises a Failure with the end of its log if it does not."""
        while not self.serves(self.port):
            if self.process.poll() is not None or time.monotonic() > deadline:
                tail = "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])
                raise Failure(f"{self.name} did not start on port {self.port}. The end of {self.log}:\n{tail}")
            time.sleep(0.05)


def _launch(
    folder: Path, port: int, extra_environment: Mapping[str, str] | None = None, model_port: int | None = None
) -> Instance:
    if is_taken(port):
        raise Failure(
            f"port {port} on {HOST} is in use by {_who_listens(port)}. "
            f"Stop that, or choose another port, for example: {PORT_VARIABLE}={port + 1}"
        )
    (folder / "tmp").mkdir(parents=True, exist_ok=True)
    launched = [_ministack(folder, port, extra_environment or {})]
    if model_port:
        launched.append(_model(folder, model_port))
    # Immediately, so that an interrupted start can still be stopped.
    _remember(folder, launched)
    deadline = time.monotonic() + START_SECONDS
    try:
        for one in launched:
            one.wait(deadline)
    except Failure:
        stop(folder)
        raise
    # Again, because some builds of Python first replace themselves with another command.
    return _remember(folder, launched)


def _ministack(folder: Path, port: int, extra_environment: Mapping[str, str]) -> _Launched:
    environment = _environment(port, folder / "tmp") | dict(extra_environment)
    log = folder / "ministack.log"
    process = launch([sys.executable, "-m", "ministack"], folder, environment, log)
    return _Launched("MiniStack", process, port, log, _is_healthy)


def _model(folder: Path, port: int) -> _Launched:
    log = folder / "model.log"
    command = [sys.executable, "-m", "scripts.local_model", str(port)]
    return _Launched("the local model", launch(command, ROOT, _own_environment(), log), port, log, is_listening)


def _remember(folder: Path, launched: list[_Launched]) -> Instance:
    ministack, *others = [one.server() for one in launched]
    instance = Instance(**asdict(ministack), model=others[0] if others else None)
    _state_file(folder).write_text(json.dumps(asdict(instance)), encoding="utf-8")
    return instance


def _own_environment() -> dict[str, str]:
    return {
        name: value
        for name, value in local_environment().items()
        if not name.startswith(FOREIGN_PREFIXES) and name not in FOREIGN_NAMES
    }


def _environment(port: int, temporary: Path) -> dict[str, str]:
    return _own_environment() | {
        "BIND_HOST": HOST,
        "GATEWAY_PORT": str(port),
        "AUTH": "true",
        # Listeners that are not needed here, and that BIND_HOST does not restrict to loopback.
        "IOT_MTLS_ENABLED": "false",
        "SFTP_ENABLED": "false",
        # Keeps the folders that the functions' workers leave behind in one place.
        "TMPDIR": str(temporary),
    }


def _who_listens(port: int) -> str:
    return "a MiniStack that was not started from this folder" if _is_healthy(port) else "another program"


def _is_healthy(port: int) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=1)
    try:
        connection.request("GET", "/_ministack/health")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m scripts.local_aws", description="The local AWS.")
    parser.add_argument("command", choices=["start", "stop", "status"])
    command = parser.parse_args().command
    if command == "stop":
        print("The local AWS is stopped." if stop() else "The local AWS was not running.")
        return
    instance = start(port=port_from_environment()) if command == "start" else status()
    print(_described(instance) if instance else "The local AWS is not running.")


def _described(instance: Instance) -> str:
    text = f"MiniStack is running at {instance.endpoint_url} (process {instance.pid})"
    model = instance.model
    return f"{text}, and the model at {model.endpoint_url} (process {model.pid})" if model else text


if __name__ == "__main__":
    run(main)
