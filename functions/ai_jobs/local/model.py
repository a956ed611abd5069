"""The model of a local AWS: it speaks Bedrock's Converse, and its replies say what they are replies to.

    python -m ai_jobs.local.model PORT

It stands in for Bedrock because MiniStack's own mock answers with text, whatever it is asked for. A reply depends only
on the prompt, so the same job gets the same result again. A call that asks for JSON gets the smallest document that its
schema allows, as far as the schema is made of the keywords that `smallest` knows. It refuses what Bedrock refuses of a
conversation; everything else that can go wrong is in the tests' stub (tests/converse_stub.py).

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import threading
import urllib.parse
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from ai_jobs.local.processes import HOST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    Blocks = Sequence[dict[str, Any]]

_CONVERSE = re.compile(r"/model/([^/]+)/converse")
_FILES = ("image", "document")
_ERROR_TYPES = {400: "ValidationException", 404: "ResourceNotFoundException"}

# What the service estimates for a call, too (ai_jobs.service.budget and attached_files).
_CHARACTERS_PER_TOKEN = 3
_TOKENS_PER_FILE = 1_800


class PromptCache:
    """What Bedrock keeps of prompts with a cache point. Here, it is kept for good, and however short it is."""

    def __init__(self) -> None:
        self._known: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    def use(self, model_id: str, request: dict[str, Any], count: Callable[[Blocks], int]) -> dict[str, int]:
        """The cache tokens in a response's usage; nothing for a request without a cache point.

        Args:
            count: how many tokens the blocks before the last cache point are.
        """
        blocks = [*request.get("system", []), *request["messages"][0]["content"]]
        points = [index for index, block in enumerate(blocks) if "cachePoint" in block]
        if not points:
            return {}
        beginning = blocks[: points[-1]]
        entry = (model_id, json.dumps(beginning))
        with self._lock:
            was_known = entry in self._known
            self._known.add(entry)
        return {"cacheReadInputTokens" if was_known else "cacheWriteInputTokens": count(beginning)}


def prompt_of(request: dict[str, Any]) -> str:
    """The text of the prompt; files and cache points are not part of it."""
    return "".join(_texts(request["messages"][0]["content"]))


def model_of(path: str) -> str | None:
    """The model that the path of a request names; None if it is not a path of Converse."""
    found = _CONVERSE.fullmatch(path)
    return urllib.parse.unquote(found[1]) if found else None


def fault_in(request: dict[str, Any]) -> str | None:
    """What Bedrock says to a conversation that it refuses; None if it would accept it."""
    blocks = [*request.get("system", ()), *(block for message in request["messages"] for block in message["content"])]
    for number, message in enumerate(request["messages"]):
        if not message["content"]:
            return f"The content field in the Message object at messages.{number} is empty."
    if any("text" in block and not block["text"].strip() for block in blocks):
        return "The text field in the ContentBlock object is blank. Add text to the text field, and try again."
    if "toolConfig" not in request and any({"toolUse", "toolResult"} & block.keys() for block in blocks):
        return "The toolConfig field must be defined when using toolUse and toolResult content blocks."
    schemas = [tool["toolSpec"]["inputSchema"]["json"] for tool in request.get("toolConfig", {}).get("tools", ())]
    if any(schema.get("type") != "object" for schema in schemas):
        return "The value at toolConfig.tools.0.toolSpec.inputSchema.json.type must be one of the following: object."
    return None


def content_of(request: dict[str, Any], text: str) -> list[dict[str, Any]]:
    """The content of a response: the text, or a document in the way in which the request asks for one."""
    if "toolConfig" in request:
        tool = request["toolConfig"]["tools"][0]["toolSpec"]
        document = smallest(tool["inputSchema"]["json"], text)
        return [{"toolUse": {"toolUseId": f"tool-{len(text)}", "name": tool["name"], "input": document}}]
    text_format = request.get("outputConfig", {}).get("textFormat")
    if text_format is None:
        return [{"text": text}]
    schema = json.loads(text_format["structure"]["jsonSchema"]["schema"])
    return [{"text": json.dumps(smallest(schema, text))}]


def stop_reason_of(content: Blocks) -> str:
    """Why a model stopped that is done."""
    return "tool_use" if any("toolUse" in block for block in content) else "end_turn"


def smallest(schema: dict[str, Any], text: str, whole: dict[str, Any] | None = None) -> Any:
    """The smallest document that a schema allows.

    It knows types, required properties, lengths, ranges, `enum`, `const`, `$ref` within the schema, and takes the first
    alternative of `anyOf` and `oneOf`.

    Args:
        text: what strings contain, cut to the allowed length.
        whole: the schema that this one is a part of.
    """
    whole = schema if whole is None else whole
    if "$ref" in schema:
        return smallest(_resolved(schema["$ref"], whole), text, whole)
    for keyword in ("anyOf", "oneOf"):
        if keyword in schema:
            rest = {name: value for name, value in schema.items() if name != keyword}
            return smallest(rest | schema[keyword][0], text, whole)
    if "const" in schema or "enum" in schema:
        return schema["const"] if "const" in schema else schema["enum"][0]
    return _smallest_of_type(schema, text, whole)


def _resolved(reference: str, whole: dict[str, Any]) -> Any:
    target: Any = whole
    for name in reference.removeprefix("#").split("/")[1:]:
        target = target[name]
    return target


def _smallest_of_type(schema: dict[str, Any], text: str, whole: dict[str, Any]) -> Any:
    kinds = schema.get("type", "object")
    kind = kinds[0] if isinstance(kinds, list) else kinds
    if kind == "object":
        properties = schema.get("properties", {})
        required = schema.get("required", ())
        return {name: smallest(properties.get(name, {"type": "string"}), text, whole) for name in required}
    if kind == "array":
        return [smallest(schema.get("items", {"type": "string"}), text, whole)] * schema.get("minItems", 0)
    if kind == "string":
        return text[: schema.get("maxLength", len(text))].ljust(schema.get("minLength", 0), ".")
    if kind in ("integer", "number"):
        return _smallest_number(schema)
    return None if kind == "null" else False


def _smallest_number(schema: dict[str, Any]) -> Any:
    # In draft-04, exclusiveMinimum is true or false; since draft-06, it is a number.
    exclusive = schema.get("exclusiveMinimum", False)
    if isinstance(exclusive, bool):
        return schema.get("minimum", 0) + int(exclusive)
    return exclusive + 1


def _texts(blocks: Iterable[dict[str, Any]]) -> list[str]:
    return [block["text"] for block in blocks if "text" in block]


def _tokens(blocks: Blocks) -> int:
    characters = sum(map(len, _texts(blocks)))
    files = sum(kind in block for block in blocks for kind in _FILES)
    return -(-characters // _CHARACTERS_PER_TOKEN) + files * _TOKENS_PER_FILE


def reply_to(model_id: str, request: dict[str, Any]) -> str:
    """The text of a reply: the model, the prompt's digest, and how many files came with it."""
    prompt = "\n".join([*_texts(request.get("system", ())), prompt_of(request)])
    digest = hashlib.sha256(prompt.encode()).hexdigest()[:8]
    kinds = Counter(kind for block in request["messages"][0]["content"] for kind in _FILES if kind in block)
    files = " and ".join(f"{count} {kind}{'s' if count > 1 else ''}" for kind, count in kinds.items())
    return f"[local model {model_id}] reply to prompt #{digest}{f', with {files}' if files else ''}"


