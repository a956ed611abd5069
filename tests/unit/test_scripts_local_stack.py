"""When `make local-up` packages, starts and applies, and when it reuses what is there."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from scripts import local_stack
from scripts.local_aws import Instance
from scripts.project import Failure


@dataclass
class World:
    """Stands in for the local AWS, the packaging and terraform; `events` says what was done."""

    folder: Path
    instance: Instance | None = None
    started: int = 0
    events: list[str] = field(default_factory=list)

    def start(self, folder: Path | None = None, port: int | None = None) -> Instance:
        if self.instance is None:
            self.started += 1
            self.instance = Instance(1, f"process {self.started}", port or 4566)
        return self.instance

    def stop(self) -> bool:
        running, self.instance = self.instance is not None, None
        return running

    def apply(self, instance: Instance) -> None:
        self.events.append("apply" if local_stack.STATE.exists() else "apply to nothing")
        local_stack.STATE.write_text("state")

    def up(self) -> list[str]:
        self.events.clear()
        local_stack.up()
        return self.events


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    world = World(tmp_path)
    environment = tmp_path / "environments" / "local"
    for folder in (environment, tmp_path / "modules" / "queue", tmp_path / "dist", tmp_path / ".local"):
        folder.mkdir(parents=True)
    (tmp_path / "dist" / "manifest.json").write_text("{}")
    (environment / "main.tf").write_text("# root")
    monkeypatch.setattr(local_stack, "ROOT", tmp_path)
    monkeypatch.setattr(local_stack, "DIST", tmp_path / "dist")
    monkeypatch.setattr(local_stack, "LOCAL_ENVIRONMENT", environment)
    monkeypatch.setattr(local_stack, "STATE", environment / "terraform.tfstate")
    monkeypatch.setattr(local_stack, "APPLIED", tmp_path / ".local" / "applied.json")
    monkeypatch.setattr(local_stack, "_apply", world.apply)
    monkeypatch.setattr(local_stack.package, "build", lambda: False)
    monkeypatch.setattr(local_stack.local_aws, "start", world.start)
    monkeypatch.setattr(local_stack.local_aws, "stop", world.stop)
    monkeypatch.setattr(local_stack.local_aws, "status", lambda: world.instance)
    monkeypatch.setattr(local_stack.local_aws, "port_from_environment", lambda: None)
    return world


def test_a_second_up_applies_nothing(world: World) -> None:
    assert world.up() == ["apply to nothing"]
    assert world.up() == []


@pytest.mark.parametrize("changed", ["modules/queue/main.tf", "environments/local/main.tf", "dist/manifest.json"])
def test_a_change_is_applied_to_what_is_there(world: World, changed: str) -> None:
    world.up()
    (world.folder / changed).write_text("changed")
    assert world.up() == ["apply"]


def test_a_variable_of_the_caller_is_a_change(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.up()
    monkeypatch.setenv("TF_VAR_default_model_id", "another")
    assert world.up() == ["apply"]


def test_what_terraform_leaves_in_the_root_is_no_change(world: World) -> None:
    world.up()
    (world.folder / "environments/local/.terraform").mkdir()
    (world.folder / "environments/local/.terraform/environment").write_text("x")
    assert world.up() == []


def test_a_fresh_local_aws_drops_the_old_state(world: World) -> None:
    world.up()
    world.stop()
    assert world.up() == ["apply to nothing"]


def test_a_lost_state_starts_the_local_aws_anew(world: World) -> None:
    world.up()
    local_stack.STATE.unlink()
    assert world.up() == ["apply to nothing"]
    assert world.started == 2


def test_after_a_failed_apply_the_next_one_starts_over(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(instance: Instance) -> None:
        local_stack.STATE.write_text("half of it")
        raise Failure("no")

    with monkeypatch.context() as context:
        context.setattr(local_stack, "_apply", fail)
        with pytest.raises(Failure):
            local_stack.up()
    with pytest.raises(Failure, match="did not finish"):
        local_stack.outputs()
    assert world.up() == ["apply to nothing"]
    assert world.started == 2


def test_down_stops_and_forgets(world: World) -> None:
    world.up()
    assert local_stack.down() is True
    assert not local_stack.STATE.exists()
    assert local_stack.down() is False


def test_outputs_of_a_stack_that_is_down_say_how_to_bring_it_up(world: World) -> None:
    with pytest.raises(Failure, match="make local-up"):
        local_stack.outputs()
