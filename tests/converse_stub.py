"""A stand-in for Bedrock's Converse that fails on cue and counts its calls.

A prompt may hold a cue such as `answers=500,429,200`: the first call with that prompt is answered with the first word,
and so on; the last one is repeated. Without a cue every call is answered with 200 and a text that repeats the prompt.
From the second call on the text ends in `(call 2)`, so that a result tells which call it came from. A call that asks
for JSON gets the smallest document that its schema allows, from the local environment's model (ai_jobs.local.model).
The stub knows service tiers, and prompts with a cache point: the first call writes the cache, later ones read it.

| word | what the call gets |
|---|---|
| `200` | an answer |
| `429`, `500`, ... | that error, as Bedrock words it |
| `slow:1.5` | an answer after so many seconds |
| `cut` | no answer, and a closed connection |
| `nonsense` | 200 with something that is no JSON |
| `empty` | an answer without text |
| `large` | an answer that does not fit into a message |
| `half` | an answer whose text has half a surrogate pair in it |
| `types` | an answer whose fields have the wrong types |
| `broken` | an answer that is not the JSON that was asked for |
| any other | what `ConverseStub.stunts` has under it: a function that may do something and returns an answer's word |
"""

from __future__ import annotations

import collections
import contextlib
import json
import re
import select
import socket
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from ai_jobs.local.model import PromptCache, content_of, fault_in, model_of, prompt_of, stop_reason_of

if TYPE_CHECKING:
    from collections.abc import Iterator

# Just below the shortest time-out of a job type that the tests use.
_PATIENCE_SECONDS = 1.9

_CACHED_TOKENS = 5

CUE = re.compile(r"answers=([\w:.,-]+)")

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


@dataclass(frozen=True)
class Call:
    """One call: its prompt, which call with this prompt it is, and the port that it came from."""

    prompt: str
    number: int
    port: int


Stunt = Callable[[Call], str]


class ConverseStub:
    """The stub's address, and what became of each call.

    Attributes:
        stunts: what to do for further words of a cue.
        may_call: whether the caller may call this model, which IAM says on AWS; a call that it denies gets a 403, and
            does not count as one with its prompt.
        denied: the models of the calls that it denied, in order.
        outages: the models that are unavailable: a call gets a 503, and does not count as one with its prompt.
        refused: the models of the calls that an outage refused, in order.
        in_flight: the calls that wait for their answer, by the port that they came from.
    """

    def __init__(self, port: int) -> None:
        self.endpoint_url = f"http://127.0.0.1:{port}"
        self.stunts: dict[str, Stunt] = {}
        self.may_call: Callable[[str], bool] = lambda _model_id: True
        self.denied: list[str] = []
        self.outages: set[str] = set()
        self.refused: list[str] = []
        self._cache = PromptCache()
        self.in_flight: dict[int, Call] = {}
        self._history: collections.defaultdict[str, list[str]] = collections.defaultdict(list)
        self._last_call: dict[str, float] = {}
        self._lock = threading.Lock()

    def calls(self, prompt: str) -> int:
        """How many calls came with this prompt."""
        return len(self.history(prompt))

    def history(self, prompt: str) -> list[str]:
        """The cue's word for each call with this prompt, in order."""
        with self._lock:
            return list(self._history.get(prompt, ()))

    def last_call(self, prompt: str) -> float:
        """When the last call with this prompt came, in seconds since 1970; 0 when none came."""
        with self._lock:
            return self._last_call.get(prompt, 0.0)

    def nobody_took(self, prompt: str) -> None:
        """The last answer came too late for its caller, on a machine that is busy."""
        with self._lock:
            self._history[prompt][-1] = "late"

    def answer(self, request: dict[str, Any], path: str, port: int) -> tuple[int, bytes] | None:
        """The status and body for one call; None closes the connection."""
        model_id = model_of(path) or path
        if not self.may_call(model_id):
            self.denied.append(model_id)
            return 403, json.dumps({"message": "not authorized to perform: bedrock:InvokeModel"}).encode()
        if model_id in self.outages:
            self.refused.append(model_id)
            return 503, json.dumps({"message": "the model is unavailable"}).encode()
        if fault := fault_in(request):
            return 400, json.dumps({"message": fault}).encode()
        prompt = prompt_of(request)
        cue = CUE.search(prompt)
        words = cue.group(1).split(",") if cue else ["200"]
        with self._lock:
            history = self._history[prompt]
            word = words[min(len(history), len(words) - 1)]
            history.append(word)
            self._last_call[prompt] = time.time()
            call = Call(prompt, len(history), port)
        self.in_flight[port] = call
        try:
            cache_use = self._cache.use(model_id, request, lambda _blocks: _CACHED_TOKENS)
            return _answer(call, self.stunts[word](call) if word in self.stunts else word, request, cache_use)
        finally:
            self.in_flight.pop(port, None)


