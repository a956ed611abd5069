"""Servers on loopback that outlive the command that starts them: how they are started, recognized later, and ended."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ai_jobs.local.failure import Failure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

HOST = "127.0.0.1"
STOP_SECONDS = 10


@dataclass(frozen=True)
class Server:
    """A server that this project started. Its identity distinguishes its process from a later one with that id."""

    pid: int
    identity: str
    port: int

    @property
    def endpoint_url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def is_running(self) -> bool:
        """Is its process there? While it exits, it has no command any more, and may still have its port."""
        found = identity_of(self.pid)
        return found is not None and self.identity.startswith(found)

    def end(self) -> bool:
        """End it with all processes that it started; False if it was not running.

        Raises:
            Failure: if it does not end.
        """
        if not self.is_running():
            return False
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)
            deadline = time.monotonic() + STOP_SECONDS
            while time.monotonic() < deadline:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(self.pid, os.WNOHANG)
                if not self.is_running():
                    return True
                time.sleep(0.05)
        raise Failure(f"process {self.pid} could not be stopped: {self.identity}")


def launch(
    command: Sequence[str | Path], folder: Path, environment: Mapping[str, str], log: Path
) -> subprocess.Popen[bytes]:
    """Start a server in a folder; its output goes to the log."""
    with log.open("wb") as output:
        return subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # its own process group: it outlives this command, and ends with its workers
        )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def is_listening(port: int) -> bool:
    """Does a server accept connections on this port?"""
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def is_taken(port: int) -> bool:
    """Could no server listen on this port?"""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return True
    return False


def identity_of(pid: int) -> str | None:
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
