"""The roots of recorded releases (tests/releases), planned with the Terraform or OpenTofu that AI_JOBS_TERRAFORM names.

Nothing is refreshed, so a plan needs AWS only to ask who is calling.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from ai_jobs.local.environment import local_environment
from scripts.project import ROOT

TERRAFORM = os.environ.get("AI_JOBS_TERRAFORM") or str(ROOT / "scripts/terraform")

IDENTITY = """<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>
<Arn>arn:aws:iam::000000000000:root</Arn><UserId>root</UserId><Account>000000000000</Account>
</GetCallerIdentityResult></GetCallerIdentityResponse>"""


class Caller(BaseHTTPRequestHandler):
    """AWS as far as these plans need it: STS, which says who is calling."""

    def do_POST(self) -> None:
        asked = self.rfile.read(int(self.headers["Content-Length"]))
        known = b"Action=GetCallerIdentity" in asked
        self.send_response(200 if known else 501)
        self.send_header("Content-Type", "text/xml")
        self.end_headers()
        self.wfile.write(IDENTITY.encode() if known else b"")

    def log_message(self, *arguments: object) -> None:
        """Nothing: pytest's output is for its own."""


@contextmanager
def caller() -> Iterator[str]:
    """The URL of an STS that answers."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Caller) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def planned(releases: Sequence[str]) -> list[str]:
    """The releases whose states are planned: the newest, and the last one before it of its minor and of the two before.

    So an upgrade is tried from the release before, and by who skips a minor release (UPGRADING.md).

    Args:
        releases: versions, oldest first.
    """
    *older, newest = releases
    last = {release.rpartition(".")[0]: release for release in older}
    minors = list(last | {newest.rpartition(".")[0]: newest})[-3:]
    return [*(last[minor] for minor in minors if minor in last), newest]


class Root:
    """A release's root, with a data folder of its own."""

    def __init__(self, release: Path, scratch: Path, endpoint_url: str) -> None:
        self.release = release
        self.environment = local_environment(endpoint_url) | {"TF_DATA_DIR": str(scratch)}
        self("init", "-backend=false")

    def __call__(self, *arguments: str) -> str:
        command = [TERRAFORM, f"-chdir={self.release}", *arguments, "-input=false", "-no-color"]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr
        return done.stdout

    def changes(self, state: Path) -> list[dict[str, Any]]:
        """What a plan does to what is in the state: {"resource": {"addr", "resource_type", ...}, "action", ...}."""
        lines = self("plan", "-json", "-refresh=false", "-lock=false", f"-state={state}").splitlines()
        return [message["change"] for message in map(json.loads, lines) if message["type"] == "planned_change"]

    def texts(self, state: Path) -> dict[str, str]:
        """What Terraform prints of each change to what is in the state, by address."""
        printed = self("plan", "-refresh=false", "-lock=false", f"-state={state}").partition("\nPlan: ")[0]
        return dict(re.findall(r"(?ms)^  # (.+?) (?:will|must) be (.*?)(?=^  # \S|\Z)", printed))
