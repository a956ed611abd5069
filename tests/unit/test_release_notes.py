"""A tag becomes a release only if it, pyproject.toml, and the changelog agree."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from scripts import release_notes
from scripts.package import BUILT
from scripts.project import ROOT, Failure

CHANGELOG = """# Changelog

## [Unreleased]

## [1.2.3] - 2026-11-29

### Fixed

- A job [no longer](docs/x.md) waits.

## [1.2.2] - 2026-10-01

- Older.

[1.2.3]: https://example.com/compare
"""


@pytest.fixture(autouse=True)
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    monkeypatch.setattr(release_notes, "ROOT", tmp_path)
    monkeypatch.setattr(release_notes.release_files, "release", lambda: "1.2.3")
    return tmp_path


def test_the_notes_are_the_changelogs_section():
    assert release_notes.notes("v1.2.3") == "### Fixed\n\n- A job [no longer](docs/x.md) waits."


def test_the_oldest_section_ends_at_the_links(monkeypatch):
    monkeypatch.setattr(release_notes.release_files, "release", lambda: "1.2.2")
    assert release_notes.notes("v1.2.2") == "- Older."


@pytest.mark.parametrize("tag", ["v1.2.4", "1.2.3", "v1.2.3-rc1"])
def test_a_tag_of_another_version_is_refused(tag):
    with pytest.raises(Failure, match=rf"the tag is {tag}, and .* the tag must be v1\.2\.3\."):
        release_notes.notes(tag)


@pytest.mark.parametrize("heading", ["## [1.2.3] - unreleased", "## 1.2.3", "## [1.2x3] - 2026-11-29"])
def test_a_version_without_a_dated_section_is_refused(repository, heading):
    (repository / "CHANGELOG.md").write_text(CHANGELOG.replace("## [1.2.3] - 2026-11-29", heading))
    with pytest.raises(Failure, match="has no section with the heading"):
        release_notes.notes("v1.2.3")


def test_the_workflow_checks_the_tag_first_and_says_what_it_built_with(tmp_path):  # R-P5
    steps = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text())["jobs"]["build"]["steps"]
    runs = [step["run"] for step in steps if "run" in step]
    first = [
        next(at for at, run in enumerate(runs) if what in run) for what in ("release_notes", "make -C first package")
    ]
    assert first == [0, 1], "a tag that is refused builds nothing"
    (tmp_path / "build").mkdir()
    (tmp_path / "dist").mkdir()
    (tmp_path / "notes.md").write_text("### Fixed\n")
    built_with = {"python": "3.13.5", "zlib": "1.3.1"}
    (tmp_path / BUILT.relative_to(ROOT)).write_text(json.dumps({"built_with": built_with}))
    subprocess.run(["bash", "-euc", runs[2]], cwd=tmp_path, check=True)
    assert (tmp_path / "dist/notes.md").read_text() == "### Fixed\n\nBuilt with Python 3.13.5 and zlib 1.3.1.\n"


def test_the_workflow_publishes_what_the_checksums_have():  # R-P5 R-P8
    workflow = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text())
    assert workflow["permissions"] == {}
    build, publish = workflow["jobs"]["build"], workflow["jobs"]["publish"]
    assert build["permissions"] == {"contents": "read"}, "what runs the repository's code can publish nothing"
    assert not [step for step in publish["steps"] if "checkout" in step.get("uses", "")]
    attested = [step["with"] for step in publish["steps"] if "attest" in step.get("uses", "")]
    assert attested == [{"subject-checksums": "dist/SHA256SUMS"}]
    assert publish["steps"][-1]["run"].endswith("*.zip manifest.json sbom.cdx.json SHA256SUMS")
