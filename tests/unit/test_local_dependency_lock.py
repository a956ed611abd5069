"""The root's .terraform.lock.hcl after a local command: what it was before."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ai_jobs.local import dependency_lock
from ai_jobs.local.failure import Failure
from ai_jobs.local.root import Root
from ai_jobs.local.terraform import Terraform

# Terraform's place: its init chooses a provider, unless there is a choice; it fails if that choice is not allowed.
TERRAFORM = """#!/bin/sh
lock=${1#-chdir=}/.terraform.lock.hcl
[ "$2" = init ] || exit 0
if ! [ -e "$lock" ]; then echo "$VERSION" > "$lock"; fi
echo "Installed $(cat "$lock")"
[ "$(cat "$lock")" = "$VERSION" ] || { echo "Error: does not match the constraints"; exit 1; }
[ -z "$ADDS" ] || echo "$ADDS" >> "$lock"
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Root:
    folder = tmp_path / "root"
    folder.mkdir()
    (folder / "main.tf").write_text("")
    script = tmp_path / "terraform"
    script.write_text(TERRAFORM)
    script.chmod(0o755)
    for name, value in {"AI_JOBS_TERRAFORM": str(script), "VERSION": "5.100.0", "ADDS": ""}.items():
        monkeypatch.setenv(name, value)
    root = Root(folder, "up", "down")
    root.prepare()
    return root


def init(root: Root) -> str:
    """Run `terraform init` as each command does. Returns what Terraform printed."""
    runner = Terraform(root, "http://127.0.0.1:4566")
    with runner.overriding():
        runner.initialize()
    return root.log.read_text()


def files(root: Root) -> list[str]:
    return sorted(path.name for path in root.path.iterdir())


def test_a_root_without_one_gets_none(root: Root) -> None:
    init(root)
    assert files(root) == [".ai-jobs-local", "main.tf"]


def test_the_choice_is_kept_for_the_next_command(root: Root) -> None:
    init(root)
    kept = root.folder / "terraform.lock.hcl"
    kept.write_text("5.100.0\n\n")
    init(root)
    assert kept.read_text() == "5.100.0\n\n", "chosen once"


def test_a_choice_that_the_root_no_longer_allows_is_made_anew(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    init(root)
    monkeypatch.setenv("VERSION", "6.0.0")
    assert init(root) == "Installed 6.0.0\n"
    assert files(root) == [".ai-jobs-local", "main.tf"]


def test_the_roots_own_has_the_last_word(root: Root) -> None:
    init(root)
    own = root.path / dependency_lock.NAME
    own.write_text("4.0.0\n")
    with pytest.raises(Failure, match="does not match the constraints"):
        init(root)
    assert own.read_text() == "4.0.0\n"


def test_what_terraform_adds_to_the_roots_own_is_taken_back(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    own = root.path / dependency_lock.NAME
    own.write_text("5.100.0\n")
    monkeypatch.setenv("ADDS", "h1:of-this-platform")
    init(root)
    assert own.read_text() == "5.100.0\n"


def test_what_a_killed_command_left_is_removed(root: Root, tmp_path: Path) -> None:
    runner = Terraform(root, "http://127.0.0.1:4566")
    with runner.overriding():
        runner.initialize()
        killed = Root(shutil.copytree(root.path, tmp_path / "killed"), "up", "down")
    assert dependency_lock.NAME in files(killed)
    init(killed)
    assert files(killed) == files(root) == [".ai-jobs-local", "main.tf"]
