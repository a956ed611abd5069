"""A local AWS: one MiniStack on loopback that checks signatures and IAM policies (AUTH=true), and the local model,
which the functions call in place of Bedrock.

AI_JOBS_LOCAL_PORT sets MiniStack's port (default 4566); the model is on a free one. The state file, the logs, and
temporary folders are in the folder of the instance. Tests that need their own use `running()`, which picks a free port
and stops the instance afterward; they bring their own model.
"""

from __future__ import annotations

import contextlib
import http.client
import importlib.util
import json
import os
import shutil
import sys
import time
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from ai_jobs.local.environment import local_environment
from ai_jobs.local.failure import Failure
from ai_jobs.local.processes import HOST, Server, free_port, identity_of, is_listening, is_taken, launch

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

DEFAULT_PORT = 4566
PORT_VARIABLE = "AI_JOBS_LOCAL_PORT"
MODEL_VARIABLE = "AWS_ENDPOINT_URL_BEDROCK_RUNTIME"
RUNTIME = (3, 13)
"""The Python of the functions (runtime in modules/function)."""

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


def start(folder: Path, port: int | None = None, stop_command: str = "ai-jobs local down") -> Instance:
    """The running instance, or a new one with a local model.

    Args:
        stop_command: what the user stops it with, for messages.

    Raises:
        Failure: if it can't run here, or if an instance runs on a port other than the one given: whatever is on it
            would be lost.
    """
    found = status(folder)
    # One without a model was started by a version that had none, and its functions would call MiniStack's own mock.
    if found and found.model:
        if port not in {None, found.port}:
            raise Failure(
                f"{PORT_VARIABLE} is {port}, but the local AWS of this folder already runs at {found.endpoint_url}, "
                f"with its stack and its jobs. To use it, unset {PORT_VARIABLE}. To start an empty one on port {port}, "
                f"stop it first: {stop_command}"
            )
        return found
    stop(folder)  # removes what a killed instance left behind
    model_port = free_port()
    return _launch(folder, port or DEFAULT_PORT, {MODEL_VARIABLE: f"http://{HOST}:{model_port}"}, model_port)


def status(folder: Path) -> Instance | None:
    """The instance in the state file, if it is still running, and its model too."""
    instance = _recorded(folder)
    return instance if instance and instance.is_whole() else None


def stop(folder: Path) -> bool:
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
    _require_runtime()
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


def _require_runtime() -> None:
    """Check that this Python can run MiniStack and, in it, the functions. Raises a Failure if it can't."""
    if sys.version_info[:2] != RUNTIME:
        wanted, found = (".".join(map(str, version[:2])) for version in (RUNTIME, sys.version_info))
        raise Failure(
            f"this is Python {found}, and the functions run in the same Python as this command: they need {wanted}. "
            f"Install ai-jobs[local] in a virtual environment of Python {wanted}."
        )
    if importlib.util.find_spec("ministack") is None:
        raise Failure("MiniStack, the local AWS, is not installed. Install it with: pip install 'ai-jobs[local]'")


def _ministack(folder: Path, port: int, extra_environment: Mapping[str, str]) -> _Launched:
    environment = _environment(port, folder / "tmp") | dict(extra_environment)
    log = folder / "ministack.log"
    process = launch([sys.executable, "-m", "ai_jobs.local.emulator"], folder, environment, log)
    return _Launched("MiniStack", process, port, log, _is_healthy)


def _model(folder: Path, port: int) -> _Launched:
    log = folder / "model.log"
    command = [sys.executable, "-m", "ai_jobs.local.model", str(port)]
    return _Launched("the local model", launch(command, folder, _own_environment(), log), port, log, is_listening)


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
