"""What the environments have in common is copied from one of them, and lint finds a copy that is not current."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from scripts import copy_roots
from scripts.project import Failure

ROOT = Path(__file__).parents[2]


@pytest.fixture
def environments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    environments = tmp_path / "environments"
    for name in ("development", "staging", "production", "local"):
        (environments / name).mkdir(parents=True)
    for file in copy_roots.COPIES:
        (environments / "development" / file).write_text(f"# {file}\n")
    (environments / "local" / "providers.tf").write_text("# the emulator's\n")
    monkeypatch.setattr(copy_roots, "ROOT", tmp_path)
    return environments


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["copy_roots", *arguments])
    copy_roots.main()


def test_copies_are_written_where_they_belong(environments: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(monkeypatch)
    for name in ("staging", "production"):
        copied = {path.name: path.read_text() for path in (environments / name).iterdir()}
        assert copied == {file: f"# {file}\n" for file in copy_roots.COPIES}
    local = {path.name: path.read_text() for path in (environments / "local").iterdir()}
    common = {file: f"# {file}\n" for file in ("variables.tf", "outputs.tf", "versions.tf", "api_url.tf")}
    assert local == common | {"providers.tf": "# the emulator's\n"}


def test_check_names_the_copies_that_are_not_current_and_changes_nothing(
    environments: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(monkeypatch)
    run(monkeypatch, "--check")
    (environments / "production" / "outputs.tf").write_text("# edited\n")
    (environments / "staging" / "backend.tf").unlink()
    with pytest.raises(Failure, match=r"production/outputs\.tf, environments/staging/backend\.tf\. Run: make docs"):
        run(monkeypatch, "--check")
    assert (environments / "production" / "outputs.tf").read_text() == "# edited\n"
    assert not (environments / "staging" / "backend.tf").exists()


def test_every_file_of_an_environment_is_a_copy_or_its_own() -> None:
    """What a new file of development is: COPIES names it, or it is the environment's own."""
    own = {"main.tf"}
    files = {path.name for path in (ROOT / "environments/development").glob("*.tf")}
    assert files == own | set(copy_roots.COPIES)
    for name in copy_roots.ON_AWS:
        assert {path.name for path in (ROOT / "environments" / name).glob("*.tf")} == files
