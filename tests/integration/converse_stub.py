"""A stand-in for Bedrock's Converse that fails on cue and counts its calls.

A prompt may hold `answers=500,429,200`: the first call with that prompt is answered with the first status, and so on;
the last one is repeated. Without a cue every call is answered with 200 and a text that repeats the prompt.
"""

from __future__ import annotations

import collections
import json
import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

CUE = re.compile(r"answers=([\d,]+)")

# https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html#API_runtime_Converse_Errors
ERROR_TYPES = {
    400: "ValidationException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    424: "ModelErrorException",
    429: "ThrottlingException",
    500: "InternalServerException",
    503: "ServiceUnavailableException",
}


class ConverseStub:
    """The stub's address, and how often each prompt was sent."""

    def __init__(self, port: int) -> None:
        self.endpoint_url = f"http://127.0.0.1:{port}"
        self._calls: collections.Counter[str] = collections.Counter()
        self._lock = threading.Lock()

    def calls(self, prompt: str) -> int:
        """How many calls came with this prompt."""
        with self._lock:
            return self._calls[prompt]

    def answer(self, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """The status and body for one call."""
        prompt = request["messages"][0]["content"][0]["text"]
        with self._lock:
            self._calls[prompt] += 1
            number = self._calls[prompt]
        cue = CUE.search(prompt)
        statuses = [int(status) for status in cue.group(1).split(",")] if cue else [200]
        status = statuses[min(number, len(statuses)) - 1]
        if status != 200:
            return status, {"message": f"on cue: {status}"}
        return status, {
            "output": {"message": {"role": "assistant", "content": [{"text": f"You said: {prompt}"}]}},
            "stopReason": "end_turn",
            "usage": {"inputTokens": 7, "outputTokens": 11, "totalTokens": 18},
            "metrics": {"latencyMs": 1},
        }


@contextmanager
def running() -> Iterator[ConverseStub]:
    """A stub on a free port of loopback, for as long as the block runs."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            status, body = stub.answer(json.loads(self.rfile.read(length)))
            content = json.dumps(body).encode()
            self.send_response(status)
            if status in ERROR_TYPES:
                self.send_header("x-amzn-ErrorType", ERROR_TYPES[status])
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args: Any) -> None:
            """Say nothing: the tests ask for the counts."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    stub = ConverseStub(server.server_port)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield stub
    finally:
        server.shutdown()
        server.server_close()
