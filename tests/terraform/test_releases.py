"""Upgrades: what the last releases left in a state is planned against the code, and nothing of it may be destroyed.

The states come from `make record-release`.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from scripts import release_files
from scripts.project import ROOT
from scripts.record_release import RELEASES, STATE, recorded
from tests.release_plans import Root, caller, planned

REPLACED_BY_DESIGN = {
    "aws_api_gateway_deployment": "a snapshot of the API: a changed API gets a new one before the old one is deleted",
    "aws_appconfig_hosted_configuration_version": "versions do not change: changed job types become a new one first",
    "aws_appconfig_deployment": "what runs stays until the next one has started; AWS does not delete deployments",
}
"""The types that an upgrade may replace, with the reason why that harms nobody."""


@pytest.fixture(scope="module", params=planned([release.name for release in recorded()]))
def root(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Root]:
    with caller() as endpoint_url:
        yield Root(RELEASES / request.param, tmp_path_factory.mktemp("terraform"), endpoint_url)


@pytest.mark.parametrize(
    ("releases", "expected"),
    [
        (["0.1.0"], ["0.1.0"]),
        (["0.1.0", "0.2.0"], ["0.1.0", "0.2.0"]),
        # Patches do not count, and 10 comes after 9.
        (["1.8.4", "1.9.0", "1.9.1", "1.9.2", "1.10.0"], ["1.8.4", "1.9.2", "1.10.0"]),
        (["1.8.4", "1.9.2", "1.10.0", "1.10.1", "1.10.2"], ["1.8.4", "1.9.2", "1.10.1", "1.10.2"]),
        (["1.7.0", "1.8.0", "1.9.0", "1.10.0"], ["1.8.0", "1.9.0", "1.10.0"]),
        (["1.8.0", "1.9.0", "2.0.0"], ["1.8.0", "1.9.0", "2.0.0"]),
    ],
)
def test_the_last_patch_of_each_minor_that_may_be_upgraded_is_planned(releases: list[str], expected: list[str]) -> None:
    assert planned(releases) == expected


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