def _answer(call: Call, word: str, request: dict[str, Any], cache_use: dict[str, int]) -> tuple[int, bytes] | None:
    if word == "cut":
        return None
    if word == "nonsense":
        return 200, b"<html>Bad Gateway</html>"
    if word.startswith("slow:"):
        time.sleep(float(word.removeprefix("slow:")))
        word = "200"
    if word in ("empty", "types", "large", "half", "broken", "200"):
        return 200, json.dumps(_body(call, word, request, cache_use)).encode()
    return int(word), json.dumps({"message": f"on cue: {word}"}).encode()


def _body(call: Call, word: str, request: dict[str, Any], cache_use: dict[str, int]) -> dict[str, Any]:
    text = f"You said: {call.prompt}" + (f" (call {call.number})" if call.number > 1 else "")
    if word == "large":
        text += "x" * 210_000
    if word == "half":
        text = f"\ud83c {text}"
    content = [] if word == "empty" else _content(text, word, request)
    tier = {"serviceTier": request["serviceTier"]} if "serviceTier" in request else {}
    usage = {"inputTokens": 7, "outputTokens": 11, "totalTokens": 18} | cache_use
    return {
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": stop_reason_of(content),
        "usage": usage if word != "types" else "many",
        "metrics": {"latencyMs": 1},
    } | tier


def _content(text: str, word: str, request: dict[str, Any]) -> list[dict[str, Any]]:
    content = content_of(request, text)
    return [_broken(block, text) for block in content] if word == "broken" else content


def _broken(block: dict[str, Any], text: str) -> dict[str, Any]:
    return {"toolUse": block["toolUse"] | {"input": {"unexpected": text}}} if "toolUse" in block else {"text": text}


def _has_hung_up(connection: socket.socket) -> bool:
    readable, _, _ = select.select([connection], [], [], 0)
    return bool(readable) and connection.recv(1, socket.MSG_PEEK) == b""


@contextmanager
def running() -> Iterator[ConverseStub]:
    """A stub on a free port of loopback, for as long as the block runs."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            started = time.monotonic()
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answer = stub.answer(request, self.path, self.client_address[1])
            if answer is None:
                return
            status, content = answer
            if time.monotonic() - started > _PATIENCE_SECONDS and _has_hung_up(self.connection):
                stub.nobody_took(prompt_of(request))
            # The caller may have given up, or may be dead: that is what some cues are for.
            with contextlib.suppress(ConnectionError):
                self.send_response(status)
                if status in ERROR_TYPES:
                    self.send_header("x-amzn-ErrorType", ERROR_TYPES[status])
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        def log_message(self, *args: Any) -> None:
            """Say nothing: the tests ask for the counts."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        # A whole storm may call at once.
        request_queue_size = 512

    server = Server(("127.0.0.1", 0), Handler)
    stub = ConverseStub(server.server_port)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield stub
    finally:
        server.shutdown()
        server.server_close()
