"""When `ai-jobs local up` starts, plans, and applies, when it reuses what is there, and what it refuses."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ai_jobs.cli.local.commands import refuse_broken_job_types
from ai_jobs.local import instances, stack
from ai_jobs.local.failure import Failure
from ai_jobs.local.instances import Instance
from ai_jobs.local.processes import Server
from ai_jobs.local.root import Root
from ai_jobs.local.terraform import OVERRIDE

# Terraform's place: it says what it was called with, and prints the plan that a test gives it.
TERRAFORM = """#!/bin/sh
shift_folder=${1#-chdir=}
[ "$1" = version ] && { echo "{\\"terraform_version\\": \\"$VERSION\\"}"; exit 0; }
echo "$* $TF_DATA_DIR $AWS_ENDPOINT_URL" >> "$CALLS"
ls "$shift_folder" | grep override >> "$OVERRIDDEN"
case "$2" in
  "$FAILS") echo "Error: Invalid value for variable" >&2; exit 1 ;;
  apply) echo state > "$shift_folder/.ai-jobs-local/terraform.tfstate" ;;
  show) cat "$PLAN" ;;
  output) printf '{"ai_jobs": {"value": {"api_id": "a1", "api_stage_name": "v1", "arn": "%s"}, "sensitive": true}}' \
    "$ARN" ;;