def response_to(model_id: str, request: dict[str, Any], cache: PromptCache) -> dict[str, Any]:
    """The body of the response to a Converse request."""
    content = content_of(request, reply_to(model_id, request))
    blocks = [*request.get("system", ()), *(block for message in request["messages"] for block in message["content"])]
    cached = cache.use(model_id, request, _tokens)
    read, written = _tokens(blocks) - sum(cached.values()), -(-len(json.dumps(content)) // _CHARACTERS_PER_TOKEN)
    usage = {"inputTokens": read, "outputTokens": written, "totalTokens": read + written + sum(cached.values())}
    return {
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": stop_reason_of(content),
        "usage": usage | cached,
        "metrics": {"latencyMs": 1},
    } | ({"serviceTier": request["serviceTier"]} if "serviceTier" in request else {})


class Server(ThreadingHTTPServer):
    """The model on a port of loopback; 0 stands for a free one."""

    daemon_threads = True

    def __init__(self, port: int) -> None:
        super().__init__((HOST, port), _Handler)
        self.cache = PromptCache()


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        model_id = model_of(self.path)
        if model_id is None:
            self._send(404, {"message": f"The local model has only Converse, and nothing at {self.path}."})
            return
        request = json.loads(body)
        fault = fault_in(request)
        if fault:
            self._send(400, {"message": fault})
        else:
            self._send(200, response_to(model_id, request, self.server.cache))

    def _send(self, status: int, document: dict[str, Any]) -> None:
        content = json.dumps(document).encode()
        self.send_response(status)
        if status in _ERROR_TYPES:
            self.send_header("x-amzn-ErrorType", _ERROR_TYPES[status])
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m ai_jobs.local.model", description="The model of a local AWS.")
    parser.add_argument("port", type=int)
    with Server(parser.parse_args().port) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()
