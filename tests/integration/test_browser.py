"""Pages call the API from a real browser, from an origin that is let in and from another: preflights, answers, errors.

The page writes down what it can read and sends it to the server that it came from.
"""

from __future__ import annotations

import json
import queue
import shutil
import subprocess
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="there is no Chromium here: apt-get install chromium")

# As in tests/stacks/stack/access.tf; the browser is told where the port really is.
ALLOWED, OTHER = "http://localhost:8123", "http://localhost:8124"

PAGE = """<!doctype html><script>
(async () => {
  const calls = CALLS, seen = [];
  for (const {method, path, headers, body} of calls) {
    try {
      const answer = await fetch(path, {method, headers, body: body ? JSON.stringify(body) : undefined});
      const text = await answer.text();
      const names = ["etag", "location", "retry-after", "x-amzn-requestid", "content-type"];
      const shown = Object.fromEntries(names.map(name => [name, answer.headers.get(name)]));
      seen.push({status: answer.status, headers: shown, body: text ? JSON.parse(text) : null});
    } catch (error) {
      seen.push({error: String(error)});
    }
  }
  await fetch("/seen", {method: "POST", body: JSON.stringify(seen)});
})();
</script>"""


class Site(ThreadingHTTPServer):
    """Serves one page, and takes what it has seen."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.page = ""
        self.seen: queue.Queue = queue.Queue()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self._answer(self.server.page.encode() if self.path == "/" else b"")

    def do_POST(self):
        self.server.seen.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self._answer(b"")

    def _answer(self, body):
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def site():
    with Site() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def from_page(site, tmp_path):
    """What a page of this origin sees of these calls."""

    def look(origin, calls):
        site.page = PAGE.replace("CALLS", json.dumps(calls))
        port = site.server_address[1]
        rules = ",".join(f"MAP {known.removeprefix('http://')} 127.0.0.1:{port}" for known in (ALLOWED, OTHER))
        command = [
            str(BROWSER),
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-proxy-server",
            "--disable-background-networking",
            f"--host-resolver-rules={rules}",
            f"--user-data-dir={Path(tmp_path) / uuid.uuid4().hex}",
            "--remote-debugging-port=0",
            origin,
        ]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as browser:
            try:
                return site.seen.get(timeout=60)
            finally:
                browser.terminate()

    return look


@pytest.fixture(params=["cognito", "custom"])
def mode(modes, request):
    """One lets in one origin, the other several."""
    return modes[request.param]


def calls(mode):
    """Every kind of answer that there is, with the status that a program would see."""
    job = f"{mode.api._url}/jobs/{uuid.uuid4()}"
    good = mode.headers | {"Authorization": mode.tokens[0]}
    posted = good | {"Content-Type": "application/json"}
    body = {"jobType": "echo", "input": {"text": "hello"}}
    return [
        (202, "PUT", job, posted, body),
        (200, "GET", f"{job}?wait=20", good, None),
        (304, "GET", job, good | {"If-None-Match": "*"}, None),
        (202, "POST", f"{mode.api._url}/jobs", posted, body),
        (200, "GET", f"{mode.api._url}/jobs?limit=1", good, None),
        (409, "DELETE", job, good, None),
        (400, "POST", f"{mode.api._url}/jobs", posted, body | {"color": "red"}),
        (400, "POST", f"{mode.api._url}/jobs", posted, body | {"input": {"text": "x" * 300_000}}),
        (400, "GET", f"{job}?wait=x", good, None),
        (401, "GET", job, mode.headers | {"Authorization": "Bearer abc"}, None),
        (401, "POST", f"{mode.api._url}/jobs", posted | {"Authorization": "Bearer abc"}, body),
        (404, "GET", f"{mode.api._url}/jobs/{uuid.uuid4()}", good, None),
        (415, "POST", f"{mode.api._url}/jobs", good | {"Content-Type": "text/plain"}, body),
    ]


def asked(found):
    return [{"method": m, "path": p, "headers": h, "body": b} for _, m, p, h, b in found]


def test_a_page_can_do_what_a_program_can(mode, from_page):
    found = calls(mode)
    seen = from_page(ALLOWED, asked(found))
    assert [answer.get("status", answer.get("error")) for answer in seen] == [status for status, *_ in found]
    put, ended, unchanged = seen[:3]
    assert put["headers"]["location"].endswith(found[0][2].rpartition("/")[2])
    assert ended["body"]["status"] == "completed"
    assert ended["headers"]["etag"]
    assert unchanged["body"] is None
    assert all(answer["headers"]["x-amzn-requestid"] for answer in seen)
    assert {answer["body"]["error"]["code"] for answer in seen if answer["status"] == 401} == {"UNAUTHORIZED"}


def test_a_page_of_another_origin_gets_nothing_done(mode, from_page):
    found = calls(mode)
    assert ["error" in answer for answer in from_page(OTHER, asked(found))] == [True] * len(found)
    (_, _, job, headers, _) = found[1]
    status, _, _ = mode.api.request("GET", job.removeprefix(mode.api._url), None, headers)
    assert status == 404, "the preflight must keep the request from being sent"
