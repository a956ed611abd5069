"""When `make local-up` packages, starts and applies, and when it reuses what is there."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from scripts import local_stack
from scripts.background import Server
from scripts.local_aws import Instance
from scripts.project import Failure


@dataclass
class World:
    """Stands in for the local AWS, the packaging and terraform; `events` says what was done."""

    folder: Path
    instance: Instance | None = None
    started: int = 0
    events: list[str] = field(default_factory=list)
    refused: bool = False
    new_job_types: bool = False

    def start(self, folder: Path | None = None, port: int | None = None) -> Instance:
        if self.instance is None:
            self.started += 1
            self.instance = Instance(1, f"process {self.started}", port or 4566)
        return self.instance

    def stop(self) -> bool:
        running, self.instance = self.instance is not None, None
        return running

    def plan(self, instance: Instance) -> bool:
        if self.refused:
            raise Failure("no")
        return local_stack.STATE.exists() and self.new_job_types

    def apply(self, instance: Instance) -> None:
        self.events.append("apply" if local_stack.STATE.exists() else "apply to nothing")
        local_stack.STATE.write_text("state")

    def up(self) -> list[str]:
        self.events.clear()
        local_stack.up()
        return self.events


def outputs_of_terraform(values: dict[str, object]) -> subprocess.CompletedProcess[str]:
    text = json.dumps({name: {"value": value} for name, value in values.items()})
    return subprocess.CompletedProcess([], 0, text, "")


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
    monkeypatch.setattr(local_stack, "_plan", world.plan)
    monkeypatch.setattr(local_stack, "_apply", world.apply)
    monkeypatch.setattr(local_stack, "_terraform", lambda *_: outputs_of_terraform({"config_max_age_seconds": 15}))
    monkeypatch.setattr(local_stack.time, "sleep", lambda seconds: world.events.append(f"wait {seconds} s"))
    monkeypatch.setattr(local_stack.package, "build", lambda: False)
    monkeypatch.setattr(local_stack.local_aws, "start", world.start)
    monkeypatch.setattr(local_stack.local_aws, "stop", world.stop)
    monkeypatch.setattr(local_stack.local_aws, "status", lambda: world.instance)
    monkeypatch.setattr(local_stack.local_aws, "port_from_environment", lambda: None)
    return world


def test_a_second_up_applies_nothing(world: World) -> None:
    assert world.up() == ["apply to nothing"]
    assert world.up() == []


@pytest.mark.parametrize(
    "changed",
    [
        "modules/queue/main.tf",
        "environments/local/main.tf",
        "functions/ai_jobs/contract/limits.json",
        "dist/manifest.json",
    ],
)
def test_a_change_is_applied_to_what_is_there(world: World, changed: str) -> None:
    world.up()
    (world.folder / changed).parent.mkdir(parents=True, exist_ok=True)
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


def test_a_configuration_that_is_refused_leaves_the_stack_as_it_was(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.up()
    with monkeypatch.context() as context:
        context.setenv("TF_VAR_tags", "wrong")
        world.refused = True
        with pytest.raises(Failure):
            world.up()
    assert local_stack.outputs() == {"config_max_age_seconds": 15}
    assert "The stack is up" in local_stack.what_is_left()
    world.refused = False
    assert world.up() == []
    assert world.started == 1


def test_up_waits_until_no_worker_holds_the_job_types_of_before(world: World) -> None:
    world.new_job_types = True
    assert world.up() == ["apply to nothing"], "the first workers hold nothing"
    (world.folder / "environments/local/main.tf").write_text("changed")
    assert world.up() == ["apply", "wait 15 s"]


def test_what_is_left_after_ctrl_c_says_how_to_go_on(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(instance: Instance) -> None:
        raise KeyboardInterrupt

    assert "The local AWS is not running" in local_stack.what_is_left()
    with monkeypatch.context() as context:
        context.setattr(local_stack, "_apply", interrupted)
        with pytest.raises(KeyboardInterrupt):
            local_stack.up()
    assert (
        "The next make local-up or make demo starts over. Stop it with: make local-down" in local_stack.what_is_left()
    )
    world.up()
    assert "as last applied. Stop it with: make local-down" in local_stack.what_is_left()


TERRAFORM = """#!/bin/sh
echo "$* $TF_VAR_endpoint_url $TF_VAR_model_endpoint_url" >> "$LOG_OF_CALLS"
case "$*" in
  *" $FAILS "*) echo "Error: Invalid value for variable" >&2; exit 1 ;;
  *" show "*) printf '{"resource_changes": [{"type": "aws_sqs_queue", "change": {"actions": ["update"]}},
    {"type": "aws_appconfig_deployment", "change": {"actions": [%s]}}],
    "planned_values": {"root_module": %s}}' "$ACTIONS" "$ROOT_MODULE" ;;
