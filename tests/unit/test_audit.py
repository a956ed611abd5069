"""`make audit` looks up every locked package, and an audit that could not check is not one that found nothing."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
VULNERABILITY = {
    "id": "GHSA-aaaa-bbbb-cccc",
    "modified": "2026-01-01T00:00:00Z",
    "summary": "It is bad.",
    "affected": [],
}


class Osv(ThreadingHTTPServer):
    """A stand-in for osv.dev (https://google.github.io/osv.dev/post-v1-querybatch/)."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Osv)
        self.asked: list[tuple[str, str]] = []
        self.vulnerable: set[str] = set()
        self.works = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"


class _Osv(BaseHTTPRequestHandler):
    server: Osv

    def do_POST(self) -> None:
        queries = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["queries"]
        self.server.asked += [(query["package"]["name"], query["version"]) for query in queries]
        names = [query["package"]["name"] for query in queries]
        self._answer(
            {"results": [{"vulns": [VULNERABILITY]} if name in self.server.vulnerable else {} for name in names]}
        )

    def do_GET(self) -> None:
        self._answer(VULNERABILITY)

    def _answer(self, body: dict[str, Any]) -> None:
        self.send_response(200 if self.server.works else 500)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def osv() -> Iterator[Osv]:
    with Osv() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def audit(osv: Osv) -> subprocess.CompletedProcess[str]:
    command = ["make", "--no-print-directory", "audit", f"AUDIT_ARGS=--service-url {osv.url}"]
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    environment["UV_HTTP_RETRIES"] = "0"
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_every_locked_package_is_checked(osv: Osv) -> None:  # R-P8
    done = audit(osv)
    assert done.returncode == 0, done.stderr
    locked = tomllib.loads((ROOT / "uv.lock").read_text("utf-8"))["package"]
    packages = {(package["name"], package["version"]) for package in locked if package["name"] != "ai-jobs"}
    assert set(osv.asked) == packages
    assert f"in {len(packages)} packages" in done.stdout + done.stderr


def test_a_known_vulnerability_fails_the_audit(osv: Osv) -> None:  # R-P8
    osv.vulnerable = {"jinja2"}
    done = audit(osv)
    assert done.returncode != 0
    assert "jinja2" in done.stdout
    assert VULNERABILITY["id"] in done.stdout


def test_an_audit_that_could_not_check_fails(osv: Osv) -> None:  # R-P8
    osv.works = False
    done = audit(osv)
    assert done.returncode != 0
    assert "500 Internal Server Error" in done.stderr
