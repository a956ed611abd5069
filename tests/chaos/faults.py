"""The proxy that fails on cue between the functions and the local AWS, and what kills their workers."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_START_SECONDS = 20


class Proxy:
    """A running microburst (https://pypi.org/project/microburst/): its address, and the faults that it makes."""

    def __init__(self, port: int) -> None:
        self.endpoint_url = f"http://127.0.0.1:{port}"

    def add(self, *rules: dict[str, Any]) -> None:
        """Make these faults from now on, beside those that it makes already."""
        self._call("PATCH", list(rules))

    def clear(self) -> None:
        """Make no more faults."""
        self._call("POST", [])

    @contextlib.contextmanager
    def failing(self, *rules: dict[str, Any]) -> Iterator[None]:
        """Make these faults, and no others, for as long as the block runs."""
        self._call("POST", list(rules))
        try:
            yield
        finally:
            self.clear()

    def fired(self) -> int:
        """How many faults it has made."""
        return len(self._call("GET", path="fired?limit=100000"))

    def is_up(self) -> bool:
        """Does it answer?"""
        try:
            self._call("GET", path="health")
        except OSError:
            return False
        return True

    def _call(self, method: str, body: Any = None, path: str = "rules") -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.endpoint_url}/_microburst/{path}", data, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read() or b"null")


@contextlib.contextmanager
def proxy(upstream: str, log: Path) -> Iterator[Proxy]:
    """A proxy on a free port of loopback. It signs anew, since the host is part of a signature."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "microburst", "--upstream", upstream, "--host", "127.0.0.1", "--port", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen([*command, "--resign"], stdout=output, stderr=subprocess.STDOUT)
    try:
        running = Proxy(port)
        deadline = time.monotonic() + _START_SECONDS
        while not running.is_up():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"microburst did not start: {log.read_text()[-2000:]}")
            time.sleep(0.05)
        yield running
    finally:
        process.terminate()
        process.wait(timeout=10)


def workers(parent: int, function: str) -> list[int]:
    """The processes in which the local AWS (process `parent`) runs a function."""
    marker = f"AWS_LAMBDA_FUNCTION_NAME={function}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            is_child = int((folder / "stat").read_text().rpartition(")")[2].split()[1]) == parent
            if is_child and marker in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
    return found


def caller(port: int, candidates: list[int]) -> int | None:
    """Which of these processes holds the connection from this local port; None when it is closed."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    inodes = {f"socket:[{line[9]}]" for line in lines if int(line[1].rpartition(":")[2], 16) == port}
    for pid in candidates:
        with contextlib.suppress(OSError):
            if any(str(handle.readlink()) in inodes for handle in Path(f"/proc/{pid}/fd").iterdir()):
                return pid
    return None


def kill(pid: int) -> None:
    """kill -9, unless it is gone."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def pause(pid: int) -> None:
    """Stop a process until `resume` or `kill`."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGSTOP)


def resume(pid: int) -> None:
    """Let a paused process go on."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)