esac
"""


@pytest.fixture
def terraform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """A stand-in for terraform; gives the commands that were called."""
    (tmp_path / ".local").mkdir()
    script, calls = tmp_path / "terraform", tmp_path / "calls"
    script.write_text(TERRAFORM)
    script.chmod(0o755)
    calls.touch()
    for name, path in {"ROOT": "", "PLAN": ".local/plan", "LOG": ".local/log", "APPLIED": ".local/applied"}.items():
        monkeypatch.setattr(local_stack, name, tmp_path / path)
    monkeypatch.setattr(local_stack, "TERRAFORM", script)
    monkeypatch.setenv("LOG_OF_CALLS", str(calls))
    monkeypatch.setenv("FAILS", "nothing")
    monkeypatch.setenv("ACTIONS", '"create"')
    monkeypatch.setenv("ROOT_MODULE", "{}")
    return lambda: [call.split()[1] for call in calls.read_text().splitlines()]


RUNNING = Instance(1, "process 1", 4566, Server(2, "process 2", 4999))


def test_terraform_knows_where_the_local_aws_and_its_model_are(
    terraform: Callable[[], list[str]], tmp_path: Path
) -> None:
    local_stack._apply(RUNNING)
    assert (tmp_path / "calls").read_text().split()[-2:] == ["http://127.0.0.1:4566", "http://127.0.0.1:4999"]


@pytest.mark.parametrize(
    ("actions", "replaces"),
    [
        ('"create"', False),
        ('"no-op"', False),
        ('"update"', True),
        ('"delete", "create"', True),
        ('"create", "delete"', True),
    ],
)
def test_the_plan_says_whether_workers_may_hold_old_job_types(
    terraform: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch, actions: str, replaces: bool
) -> None:
    monkeypatch.setenv("ACTIONS", actions)
    assert local_stack._plan(RUNNING) is replaces
    local_stack._apply(RUNNING)
    assert terraform() == ["init", "plan", "show", "apply"]


@pytest.mark.parametrize("fails", ["init", "plan", "show"])
def test_a_plan_that_fails_says_that_nothing_was_applied(
    terraform: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    monkeypatch.setenv("FAILS", fails)
    local_stack.APPLIED.write_text('{"instance": "process 1", "inputs": "x"}')
    with pytest.raises(Failure, match="nothing was applied") as raised:
        local_stack._plan(RUNNING)
    assert "Invalid value for variable" in str(raised.value)
    assert "The running stack is unchanged." in str(raised.value)
    assert "apply" not in terraform()


def test_broken_job_types_are_refused_before_the_apply(
    terraform: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch, type_document: dict[str, object]
) -> None:
    """With the messages of `ai-jobs types check`, which make plan and make apply run."""
    schema = {"type": "object", "properties": {"name": {"pattern": r"^\p{L}+$"}}}
    broken = {"good": type_document, "broken": type_document | {"inputSchema": schema}}
    version = {
        "address": "aws_appconfig_hosted_configuration_version.this",
        "type": "aws_appconfig_hosted_configuration_version",
        "values": {"content": json.dumps({"version": "0123456789ab", "jobTypes": broken})},
    }
    monkeypatch.setenv("ROOT_MODULE", json.dumps({"resources": [version]}))
    with pytest.raises(Failure, match="ai-jobs types check found errors in the plan: nothing was applied") as raised:
        local_stack._plan(RUNNING)
    assert re.search(r"job type broken +failed +.*inputSchema\.properties\.name\.pattern: ", str(raised.value))
    assert re.search(r"job type good +ok", str(raised.value))
    assert terraform() == ["init", "plan", "show"]


def test_an_apply_that_fails_says_that_the_next_one_starts_over(
    terraform: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAILS", "apply")
    with pytest.raises(Failure, match="starts over on an empty local AWS") as raised:
        local_stack._apply(RUNNING)
    assert "Invalid value for variable" in str(raised.value)


def test_down_stops_and_forgets(world: World) -> None:
    world.up()
    assert local_stack.down() is True
    assert not local_stack.STATE.exists()
    assert local_stack.down() is False


def test_outputs_of_a_stack_that_is_down_say_how_to_bring_it_up(world: World) -> None:
    with pytest.raises(Failure, match="make local-up"):
        local_stack.outputs()
