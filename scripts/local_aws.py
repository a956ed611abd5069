"""Starts and stops the local AWS: one MiniStack on loopback that checks signatures and IAM policies (AUTH=true).

    python -m scripts.local_aws start | stop | status

AI_JOBS_LOCAL_PORT sets the port (default 4566). The state file, the log, and temporary folders are in .local/.
Tests that need their own instance use `running()`, which picks a free port and stops the instance afterward.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.project import LOCAL, Failure, local_environment, run

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

HOST = "127.0.0.1"
DEFAULT_PORT = 4566
PORT_VARIABLE = "AI_JOBS_LOCAL_PORT"
START_SECONDS = 30
STOP_SECONDS = 10
# Settings for the caller's own MiniStack or LocalStack, which would change what ours does.
FOREIGN_PREFIXES = ("MINISTACK_", "LOCALSTACK_", "LAMBDA_")
FOREIGN_NAMES = {"EDGE_PORT", "PERSIST_STATE", "S3_PERSIST", "SERVICES", "USE_SSL", "PYTHONPATH", "PYTHONHOME"}


@dataclass(frozen=True)
class Instance:
    """A MiniStack that this project started. Its identity distinguishes its process from a later one with that id."""

    pid: int
    identity: str
    port: int

    @property
    def endpoint_url(self) -> str:
        return f"http://{HOST}:{self.port}"


def start(folder: Path = LOCAL, port: int | None = None) -> Instance:
    """The running instance, or a new one.

    Raises:
        Failure: if an instance runs on a port other than the one given: whatever is on it would be lost.
    """
    found = status(folder)
    if found:
        if port not in {None, found.port}:
            raise Failure(
                f"{PORT_VARIABLE} is {port}, but the local AWS of this folder already runs at {found.endpoint_url}, "
                f"with its stack and its jobs. To use it, unset {PORT_VARIABLE}. To start an empty one on port {port}, "
                "stop it first: make local-down"
            )
        return found
    stop(folder)  # removes what a killed instance left behind
    return _launch(folder, port or DEFAULT_PORT)


def status(folder: Path = LOCAL) -> Instance | None:
    """The instance in the state file, if it is still running."""
    try:
        instance = Instance(**json.loads(_state_file(folder).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return instance if _identity(instance.pid) == instance.identity else None


def stop(folder: Path = LOCAL) -> bool:
    """End the running instance and remove what it left behind; False if none was running."""
    instance = status(folder)
    if instance:
        _end(instance.pid, instance.identity)
    _state_file(folder).unlink(missing_ok=True)
    shutil.rmtree(folder / "tmp", ignore_errors=True)
    return instance is not None


@contextlib.contextmanager
def running(folder: Path, extra_environment: Mapping[str, str] | None = None) -> Iterator[Instance]:
    """A separate instance on a free port, for tests; the functions' workers inherit the extra environment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    try:
        yield _launch(folder, port, extra_environment)
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


def _launch(folder: Path, port: int, extra_environment: Mapping[str, str] | None = None) -> Instance:
    if _is_taken(port):
        raise Failure(
            f"port {port} on {HOST} is in use by {_who_listens(port)}. "
            f"Stop that, or choose another port, for example: {PORT_VARIABLE}={port + 1}"
        )
    temporary = folder / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    log = folder / "ministack.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "ministack"],
            cwd=folder,
            env=_environment(port, temporary) | dict(extra_environment or {}),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # its own process group: it outlives this command, and ends with its workers
        )
    # Immediately, so that an interrupted start can still be stopped.
    _remember(folder, process.pid, port)
    deadline = time.monotonic() + START_SECONDS
    while not _is_healthy(port):
        if process.poll() is not None or time.monotonic() > deadline:
            stop(folder)
            tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])
            raise Failure(f"MiniStack did not start on port {port}. The end of {log}:\n{tail}")
        time.sleep(0.05)
    # Again, because some builds of Python first replace themselves with another command.
    return _remember(folder, process.pid, port)


def _remember(folder: Path, pid: int, port: int) -> Instance:
    instance = Instance(pid, _identity(pid) or "", port)
    _state_file(folder).write_text(json.dumps(asdict(instance)), encoding="utf-8")
    return instance


def _environment(port: int, temporary: Path) -> dict[str, str]:
    environment = {
        name: value
        for name, value in local_environment().items()
        if not name.startswith(FOREIGN_PREFIXES) and name not in FOREIGN_NAMES
    }
    return environment | {
        "BIND_HOST": HOST,
        "GATEWAY_PORT": str(port),
        "AUTH": "true",
        # Listeners that are not needed here, and that BIND_HOST does not restrict to loopback.
        "IOT_MTLS_ENABLED": "false",
        "SFTP_ENABLED": "false",
        # Keeps the folders that the functions' workers leave behind in one place.
        "TMPDIR": str(temporary),
    }


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return True
    return False


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


def _identity(pid: int) -> str | None:
    """What distinguishes a process from all others with the same id, past or future: its start time and its command."""
    process = Path(f"/proc/{pid}")
    if Path("/proc/self/stat").exists():
        try:
            # The name in parentheses may contain spaces. After it, the state is field 3 and the start time is field 22.
            fields = (process / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            return None
        return None if fields[0] == "Z" else f"{fields[19]} {command.strip()}"
    listed = subprocess.run(
        ["ps", "-o", "state=,lstart=,command=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.split(maxsplit=1)
    return listed[1].strip() if len(listed) > 1 and not listed[0].startswith("Z") else None


def _end(pid: int, identity: str) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, number)
        deadline = time.monotonic() + STOP_SECONDS
        while time.monotonic() < deadline:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
            if _identity(pid) != identity:
                return
            time.sleep(0.05)
    raise Failure(f"MiniStack (process {pid}) could not be stopped")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m scripts.local_aws", description="The local AWS.")
    parser.add_argument("command", choices=["start", "stop", "status"])
    command = parser.parse_args().command
    if command == "stop":
        print("MiniStack stopped" if stop() else "MiniStack was not running")
        return
    instance = start(port=port_from_environment()) if command == "start" else status()
    print(
        f"MiniStack is running at {instance.endpoint_url} (process {instance.pid})"
        if instance
        else "MiniStack is not running"
    )


if __name__ == "__main__":
    run(main)