esac
"""
OUTPUTS = {name: {} for name in ("request_queue_url", "response_queue_url", "table_name", "config_profile_id", "other")}
CONFIGURATION = {"root_module": {"module_calls": {"jobs": {"module": {"outputs": OUTPUTS}}}}}


def resource(kind: str, actions: list[str], **after: Any) -> dict[str, Any]:
    change = {"actions": actions, "before": {}, "after": after}
    provider = "registry.terraform.io/hashicorp/aws"
    return {"address": f"module.jobs.{kind}.this", "type": kind, "provider_name": provider, "change": change}


@dataclass
class World:
    """A root, with stand-ins for the local AWS and for Terraform."""

    root: Root
    scratch: Path
    monkeypatch: pytest.MonkeyPatch
    instance: Instance | None = None
    started: int = 0
    waits: list[int] = field(default_factory=list)
    options: stack.Options = field(default_factory=stack.Options)

    def start(self, folder: Path, port: int | None = None, stop_command: str = "") -> Instance:
        if self.instance is None:
            self.started += 1
            self.instance = Instance(1, f"process {self.started}", port or 4566, Server(2, "model", 4999))
        return self.instance

    def stop(self, folder: Path) -> bool:
        running, self.instance = self.instance is not None, None
        return running

    def plans(self, *changes: dict[str, Any], **document: Any) -> None:
        """From now on, this is the plan."""
        plan = {"configuration": CONFIGURATION, "resource_changes": changes, "planned_values": {"root_module": {}}}
        (self.scratch / "plan").write_text(json.dumps(plan | document))

    def up(self) -> list[str]:
        """Bring it up. Returns the commands of Terraform that ran."""
        (self.scratch / "calls").write_text("")
        stack.up(self.root, self.options, refuse_broken_job_types)
        return self.commands

    @property
    def calls(self) -> list[str]:
        return (self.scratch / "calls").read_text().splitlines()

    @property
    def commands(self) -> list[str]:
        return [call.split()[1] for call in self.calls]


ARN = "arn:aws:sqs:eu-west-1:000000000000:acme-request"
PLANNED = ["init", "plan", "show"]
APPLIED = [*PLANNED, "apply", "output"]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    folder = tmp_path / "root"
    folder.mkdir()
    (folder / "main.tf").write_text("# root")
    script = tmp_path / "terraform"
    script.write_text(TERRAFORM)
    script.chmod(0o755)
    world = World(Root(folder, "ai-jobs local up", "ai-jobs local down"), tmp_path, monkeypatch)
    for name, value in {"AI_JOBS_TERRAFORM": script, "FAILS": "nothing", "VERSION": "1.11.0", "ARN": ARN}.items():
        monkeypatch.setenv(name, str(value))
    for name in ("calls", "plan", "overridden"):
        monkeypatch.setenv(name.upper(), str(tmp_path / name))
    monkeypatch.setattr(stack.time, "sleep", world.waits.append)
    monkeypatch.setattr(instances, "start", world.start)
    monkeypatch.setattr(instances, "stop", world.stop)
    monkeypatch.setattr(instances, "status", lambda folder: world.instance)
    monkeypatch.delenv("AI_JOBS_LOCAL_PORT", raising=False)
    world.plans(resource("aws_sqs_queue", ["create"]))
    return world


def test_a_root_is_planned_and_applied_with_a_state_of_its_own(world: World) -> None:
    (world.root.path / "backend.tf").write_text('terraform {\n  backend "s3" {}\n}\n')
    assert world.up() == APPLIED
    data = world.root.folder / "terraform"
    assert all(call.split()[-2:] == [str(data), "http://127.0.0.1:4566"] for call in world.calls)
    overridden = (world.scratch / "overridden").read_text().split()
    assert overridden == [OVERRIDE] * len(APPLIED), "the root has the local backend for as long as Terraform runs"
    assert sorted(path.name for path in world.root.path.iterdir()) == [".ai-jobs-local", "backend.tf", "main.tf"]
    assert (world.root.folder / ".gitignore").read_text() == "*\n"


def test_the_backend_is_the_local_folder(world: World) -> None:
    world.root.prepare()
    runner = stack.Terraform(world.root, "http://127.0.0.1:4566")
    with runner.overriding():
        written = json.loads((world.root.path / OVERRIDE).read_text())
    assert written["terraform"]["backend"] == {"local": {"path": str(world.root.state)}}
    assert not (world.root.path / OVERRIDE).exists()


def test_the_override_goes_away_when_terraform_fails(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAILS", "apply")
    with pytest.raises(Failure):
        world.up()
    assert not (world.root.path / OVERRIDE).exists()


def test_a_plan_without_changes_is_not_applied(world: World) -> None:
    world.up()
    world.plans(resource("aws_sqs_queue", ["no-op"]))
    assert world.up() == PLANNED


def test_a_change_of_an_output_alone_is_applied(world: World) -> None:
    world.up()
    world.plans(output_changes={"ai_jobs": {"actions": ["update"]}})
    assert world.up() == APPLIED


def test_with_the_inputs_of_the_last_apply_nothing_is_planned(world: World) -> None:
    world.options = stack.Options(inputs="digest 1")
    assert world.up() == APPLIED
    assert world.up() == []
    world.options = stack.Options(inputs="digest 2")
    assert world.up() == APPLIED


def test_variables_are_passed_to_the_plan(world: World) -> None:
    world.options = stack.Options(["-var-file=/some/dev.tfvars", "-var=name=acme"])
    world.up()
    assert "-var-file=/some/dev.tfvars -var=name=acme" in world.calls[1]


def test_a_fresh_local_aws_drops_the_old_state(world: World) -> None:
    world.up()
    world.stop(world.root.folder)
    world.plans(resource("aws_sqs_queue", ["no-op"]))
    assert world.up() == APPLIED, "whatever is planned: what was applied is gone"


def test_a_lost_state_starts_the_local_aws_anew(world: World) -> None:
    world.up()
    world.root.state.unlink()
    assert world.up() == APPLIED
    assert world.started == 2


def test_after_a_failed_apply_the_next_one_starts_over(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as context:
        context.setenv("FAILS", "apply")
        with pytest.raises(Failure, match="starts over on an empty local AWS") as raised:
            world.up()
    assert "Invalid value for variable" in str(raised.value)
    with pytest.raises(Failure, match="did not finish"):
        stack.outputs(world.root)
    assert world.up() == APPLIED
    assert world.started == 2


@pytest.mark.parametrize("fails", PLANNED)
def test_a_plan_that_fails_leaves_the_stack_as_it_was(
    world: World, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    world.options = stack.Options(inputs="digest 1")
    world.up()
    with monkeypatch.context() as context:
        context.setenv("FAILS", fails)
        world.options = stack.Options(inputs="digest 2")
        with pytest.raises(Failure, match=r"^nothing was applied\. The running stack is unchanged\.") as raised:
            world.up()
        assert "Invalid value for variable" in str(raised.value)
        assert "apply" not in world.commands
    assert "The stack is up" in stack.what_is_left(world.root)
    world.options = stack.Options(inputs="digest 1")
    assert world.up() == []
    assert world.started == 1


def test_the_first_plan_that_fails_mentions_no_stack(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAILS", "plan")
    with pytest.raises(
        Failure, match=r"^nothing was applied\. The local AWS keeps running \(ai-jobs local down stops it\)\. terra"
    ):
        world.up()
    assert "without the stack" in stack.what_is_left(world.root), "the next up does not start over"


def test_a_root_without_the_module_is_refused(world: World) -> None:
    other = {"root_module": {"module_calls": {"vpc": {"module": {"outputs": {"table_name": {}}}}}}}
    world.plans(configuration=other)
    with pytest.raises(Failure, match="does not call the module ai-jobs"):
        world.up()
    nested = {"root_module": {"module_calls": {"platform": {"module": CONFIGURATION["root_module"]}}}}
    world.plans(configuration=nested)
    assert world.up() == APPLIED, "a module of the root's own may call it"


def test_a_provider_that_is_not_local_is_refused_unless_it_is_allowed(world: World) -> None:
    monitor = resource("datadog_monitor", ["create"]) | {"provider_name": "registry.terraform.io/datadog/datadog"}
    name = resource("random_id", ["create"]) | {"provider_name": "registry.terraform.io/hashicorp/random"}
    world.plans(monitor, name)
    with pytest.raises(Failure, match=r"provider datadog, .*: --allow-provider datadog"):
        world.up()
    assert "apply" not in world.commands
    world.options = stack.Options(allowed_providers=["datadog"])
    assert world.up() == APPLIED


@pytest.mark.parametrize("text", ["", "# no Terraform"])
def test_a_folder_without_terraform_is_no_root(world: World, text: str) -> None:
    (world.root.path / "main.tf").rename(world.root.path / "readme.txt")
    with pytest.raises(Failure, match="has no Terraform files.*--root DIR"):
        world.up()
    assert not world.root.folder.exists()


@pytest.mark.parametrize(
    ("version", "names"), [("1.8.5", "is Terraform 1.8.5.*needs 1.9 or newer"), ("x", "not Terraf")]
)
def test_an_old_terraform_is_refused_by_its_version(
    world: World, monkeypatch: pytest.MonkeyPatch, version: str, names: str
) -> None:
    monkeypatch.setenv("VERSION", version)
    with pytest.raises(Failure, match=names):
        world.up()
    assert world.started == 0


def test_a_missing_terraform_is_named_with_the_variable(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AI_JOBS_TERRAFORM", "tofu-9")
    with pytest.raises(Failure, match='"tofu-9" was not found.*AI_JOBS_TERRAFORM'):
        world.up()


@pytest.mark.parametrize(
    ("actions", "waits"),
    [(["create"], []), (["no-op"], []), (["update"], [60]), (["delete", "create"], [60]), (["create", "delete"], [60])],
)
def test_up_waits_until_no_worker_holds_the_job_types_of_before(
    world: World, actions: list[str], waits: list[int]
) -> None:
    environment = [{"variables": {"AI_JOB_CONFIG_MAX_AGE_SECONDS": "60"}}]
    worker = resource("aws_lambda_function", ["no-op"], environment=environment)
    other = resource("aws_lambda_function", ["no-op"], environment=[])
    world.plans(resource("aws_appconfig_deployment", actions), worker, other)
    world.up()
    assert world.waits == waits


def test_broken_job_types_are_refused_before_the_apply(world: World, type_document: dict[str, object]) -> None:
    """With the messages of `ai-jobs types check`, which make plan and make apply run."""
    schema = {"type": "object", "properties": {"name": {"pattern": r"^\p{L}+$"}}}
    broken = {"good": type_document, "broken": type_document | {"inputSchema": schema}}
    version = {
        "address": "aws_appconfig_hosted_configuration_version.this",
        "type": "aws_appconfig_hosted_configuration_version",
        "values": {"content": json.dumps({"version": "0123456789ab", "jobTypes": broken})},
    }
    world.plans(planned_values={"root_module": {"resources": [version]}})
    with pytest.raises(Failure, match=r"nothing was applied.*types check found errors in the plan") as raised:
        world.up()
    assert "job type broken  failed  " in str(raised.value)
    assert "inputSchema.properties.name.pattern: " in str(raised.value)
    assert "job type good  ok" in str(raised.value)
    assert world.commands == PLANNED


def test_plan_shows_the_changes_of_a_running_stack(world: World) -> None:
    with pytest.raises(Failure, match=r"not up, .* Run: ai-jobs local up"):
        stack.plan(world.root, world.options)
    world.up()
    world.plans(resource("aws_sqs_queue", ["update"], delay_seconds=5), resource("aws_sns_topic", ["no-op"]))
    (change,) = stack.plan(world.root, world.options).changes
    assert (change.address, change.action) == ("module.jobs.aws_sqs_queue.this", "update")
    assert change.attributes == {"delay_seconds": (None, 5)}


def test_outputs_and_credentials_are_kept(world: World) -> None:
    world.up()
    values = stack.outputs(world.root)
    assert values == {"ai_jobs": {"api_id": "a1", "api_stage_name": "v1", "arn": ARN}}
    environment, known = stack.reached(world.root, values["ai_jobs"])
    assert known == {
        "endpoint_url": "http://127.0.0.1:4566",
        "model_endpoint_url": "http://127.0.0.1:4999",
        "api_url": "http://127.0.0.1:4566/restapis/a1/v1/_user_request_",
    }
    assert environment["AWS_CONFIG_FILE"] == os.devnull
    assert world.root.outputs.stat().st_mode & 0o077 == 0, "there may be sensitive outputs"
    lines = world.root.credentials.read_text().splitlines()
    assert "AWS_ENDPOINT_URL=http://127.0.0.1:4566" in lines
    assert "AWS_ENDPOINT_URL_BEDROCK_RUNTIME=http://127.0.0.1:4999" in lines
    regions = {line for line in lines if line.startswith(("AWS_REGION", "AWS_DEFAULT_REGION"))}
    assert regions == {"AWS_REGION=eu-west-1", "AWS_DEFAULT_REGION=eu-west-1"}, "that of the stack"
    world.plans(resource("aws_sqs_queue", ["no-op"]))
    assert world.up() == PLANNED
    assert world.root.credentials.read_text().splitlines() == lines


def test_start_keeps_what_runs_unless_the_last_apply_failed(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.start(world.root)
    stack.start(world.root)
    world.up()
    stack.start(world.root)
    assert (world.started, capsys.readouterr().err.count("starting over")) == (1, 0)
    with monkeypatch.context() as context:
        context.setenv("FAILS", "apply")
        with pytest.raises(Failure):
            world.up()
    stack.start(world.root)
    assert world.started == 2, "the next up would have thrown away what is created now"
    assert "did not finish: starting over on an empty local AWS" in capsys.readouterr().err


def test_before_there_is_a_stack_the_region_is_that_of_the_provider(world: World) -> None:
    stack.start(world.root)
    assert "AWS_REGION=us-east-1" in world.root.credentials.read_text()
    stack.down(world.root)
    (world.root.path / "main.tf").write_text('provider "aws" {\n  region = "eu-central-1"\n}\n')
    stack.start(world.root)
    assert "AWS_REGION=eu-central-1" in world.root.credentials.read_text()


def test_what_is_left_after_ctrl_c_says_how_to_go_on(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(runner: stack.Terraform) -> None:
        raise KeyboardInterrupt

    assert "not running. Start it with: ai-jobs local up" in stack.what_is_left(world.root)
    with monkeypatch.context() as context:
        context.setattr(stack.Terraform, "apply", interrupted)
        with pytest.raises(KeyboardInterrupt):
            world.up()
    assert not (world.root.path / OVERRIDE).exists()
    assert "The next ai-jobs local up starts over. Stop it with: ai-jobs local down" in stack.what_is_left(world.root)
    world.up()
    assert "as last applied. Stop it with: ai-jobs local down" in stack.what_is_left(world.root)


def test_down_stops_and_forgets(world: World) -> None:
    world.up()
    assert stack.down(world.root) is True
    left = {path.name for path in world.root.folder.iterdir()}
    assert not left & {"terraform.tfstate", "applied.json", "outputs.json", "credentials.env", "terraform.plan"}
    assert stack.down(world.root) is False


def test_outputs_of_a_stack_that_is_down_say_how_to_bring_it_up(world: World) -> None:
    with pytest.raises(Failure, match="Run: ai-jobs local up"):
        stack.outputs(world.root)
