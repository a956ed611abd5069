"""When `make local-up` packages and applies environments/local, and when it leaves what is there alone."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from ai_jobs.local.root import FOLDER
from scripts import local_stack


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    environment = tmp_path / "environments" / "local"
    for folder in (environment, tmp_path / "modules" / "queue", tmp_path / "dist"):
        folder.mkdir(parents=True)
    (tmp_path / "dist" / "manifest.json").write_text("{}")
    (environment / "main.tf").write_text("# root")
    (tmp_path / "functions/ai_jobs/contract").mkdir(parents=True)
    for name, path in {"ROOT": "", "DIST": "dist", "LOCAL_ENVIRONMENT": "environments/local"}.items():
        monkeypatch.setattr(local_stack, name, tmp_path / path)
    return tmp_path


@pytest.mark.parametrize(
    "changed",
    [
        "modules/queue/main.tf",
        "environments/local/main.tf",
        "functions/ai_jobs/contract/limits.json",
        "dist/manifest.json",
    ],
)
def test_a_change_of_what_shapes_the_stack_is_an_input(clone: Path, changed: str) -> None:
    before = local_stack._inputs_digest()
    (clone / changed).write_text("changed")
    assert local_stack._inputs_digest() != before


def test_a_variable_of_the_caller_is_an_input(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = local_stack._inputs_digest()
    monkeypatch.setenv("TF_VAR_default_model_id", "another")
    assert local_stack._inputs_digest() != before


@pytest.mark.parametrize("folder", [".terraform", FOLDER])
def test_what_terraform_leaves_in_the_root_is_no_input(clone: Path, folder: str) -> None:
    before = local_stack._inputs_digest()
    left = clone / "environments/local" / folder
    left.mkdir()
    (left / "environment").write_text("x")
    assert local_stack._inputs_digest() == before


@pytest.mark.parametrize("built", [True, False])
def test_up_packages_first_and_passes_the_inputs_on(
    clone: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], built: bool
) -> None:
    given = []
    monkeypatch.setattr(local_stack.package, "build", lambda: built)
    monkeypatch.setattr(local_stack.stack, "up", lambda *arguments: given.append(arguments))
    monkeypatch.delenv("AI_JOBS_TERRAFORM", raising=False)
    local_stack.up()
    ((root, options, _),) = given
    assert (root, options.inputs) == (local_stack.STACK, local_stack._inputs_digest())
    assert ("packaged" in capsys.readouterr().err) is built
    assert local_stack.os.environ["AI_JOBS_TERRAFORM"] == str(local_stack.TERRAFORM)


def test_the_outputs_say_where_the_local_api_is(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in = SimpleNamespace(
        outputs=lambda root: {"api_url": "https://on.aws", "table_name": "jobs"},
        reached=lambda root, values: ({}, {"api_url": "http://127.0.0.1"}),
    )
    monkeypatch.setattr(local_stack, "stack", stand_in)
    assert local_stack.outputs() == {"api_url": "http://127.0.0.1", "table_name": "jobs"}
