"""AWS's side of the canned measure: it takes the place of botocore's HTTP session and answers each request from memory.

The answers have AWS's wire formats, so that botocore signs, sends, and parses as it does against AWS. The jobs table is
real enough for a job's life: updates are carried out, conditions always hold. Nothing else is remembered but the
messages that were sent.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import math
import random
import re
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, cast
from unittest import mock
from urllib.parse import urlsplit

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.httpsession import URLLib3Session

MODEL_ID = "amazon.nova-lite-v1:0"
# As long as the reply of a model that was asked for a short text: about 300 tokens.
ANSWER = "A short text about the subject, with a few sentences that say what matters. " * 16

JOB_TYPES = {
    "version": "1",
    "jobTypes": {
        "short-text": {
            "modelId": MODEL_ID,
            "systemPrompt": "You write for {{ audience }}. Be brief, and use {{ tone }} language.",
            "prompt": "Write about this subject: {{ subject }}\n{% for point in points %}- {{ point }}\n{% endfor %}",
            "maxTokens": 600,
            "timeoutSeconds": 60,
            "inputSchema": {
                "type": "object",
                "required": ["subject"],
                "properties": {
                    "subject": {"type": "string", "minLength": 1, "maxLength": 2000},
                    "audience": {"type": "string", "default": "the general public"},
                    "tone": {"enum": ["plain", "formal"], "default": "plain"},
                    "points": {"type": "array", "items": {"type": "string"}, "maxItems": 20, "default": []},
                },
                "additionalProperties": False,
            },
        }
    },
}

# How many standard deviations above its median a normal distribution's 99th percentile is.
_Z99 = 2.326
_SERVICES = {"AmazonSQS": "sqs", "DynamoDB_20120810": "dynamodb", "AWSEvents": "events"}
_ASSIGNMENT = re.compile(
    r"(?P<name>[#\w]+) = (?:if_not_exists\((?P<existing>[#\w]+), (?P<default>:\w+)\)(?: \+ (?P<added>:\w+))?"
    r"|(?P<value>:\w+))(?:, )?"
)


class _Raw(io.BytesIO):
    """The body of a response, as botocore reads it."""

    def stream(self) -> Iterator[bytes]:
        """All of it, in one part."""
        yield self.read()


@dataclass
class CannedAWS:
    """Answers requests, and counts them.

    Attributes:
        model_seconds: how long the model takes; with `model_p99_seconds`, for half of the calls.
        model_p99_seconds: what 1% of its calls take longer than (lognormal, the same times in each process); if it is
            None, all calls take the same time.
        aws_seconds: how long any other call takes.
        answer: the text of the model's response.
        rows: the jobs table, by job id, in DynamoDB's format.
        changes: each row before and after each of its updates, in order.
        messages: what was sent to SQS: `{"body", "attributes", "trace_header"}`.
        published: how many events EventBridge has accepted.
        calls: how many requests there were, by `service:Operation`.
        own_cpu_seconds: the CPU time that the answers took, of all threads: it is not the functions'.
    """

    model_seconds: float = 0.0
    aws_seconds: float = 0.0
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    changes: list[tuple[dict[str, Any], dict[str, Any]]] = field(default_factory=list)
    messages: list[dict[str, Any]] = field(default_factory=list)
    published: int = 0
    answer: str = ANSWER
    model_p99_seconds: float | None = None
    calls: Counter[str] = field(default_factory=Counter)
    own_cpu_seconds: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    _random: random.Random = field(default_factory=lambda: random.Random(1))

    def installed(self) -> Any:
        """A context in which botocore sends every request here."""
        return mock.patch.object(URLLib3Session, "send", lambda _session, request: self.send(request))

    def send(self, request: AWSPreparedRequest) -> AWSResponse:
        """Stand in for `URLLib3Session.send`."""
        started = time.thread_time()
        operation, answer = self._operation(request)
        time.sleep(self._model_latency() if operation == "bedrock-runtime:Converse" else self.aws_seconds)
        with self._lock:
            content = answer(request)
            self.calls[operation] += 1
        response = _response(request, operation, content)
        spent = time.thread_time() - started
        with self._lock:
            self.own_cpu_seconds += spent
        return response

    def _model_latency(self) -> float:
        if self.model_p99_seconds is None:
            return self.model_seconds
        with self._lock:
            standard = self._random.gauss()
        return self.model_seconds * math.exp(math.log(self.model_p99_seconds / self.model_seconds) * standard / _Z99)

    def _operation(self, request: AWSPreparedRequest) -> tuple[str, Callable[[AWSPreparedRequest], Any]]:
        target: Any = request.headers.get("X-Amz-Target")
        if target:
            api, _, name = (target.decode() if isinstance(target, bytes) else target).partition(".")
            operation = f"{_SERVICES[api]}:{name}"
        else:
            path = urlsplit(request.url).path
            known = {"/configurationsessions": "StartConfigurationSession", "/configuration": "GetLatestConfiguration"}
            operation = f"appconfigdata:{known[path]}" if path in known else f"bedrock-runtime:{_model_operation(path)}"
        answers = {
            "sqs:ChangeMessageVisibilityBatch": self._hide_all,
            "sqs:SendMessage": self._send_message,
            "sqs:SendMessageBatch": self._send_messages,
            "dynamodb:PutItem": self._put_item,
            "dynamodb:UpdateItem": self._update_item,
            "events:PutEvents": self._put_events,
            "bedrock-runtime:Converse": lambda _: _conversation(self.answer),
            "appconfigdata:StartConfigurationSession": lambda _: {"InitialConfigurationToken": "token-0"},
            "appconfigdata:GetLatestConfiguration": lambda _: JOB_TYPES,
        }
        if operation not in answers:
            raise AssertionError(f"The canned AWS has no answer for {operation}. Add one to bench/canned_aws.py.")
        return operation, answers[operation]

    def _hide_all(self, request: AWSPreparedRequest) -> dict[str, Any]:
        return {"Successful": [{"Id": entry["Id"]} for entry in _content(request)["Entries"]], "Failed": []}

    def _send_message(self, request: AWSPreparedRequest) -> dict[str, Any]:
        return self._accepted(_content(request))

    def _send_messages(self, request: AWSPreparedRequest) -> dict[str, Any]:
        entries = _content(request)["Entries"]
        return {"Successful": [{"Id": entry["Id"]} | self._accepted(entry) for entry in entries]}

    def _accepted(self, message: dict[str, Any]) -> dict[str, Any]:
        attributes = {name: value["StringValue"] for name, value in message.get("MessageAttributes", {}).items()}
        trace = message.get("MessageSystemAttributes", {}).get("AWSTraceHeader", {}).get("StringValue")
        self.messages.append({"body": message["MessageBody"], "attributes": attributes, "trace_header": trace})
        return {
            "MessageId": f"00000000-0000-4000-8000-{next(self._numbers):012}",
            "MD5OfMessageBody": hashlib.md5(message["MessageBody"].encode(), usedforsecurity=False).hexdigest(),
        }

    def _update_item(self, request: AWSPreparedRequest) -> dict[str, Any]:
        update = _content(request)
        found = self.rows.get(update["Key"]["jobId"]["S"])
        before = found or update["Key"]
        after = _updated(before, update)
        self.rows[after["jobId"]["S"]] = after
        self.changes.append((before, after))
        returned = after if update.get("ReturnValues") == "ALL_NEW" else found
        return {"Attributes": returned} if returned else {}

    def _put_item(self, request: AWSPreparedRequest) -> dict[str, Any]:
        row = _content(request)["Item"]
        self.rows[row["jobId"]["S"]] = row
        return {}

    def _put_events(self, request: AWSPreparedRequest) -> dict[str, Any]:
        entries = _content(request)["Entries"]
        self.published += len(entries)
        return {"FailedEntryCount": 0, "Entries": [{"EventId": f"event-{next(self._numbers)}"} for _ in entries]}


def _conversation(answer: str) -> dict[str, Any]:
    return {
        "metrics": {"latencyMs": 812},
        "output": {"message": {"content": [{"text": answer}], "role": "assistant"}},
        "stopReason": "end_turn",
        "usage": {"inputTokens": 96, "outputTokens": 304, "totalTokens": 400},
    }


def _model_operation(path: str) -> str:
    if path.startswith("/model/") and path.endswith("/converse"):
        return "Converse"
    raise AssertionError(f"The canned AWS does not know the request {path}. Add it to bench/canned_aws.py.")


def _content(request: AWSPreparedRequest) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(cast("bytes", request.body))
    return content


def _updated(row: dict[str, Any], update: dict[str, Any]) -> dict[str, Any]:
    """The row after an UpdateItem with `SET` and `REMOVE`, as `ai_jobs.service.table` writes them."""
    names, values = update.get("ExpressionAttributeNames", {}), update.get("ExpressionAttributeValues", {})
    assignments, _, removed = update["UpdateExpression"].removeprefix("SET ").partition(" REMOVE ")
    after, end = dict(row), 0
    for found in _ASSIGNMENT.finditer(assignments):
        end = found.end()
        after[names.get(found["name"], found["name"])] = _assigned(found, row, names, values)
    if end != len(assignments):
        raise AssertionError(f"The canned AWS can't carry out {update['UpdateExpression']!r}.")
    for name in removed.split(", ") if removed else ():
        after.pop(names.get(name, name), None)
    return after


def _assigned(found: re.Match[str], row: dict[str, Any], names: dict[str, str], values: dict[str, Any]) -> Any:
    if found["value"]:
        return values[found["value"]]
    current = row.get(names.get(found["existing"], found["existing"]), values[found["default"]])
    if not found["added"]:
        return current
    return {"N": str(int(current["N"]) + int(values[found["added"]]["N"]))}


def _response(request: AWSPreparedRequest, operation: str, content: Any) -> AWSResponse:
    body = json.dumps(content, separators=(",", ":")).encode()
    headers = {
        "Date": "Sun, 29 Nov 2026 08:00:00 GMT",
        "Content-Type": "application/json" if operation.startswith(("appconfig", "bedrock")) else _TYPES[operation[:3]],
        "Content-Length": str(len(body)),
        "x-amzn-RequestId": "6b05d9f8-46de-4acf-b954-38bbeff5aaae",
        "Connection": "keep-alive",
    }
    if operation.startswith("dynamodb:"):
        headers["x-amz-crc32"] = str(zlib.crc32(body))  # botocore checks it
    if operation == "appconfigdata:GetLatestConfiguration":
        headers |= {"Next-Poll-Configuration-Token": "token-1", "Next-Poll-Interval-In-Seconds": "60"}
    status = 201 if operation == "appconfigdata:StartConfigurationSession" else 200
    return AWSResponse(request.url, status, cast("Any", headers), _Raw(body))


_TYPES = {"sqs": "application/x-amz-json-1.0", "dyn": "application/x-amz-json-1.0", "eve": "application/x-amz-json-1.1"}
