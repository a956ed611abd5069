"""Upgrades: what the last releases left in a state is planned against the code, and nothing of it may be destroyed.

The states come from `make record-release`. Nothing is refreshed, so the plan needs AWS only to ask who is calling.
"""

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

from ai_jobs.local.environment import local_environment
from scripts.project import ROOT
from scripts.record_release import STATE, recorded

TERRAFORM = os.environ.get("AI_JOBS_TERRAFORM") or str(ROOT / "scripts/terraform")

REPLACED_BY_DESIGN = {
    "aws_api_gateway_deployment": "a snapshot of the API: a changed API gets a new one before the old one is deleted",
    "aws_appconfig_hosted_configuration_version": "versions do not change: changed job types become a new one first",
    "aws_appconfig_deployment": "what runs stays until the next one has started; AWS does not delete deployments",
    "aws_cloudwatch_composite_alarm": "only here: the local AWS does not return actions_enabled, so no state has it",
}
"""The types that an upgrade may replace, with the reason why that harms nobody."""

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


@pytest.fixture(scope="module")
def endpoint_url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Caller) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


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


@pytest.fixture(scope="module", params=recorded()[-2:], ids=lambda release: release.name)
def root(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, endpoint_url: str) -> Root:
    """The two newest releases: who skips one upgrades, too (UPGRADING.md)."""
    return Root(request.param, tmp_path_factory.mktemp("terraform"), endpoint_url)


def test_an_upgrade_destroys_nothing(root: Root) -> None:
    destroyed = {
        change["resource"]["addr"]: f"{change['action']}: {change.get('reason', 'no reason given')}"
        for change in root.changes(root.release / STATE)
        if change["action"] in {"delete", "replace"} and change["resource"]["resource_type"] not in REPLACED_BY_DESIGN
    }
    assert destroyed == {}, "Renamed? Add a `moved` block (UPGRADING.md). Meant? Say so in REPLACED_BY_DESIGN, and why."


def test_a_new_deployment_is_only_created(root: Root, tmp_path: Path) -> None:
    """On each Terraform and OpenTofu of the workflow, also where mocks do not reach (make test-compatibility)."""
    changes = root.changes(tmp_path / "none.json")
    assert {change["action"] for change in changes} == {"create"}
    assert len(changes) > 150


def test_the_version_is_recorded() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    newest = recorded()[-1]
    assert newest.name == version
    assert (newest / STATE).is_file(), "make record-release"


def test_what_is_recorded_names_no_machine() -> None:
    for release in recorded():
        text = (release / STATE).read_text("utf-8")
        assert "127.0.0.1" not in text
        assert str(ROOT) not in text
