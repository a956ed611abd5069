"""What must agree before a release: the version wherever it is written, the changelog, what contributors read."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
VERSION = PROJECT["version"]
CHANGELOG = (ROOT / "CHANGELOG.md").read_text()
HEADINGS = re.findall(r"(?m)^## \[(.+?)\](?: - (.+))?$", CHANGELOG)
RELEASED = [name for name, _ in HEADINGS[1:]]
KINDS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
"""https://keepachangelog.com/en/1.1.0/"""

PINNED = [
    ROOT / "README.md",
    *ROOT.glob("docs/**/*.md"),
    *ROOT.glob("examples/*/*.md"),
    *ROOT.glob("examples/*/.github/workflows/*.yml"),
]
"""What users copy from: each git address in it names a release."""


def numbers(version: str) -> list[int]:
    return [int(number) for number in version.split(".")]


def test_the_changelog_ends_with_this_version() -> None:
    assert HEADINGS[0] == ("Unreleased", "")
    assert RELEASED[0] == VERSION
    assert [*map(numbers, RELEASED)] == sorted(map(numbers, RELEASED), reverse=True)
    for version, date in HEADINGS[1:]:
        assert re.fullmatch(r"\d{4}-\d\d-\d\d" + ("|unreleased" if version == VERSION else ""), date), version


def test_the_changelog_has_only_its_kinds_of_changes() -> None:
    assert set(re.findall(r"(?m)^### (.+)$", CHANGELOG)) <= KINDS


def test_every_version_in_the_changelog_links_to_what_it_is() -> None:
    links = dict(re.findall(r"(?m)^\[(.+)\]: (\S+)$", CHANGELOG))
    assert links.keys() == {name for name, _ in HEADINGS}
    assert links["Unreleased"].endswith(f"/compare/v{VERSION}...HEAD")
    assert all(link.endswith(f"v{name}") for name, link in links.items() if name != "Unreleased")


def test_the_api_has_the_version_of_the_release() -> None:
    assert yaml.safe_load((ROOT / "docs/openapi.yaml").read_text())["info"]["version"] == VERSION


@pytest.mark.parametrize("path", PINNED, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_users_copy_names_this_release(path: Path) -> None:
    assert set(re.findall(r"ai-jobs\.git\S*?(?:@|\?ref=)v([\d.]+\d)", path.read_text())) <= {VERSION}


def test_upgrading_has_a_section_for_this_version() -> None:
    assert f"### {VERSION}\n" in (ROOT / "UPGRADING.md").read_text()


def test_the_package_names_the_python_versions_that_the_workflow_runs() -> None:
    named = {one.rpartition(" ")[2] for one in PROJECT["classifiers"] if "Python :: 3." in one}
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    assert set(workflow["jobs"]["unit"]["strategy"]["matrix"]["python"]) == named
    assert PROJECT["requires-python"].startswith(f">={min(named)}")


def test_the_typescript_client_is_built_as_its_page_says() -> None:
    package = json.loads((ROOT / "examples/typescript-client/package.json").read_text())
    page = (ROOT / "docs/how-to/typescript-client.md").read_text()
    commands = re.findall(r"(?m)^np[mx] (?:run )?(\S+)", page)
    assert commands == ["ci", "build", "openapi-typescript", "start"]
    assert {"build", "start"} <= package["scripts"].keys()
    # The options for a project of one's own are those of the example.
    (options,) = re.findall(r"npx openapi-typescript \S+ \\\n +(.+)", page)
    assert package["scripts"]["generate"].endswith(options)


def test_the_typescript_client_pins_its_versions() -> None:
    package = json.loads((ROOT / "examples/typescript-client/package.json").read_text())
    for versions in (package["dependencies"], package["devDependencies"]):
        assert all(re.fullmatch(r"[\d.]+", version) for version in versions.values())


def test_the_lock_of_the_typescript_client_pins_the_bytes_of_every_package() -> None:  # R-P8
    folder = ROOT / "examples/typescript-client"
    package = json.loads((folder / "package.json").read_text())
    locked = json.loads((folder / "package-lock.json").read_text())["packages"]
    root = locked.pop("")
    assert [root[kind] for kind in ("dependencies", "devDependencies")] == [
        package["dependencies"],
        package["devDependencies"],
    ]
    assert len(locked) > 10
    for name, one in locked.items():
        assert one.get("resolved", "https://registry.npmjs.org/").startswith("https://registry.npmjs.org/"), name
        assert one["integrity"].startswith("sha512-"), name


def test_the_page_shows_the_typescript_client_s_program() -> None:
    """It stands in the page without its comments and settings."""
    program = (ROOT / "examples/typescript-client/src/main.ts").read_text()
    (shown,) = re.findall(r"```ts\n(.+?)```", (ROOT / "docs/how-to/typescript-client.md").read_text(), re.DOTALL)
    ours = [line for line in shown.splitlines() if line and "signedClient(" not in line]
    assert [line for line in ours if line not in program.splitlines()] == []


CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()


def test_contributing_names_only_files_that_exist() -> None:
    named = re.findall(r"`((?:modules|functions|tests|docs|scripts|environments|examples)/[\w./*<>-]*)`", CONTRIBUTING)
    assert len(named) > 20
    patterns = {re.sub("<[^>]+>", "*", name).rstrip("/") for name in named}
    assert {pattern for pattern in patterns if not any(ROOT.glob(pattern))} == set()


def test_contributing_names_only_targets_that_exist() -> None:
    targets = set(re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text()))
    named = {word for line in re.findall(r"\bmake ([a-z -]+)", CONTRIBUTING) for word in line.split()}
    assert named & targets >= {"demo", "lint", "test", "docs", "record-release"}
    commands = re.findall(r"`make ([a-z-]+(?: [a-z-]+)*)`", CONTRIBUTING)
    assert {word for command in commands for word in command.split()} <= targets


def test_the_hooks_before_a_commit_need_no_network() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    assert {repo["repo"] for repo in config["repos"]} == {"local"}
    assert {hook["language"] for repo in config["repos"] for hook in repo["hooks"]} == {"unsupported"}
