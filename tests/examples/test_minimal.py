"""examples/minimal, from a folder outside the checkout: R-P6."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable

from scripts.project import DIST
from tests.examples.conftest import JOB, Consumer


def test_ten_lines_and_two_commands_complete_a_job(consumer: Callable[..., Consumer]) -> None:  # R-P6
    acme = consumer("minimal")
    lines = (line.strip() for line in (acme.folder / "main.tf").read_text("utf-8").splitlines())
    assert len([line for line in lines if line and not line.startswith("#")]) <= 10
    shutil.copytree(DIST, acme.folder / "dist")
    acme.ai_jobs("local", "up")
    job = acme.submit(JOB)
    assert "[local model amazon.nova-lite-v1:0]" in job["result"]["text"]
    planned = json.loads(acme.ai_jobs("local", "plan", "--json"))
    assert planned == {"changes": [], "outputs": {}}, "what is applied is what is planned"
