"""Zips and manifests that the module can't use are refused by the plan, with what is wrong and what to do."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.plans import MANIFEST, ROOT

MODULE = ROOT / "modules/packages"
TERRAFORM = os.environ.get("AI_JOBS_TERRAFORM") or str(ROOT / "scripts/terraform")
ZIPS = "../../tests/terraform/fixtures/packages"
GIVEN = "packages.s3.manifest (releases/1.json) "
AGAIN = (
    "Use the manifest of a release: dist/manifest.json of `make package`, or manifest-<release>.json in the bucket of "
    "`make publish`"
)
SAME_RELEASE = (
    "Use the module of the same release (the ref in its source), or the manifest of a release with that interface."
)


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """What a plan with these inputs of the module says on one line. It has no resources, so it needs no provider."""
    environment = os.environ | {"TF_IN_AUTOMATION": "1", "TF_DATA_DIR": str(tmp_path_factory.mktemp("terraform"))}

    def run(*arguments: str) -> str:
        command = [TERRAFORM, f"-chdir={MODULE}", *arguments, "-input=false", "-no-color"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        return " ".join((done.stdout + done.stderr).replace("│", " ").split())

    run("init")
    return lambda **inputs: run("plan", "-lock=false", *(f"-var={name}={value}" for name, value in inputs.items()))


def manifest(**changes: Any) -> str:
    return json.dumps(MANIFEST | changes)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<html>", 'is not JSON: it begins with "\\u003chtml\\u003e". ' + AGAIN),
        (
            '{"name": "lodash"}',
            "has no schema_version, so it is not the manifest of a release. " + AGAIN,
        ),
        (
            manifest(schema_version=2),
            "has schema_version 2, and this version of the module reads 1. Use the module of the manifest's release "
            "(the ref in its source).",
        ),
        (
            manifest(release="9.0.0", interface=9),
            'is of release "9.0.0", whose functions expect the interface 9. This version of the module has 1. '
            + SAME_RELEASE,
        ),
        (
            manifest(functions={}),
            "lacks the key, the sha256, or the base64sha256 of processor, result_handler, jobs_api, reconciler, "
            f"event_publisher, or has an invalid one. {AGAIN}, unchanged.",
        ),
    ],
)
def test_a_manifest_is_refused_with_its_reason(plan: Callable[..., str], text: str, reason: str) -> None:  # R-P5
    said = plan(s3='{bucket="releases",prefix=""}', manifest=text, manifest_name=GIVEN.strip())
    assert GIVEN + reason in said
    assert said.count("Error: ") == 1, "nothing else is wrong with it"
    assert text in ("<html>", '{"name": "lodash"}') or text.replace('"', '\\"') not in said, "not all of it is printed"


def test_the_manifest_of_a_directory_is_built_again(plan: Callable[..., str]) -> None:  # R-P5
    again = "Run `make package`, or download the release again."
    name = f"{ZIPS}/manifest.json"
    said = plan(directory=ZIPS, manifest="none", manifest_name=name)
    assert f'{ZIPS}/manifest.json is not JSON: it begins with "none". {again}' in said
    said = plan(directory=ZIPS, manifest="{}", manifest_name=name)
    assert f"{ZIPS}/manifest.json has no schema_version, so it is not the manifest of a release. {again}" in said


def test_zips_of_another_build_than_the_manifest_are_refused_together(plan: Callable[..., str]) -> None:  # R-P5
    functions = {name: function | {"sha256": "0" * 64} for name, function in MANIFEST["functions"].items()}
    of_two = MANIFEST["functions"] | {name: functions[name] for name in ("processor", "reconciler")}
    said = plan(directory=ZIPS, manifest=manifest(functions=of_two), manifest_name="dist/manifest.json")
    assert (
        "dist/manifest.json has other SHA-256 hashes than the zips beside it (packages.directory): processor.zip, "
        "reconciler.zip. Run `make package`, or download the release again."
    ) in said
    assert said.count("Error: ") == 1


def test_a_directory_without_the_zips_is_one_error(plan: Callable[..., str]) -> None:  # R-P1 R-P3
    said = plan(directory="../dits")
    assert (
        'packages.directory is "../dits", and there is no processor.zip, result_handler.zip, jobs_api.zip, '
        f"reconciler.zip, event_publisher.zip in {ROOT}/modules/dits. Run `make package`"
    ) in said
    assert said.count("Error: ") == 1


def test_another_release_with_the_same_interface_is_a_rollback(plan: Callable[..., str]) -> None:  # R-P5
    said = plan(s3='{bucket="releases",prefix=""}', manifest=manifest(release="0.0.9"))
    assert 'release = "0.0.9"' in said
    assert "Error" not in said


def test_the_module_leaves_nothing_in_its_folder(plan: Callable[..., str]) -> None:
    assert {path.name for path in Path(MODULE).iterdir()} == {
        *("README.md", "main.tf", "outputs.tf", "variables.tf", "versions.tf")
    }
