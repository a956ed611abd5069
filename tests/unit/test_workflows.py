"""Workflows take no code that could change under them, and no more rights than they need. (zizmor checks the rest.)"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted([*ROOT.glob(".github/workflows/*.yml"), *ROOT.glob("examples/*/.github/workflows/*.yml")])
PINNED = re.compile(r"uses: ([\w./-]+)@([0-9a-f]{40} # v\d+\.\d+\.\d+)$")
EXAMPLE = ROOT / "examples/platform-repo"


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


def test_every_workflow_uses_the_same_release_of_an_action() -> None:  # R-P8
    texts = [line.strip() for path in WORKFLOWS for line in path.read_text("utf-8").splitlines()]
    pins = {found.groups() for line in texts if (found := PINNED.search(line))}
    assert len(pins) > 10
    assert len(pins) == len({action for action, _ in pins}), sorted(pins)


def test_dependabot_knows_every_folder_that_has_pins() -> None:  # R-P8
    updates = yaml.safe_load((ROOT / ".github/dependabot.yml").read_text("utf-8"))["updates"]
    known = {
        (one["package-ecosystem"], path) for one in updates for path in one.get("directories", [one.get("directory")])
    }
    # Below the root, it takes the folder of the workflows itself.
    folders = {f"/{path.parent.relative_to(ROOT).as_posix()}".removesuffix("/.github/workflows") for path in WORKFLOWS}
    assert known == {
        ("uv", "/"),
        ("npm", "/examples/typescript-client"),
        ("github-actions", "/"),
        *(("github-actions", f"{folder}/.github/workflows") for folder in folders if folder),
    }


def test_the_example_s_workflow_installs_only_what_has_a_hash_and_before_there_are_credentials() -> None:  # R-P8
    run = [step.get("uses", step.get("run", "")) for step in steps(EXAMPLE / ".github/workflows/environment.yml")]
    (installs,) = [at for at, text in enumerate(run) if "pip install" in text]
    (credentials,) = [at for at, text in enumerate(run) if text.startswith("aws-actions/configure-aws-credentials@")]
    assert installs < credentials
    assert all(
        "--require-hashes" in line or ("--no-deps" in line and "--no-build-isolation" in line)
        for line in run[installs].splitlines()
    )
    assert "--require-hashes" in run[installs]


def test_the_example_s_requirements_have_hashes_and_what_builds_the_command() -> None:  # R-P8
    """`make lint` compares them with uv.lock."""
    entries = (EXAMPLE / "requirements.txt").read_text("utf-8").replace("\\\n", " ").splitlines()
    given = {entry.partition("==")[0] for entry in entries if "--hash=sha256:" in entry}
    assert len(given) == len(entries)
    (backend,) = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["build-system"]["requires"]
    assert {"boto3", "click", re.split("[<>=]", backend)[0].replace("_", "-")} <= given


def test_no_run_of_the_example_waits_for_another_environment_s_reviewer() -> None:
    caller, called = (
        yaml.safe_load((EXAMPLE / f".github/workflows/{name}.yml").read_text("utf-8"))
        for name in ("ai-jobs", "environment")
    )
    assert "concurrency" not in caller
    assert "inputs.environment" in called["concurrency"]["group"]
    assert called["concurrency"]["cancel-in-progress"] is False


def test_no_later_step_finds_the_token_of_the_checkout(workflow: Path) -> None:  # R-P8
    checkouts = [step for step in steps(workflow) if step.get("uses", "").startswith("actions/checkout@")]
    assert [step for step in checkouts if step.get("with", {}).get("persist-credentials") is not False] == []


def test_a_workflow_says_what_it_may_do_and_its_jobs_what_more(workflow: Path) -> None:  # R-P8
    permissions = yaml.safe_load(workflow.read_text("utf-8"))["permissions"]
    assert permissions in ({}, {"contents": "read"})
