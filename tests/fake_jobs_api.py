"""A jobs API in memory that plays by the API's rules and fails on cue, alone or behind an HTTP server.

Jobs move when they are looked at: `looks` says how many looks a job takes to end (0: it ends at the first).
"""

from __future__ import annotations

import collections
import contextlib
import email.policy
import http.server
import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

Answer = tuple[int, dict[str, str], bytes]

MOMENT = "2026-01-31T12:00:00.000Z"
RESULT = {
    "text": "Two rooms, a view.",
    "model": "amazon.nova-lite-v1:0",
    "usage": {"inputTokens": 3, "outputTokens": 5},
    "stopReason": "end_turn",
    "truncated": False,
}
LOST = "lost"
"""A fault: the request is carried out, and its answer never arrives."""


def answer(status: int, document: Any, **headers: str) -> Answer:
    named = {"content-type": "application/json", "x-amzn-requestid": "req-1"}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    return status, named, json.dumps(document).encode()


def error(status: int, code: str, message: str = "no", field: str | None = None, **headers: str) -> Answer:
    body = {"code": code, "message": message} | ({"field": field} if field else {})
    return answer(status, {"error": body}, **headers)


class FakeJobsApi:
    """The API's state.

    Attributes:
        rows: the jobs by id.
        calls: method and path with query of each request.
        headers: the headers of each request, their names in lower case.
        faults: what becomes of the next requests: None (nothing special), LOST, or an answer to give instead.
        looks: how many looks at a job come before its end, by id (2 by default).
        endings: how a job ends, by id (completed by default).
        results: what completed jobs have, by type (RESULT by default).
        url: where the HTTP server is, when there is one.
        bodies: what was PUT, by id.
        forms, files: by key, the media types of the uploads that were asked for, and the contents of those made.
        max_bytes: the largest file that a form allows.
        held_second: how long the HTTP server takes over each second that a request asks it to wait. Like the service,
            it holds the request for all of that time when there is no news.
    """

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        self.calls: list[tuple[str, str]] = []
        self.headers: list[dict[str, str]] = []
        self.faults: collections.deque[Answer | str | None] = collections.deque()
        self.looks: collections.defaultdict[str, int] = collections.defaultdict(lambda: 2)
        self.endings: dict[str, dict[str, Any]] = {}
        self.results: dict[str, dict[str, Any]] = {}
        self.accepts: Callable[[Mapping[str, str]], bool] = lambda headers: True
        self.url = ""
        self.held_second = 0.0
        self.max_bytes = 5_000_000
        self.forms: dict[str, str] = {}
        self.files: dict[str, bytes] = {}
        self.bodies: dict[str, dict[str, Any]] = {}
        self._lock = threading.Lock()

    def add(self, job_id: str, status: str = "queued", **fields: Any) -> None:
        """A job that is there already."""
        row = {"jobId": job_id, "userId": "user-1", "jobType": "echo", "status": status, "createdAt": MOMENT}
        self.rows[job_id] = row | {"attempts": 0} | fields

    def handle(self, method: str, target: str, headers: Mapping[str, str], body: bytes | None) -> Answer | None:
        """The answer to a request; None when it is lost."""
        with self._lock:
            self.calls.append((method, target))
            self.headers.append({name.lower(): value for name, value in headers.items()})
            fault = self.faults.popleft() if self.faults else None
            if isinstance(fault, tuple):
                return fault
            given = self._answer(method, target, headers, body)
            return None if fault == LOST else given

    def _answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        parts = urlsplit(target)
        query = dict(parse_qsl(parts.query))
        if parts.path.startswith("/stored/"):
            return answer(200, RESULT)
        if parts.path == "/bucket":
            return self._store(dict(headers), body or b"")
        if not self.accepts({name.lower(): value for name, value in headers.items()}):
            return error(401, "UNAUTHORIZED")
        path = [unquote(step) for step in parts.path.split("/")]
        if path[1:] == ["v1", "uploads"] and method == "POST":
            return self._form(json.loads(body or b""))
        if path[1:] == ["v1", "jobs"] and method == "GET":
            return self._list(query)
        if path[1:3] != ["v1", "jobs"] or len(path) != 4:
            return error(404, "NOT_FOUND", "There is nothing at this path. Use /jobs, /jobs/{jobId}, or /uploads.")
        if method == "PUT":
            return self._put(path[3], json.loads(body or b""))
        if path[3] not in self.rows:
            return error(404, "JOB_NOT_FOUND", "no such job")
        if method == "DELETE":
            return self._delete(self.rows[path[3]])
        names = {name.lower(): value for name, value in headers.items()}
        return self._get(self.rows[path[3]], names.get("if-none-match"))

    def _put(self, job_id: str, body: dict[str, Any]) -> Answer:
        field = "subject" if body["jobType"] == "social-media" else "text"
        if not isinstance(body["input"].get(field), str):
            return error(400, "INVALID_INPUT", f"input.{field} must be a string", f"input.{field}")
        if self.bodies.setdefault(job_id, body) != body:
            return error(409, "JOB_ID_CONFLICT", "the id is taken")
        if job_id not in self.rows:
            self.add(job_id, userId=body.get("userId", "user-of-the-token"), jobType=body["jobType"])
        return answer(202, {"jobId": job_id, "status": "queued"})

    def _form(self, body: dict[str, Any]) -> Answer:
        key = f"uploads/user={body.get('userId', 'user-of-the-token')}/{uuid.uuid4()}"
        attachment = {"name": body["name"], "mediaType": body["mediaType"], "key": key}
        self.forms[key] = body["mediaType"]
        form = {
            "attachment": attachment,
            "url": f"{self.url.removesuffix('/v1')}/bucket",
            "fields": {"Content-Type": body["mediaType"], "key": key, "policy": "signed"},
            "maxBytes": self.max_bytes,
            "expiresAt": MOMENT,
        }
        return answer(201, form)

    def _store(self, headers: dict[str, str], body: bytes) -> Answer:
        """What S3 does with a form."""
        names = {name.lower(): value for name, value in headers.items()}
        text = f"Content-Type: {names['content-type']}\r\n\r\n".encode() + body
        message = email.message_from_bytes(text, policy=email.policy.HTTP)
        parts = [(one.get_param("name", header="content-disposition"), one) for one in message.iter_parts()]
        fields = {str(name): one.get_payload(decode=True) for name, one in parts}
        key = fields.get("key", b"").decode()
        if parts[-1][0] != "file" or fields.get("Content-Type", b"").decode() != self.forms.get(key):
            return 403, {}, b'<?xml version="1.0"?>\n<Error><Code>AccessDenied</Code><Message>no</Message></Error>'
        self.files[key] = fields["file"]
        return 204, {}, b""

    def _get(self, row: dict[str, Any], known: str | None) -> Answer:
        if row["status"] in ("queued", "processing"):
            if self.looks[row["jobId"]] > 0:
                self.looks[row["jobId"]] -= 1
                row["status"] = "processing"
            else:
                row |= {"completedAt": MOMENT, "attempts": 1}
                result = self.results.get(row["jobType"], RESULT)
                row |= self.endings.get(row["jobId"], {"status": "completed", "result": result})
        etag = f'"{row["status"]}"'
        if known == etag:
            return 304, {"etag": etag}, b""
        headers = {} if row["status"] in ("completed", "failed", "cancelled") else {"retry_after": "2"}
        return answer(200, row, etag=etag, **headers)

    def _delete(self, row: dict[str, Any]) -> Answer:
        if row["status"] in ("completed", "failed", "cancelled"):
            return error(409, "JOB_ENDED", f"the job is {row['status']} already")
        row |= {"status": "cancelled", "completedAt": MOMENT}
        return answer(200, row)

    def _list(self, query: Mapping[str, str]) -> Answer:
        rows = [
            {name: value for name, value in row.items() if name not in ("result", "error")}
            for row in reversed(self.rows.values())
            if query.get("status") in (None, row["status"])
        ]
        first, size = int(query.get("cursor", "0")), int(query.get("limit", "50"))
        more = {"nextCursor": str(first + size)} if first + size < len(rows) else {}
        return answer(200, {"jobs": rows[first : first + size]} | more)


@contextlib.contextmanager
def served(api: FakeJobsApi) -> Iterator[FakeJobsApi]:
    """The API on loopback; its `url` has the stage."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _handle(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            given = api.handle(self.command, self.path, dict(self.headers.items()), body)
            if given is None:
                self.close_connection = True
                return
            status, headers, content = given
            if status == 304 or "retry-after" in headers:
                wait = dict(parse_qsl(urlsplit(self.path).query)).get("wait", "0")
                time.sleep(int(wait) * api.held_second)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if status != 304:
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = do_DELETE = do_POST = _handle

        def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the base class's name
            pass

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    api.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    try:
        yield api
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
