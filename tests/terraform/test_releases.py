"""Upgrades: what the last releases left in a state is planned against the code, and nothing of it may be destroyed.

The states come from `make record-release`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts import release_files
from scripts.project import ROOT
from scripts.record_release import STATE, recorded
from tests.plans import FOLDER
from tests.release_plans import Root, caller

REPLACED_BY_DESIGN = {
    "aws_api_gateway_deployment": "a snapshot of the API: a changed API gets a new one before the old one is deleted",
    "aws_appconfig_hosted_configuration_version": "versions do not change: changed job types become a new one first",
    "aws_appconfig_deployment": "what runs stays until the next one has started; AWS does not delete deployments",
    "aws_cloudwatch_composite_alarm": "only here: the local AWS does not return actions_enabled, so no state has it",
}
"""The types that an upgrade may replace, with the reason why that harms nobody."""


@pytest.fixture(scope="module")
def endpoint_url() -> Iterator[str]:
    with caller() as url:
        yield url


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


def test_the_version_is_recorded() -> None:
    newest = recorded()[-1]
    assert newest.name == release_files.release()
    assert (newest / STATE).is_file(), "make record-release"


def test_what_is_recorded_names_no_machine() -> None:
    for release in recorded():
        text = (release / STATE).read_text("utf-8")
        assert "127.0.0.1" not in text
        assert str(ROOT) not in text


# What an apply of the newest release deploys again


class Consumer:
    """The root of the newest release in another repository, with zips that a test changes."""

    def __init__(self, folder: Path, endpoint_url: str) -> None:
        self.release, self.zips = recorded()[-1], folder / "terraform/fixtures/packages"
        # The same relative path as in the state, because another one is a change of its own.
        shutil.copytree(FOLDER / "fixtures/packages", self.zips)
        root = folder / "releases" / self.release.name
        root.mkdir(parents=True)
        text, here = (self.release / "main.tf").read_text(), '"../../../modules/'
        assert here in text
        # Relative, too: an absolute path would stand for a copy of the module.
        (root / "main.tf").write_text(text.replace(here, f'"{os.path.relpath(ROOT / "modules", root)}/'))
        self.root = Root(root, folder / ".terraform", endpoint_url)

    def change_manifest(self, change: Callable[[dict[str, Any]], None]) -> None:
        manifest = json.loads((self.zips / "manifest.json").read_text())
        change(manifest)
        (self.zips / "manifest.json").write_text(json.dumps(manifest))

    def deployed(self) -> dict[str, str]:
        """What an apply would do to functions and their aliases, by address within the module."""
        changes = self.root.changes(self.release / STATE)
        return {
            change["resource"]["addr"].removeprefix("module.ai_jobs."): change["action"]
            for change in changes
            if change["resource"]["resource_type"] in {"aws_lambda_function", "aws_lambda_alias"}
        }


@pytest.fixture
def consumer(tmp_path: Path, endpoint_url: str) -> Consumer:
    return Consumer(tmp_path, endpoint_url)


def test_the_same_zips_deploy_nothing_in_another_release_either(consumer: Consumer) -> None:  # R-P5
    assert consumer.deployed() == {}
    consumer.change_manifest(lambda manifest: manifest.update(release="9.9.9"))
    assert consumer.deployed() == {}


def test_exactly_the_function_with_another_zip_is_deployed(consumer: Consumer) -> None:  # R-P5
    data = (consumer.zips / "reconciler.zip").read_bytes() + b"changed"
    (consumer.zips / "reconciler.zip").write_bytes(data)
    digest = hashlib.sha256(data)
    hashes = {"sha256": digest.hexdigest(), "base64sha256": base64.b64encode(digest.digest()).decode()}
    consumer.change_manifest(lambda manifest: manifest["functions"]["reconciler"].update(hashes))
    resources = ("aws_lambda_function.this", "aws_lambda_alias.live")
    assert consumer.deployed() == {f"module.reconciler.{resource}": "update" for resource in resources}
