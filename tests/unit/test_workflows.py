"""Workflows take no code that could change under them, and no more rights than they need. (zizmor checks the rest.)"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted([*ROOT.glob(".github/workflows/*.yml"), *ROOT.glob("examples/*/.github/workflows/*.yml")])
PINNED = re.compile(r"uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")


@pytest.fixture(params=WORKFLOWS, ids=lambda path: path.relative_to(ROOT).as_posix())
def workflow(request: pytest.FixtureRequest) -> Path:
    return request.param


def steps(workflow: Path) -> list[dict[str, Any]]:
    jobs = yaml.safe_load(workflow.read_text("utf-8"))["jobs"].values()
    return [step for job in jobs for step in job.get("steps", [])]


def test_every_action_is_pinned_by_commit(workflow: Path) -> None:  # R-P8
    lines = [line.strip().removeprefix("- ") for line in workflow.read_text("utf-8").splitlines() if "uses: " in line]
    foreign = [line for line in lines if not line.startswith(("uses: ./", "uses: $/"))]
    assert [line for line in foreign if not PINNED.match(line)] == []


def test_no_later_step_finds_the_token_of_the_checkout(workflow: Path) -> None:  # R-P8
    checkouts = [step for step in steps(workflow) if step.get("uses", "").startswith("actions/checkout@")]
    assert [step for step in checkouts if step.get("with", {}).get("persist-credentials") is not False] == []


def test_a_workflow_says_what_it_may_do_and_its_jobs_what_more(workflow: Path) -> None:  # R-P8
    permissions = yaml.safe_load(workflow.read_text("utf-8"))["permissions"]
    assert permissions in ({}, {"contents": "read"})
