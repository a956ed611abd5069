"""The model of the benchmark: tests/converse_stub.py in a process of its own, so that its CPU is not the load client's.

    python -m bench.model

It prints its address. For each line on stdin, a JSON list of prompts, it prints how often each was called; for `null`,
the prompt of each call that waits for its response, by the port that it came from.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from scripts.project import ROOT
from tests import converse_stub

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Model:
    """The running stub.

    Attributes:
        endpoint_url: where Converse is.
        pid: its process.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.pid = process.pid
        self.endpoint_url = self._read_line()

    def calls(self, prompts: Sequence[str]) -> list[int]:
        """How often it was called with each of these prompts."""
        counts: list[int] = self._ask(prompts)
        return counts

    def in_flight(self) -> dict[int, str]:
        """The prompts of the calls that wait for their responses, by the port that each came from."""
        return {int(port): prompt for port, prompt in self._ask(None).items()}

    def _ask(self, question: Sequence[str] | None) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return json.loads(self._read_line())

    def _read_line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


@contextlib.contextmanager
def running() -> Iterator[Model]:
    """The stub on a free port of loopback, for as long as the block runs."""
    command = [sys.executable, "-m", "bench.model"]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield Model(process)
    finally:
        process.terminate()
        process.wait()


def main() -> None:
    with converse_stub.running() as stub:
        print(stub.endpoint_url, flush=True)
        for line in sys.stdin:
            print(json.dumps(_answer(stub, json.loads(line))), flush=True)


def _answer(stub: converse_stub.ConverseStub, question: list[str] | None) -> list[int] | dict[int, str]:
    if question is None:
        return {port: call.prompt for port, call in stub.in_flight.copy().items()}
    return [stub.calls(prompt) for prompt in question]


if __name__ == "__main__":
    main()
