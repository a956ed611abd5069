"""`ai-jobs local`, and how `--env local`, `--outputs`, and `--module` find the module's outputs."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from ai_jobs.cli.environment import ours, outputs_in
from ai_jobs.cli.exits import Problem
from ai_jobs.local import instances, stack
from ai_jobs.local.failure import Failure
from ai_jobs.local.instances import Instance
from ai_jobs.local.plan import Plan
from ai_jobs.local.processes import Server
from ai_jobs.local.root import Root

OURS = {"request_queue_url": "https://sqs/request", "api_id": "a1", "api_stage_name": "v1"}
OTHERS = {"vpc": {"id": "vpc-1"}, "buckets": [{"bucket_name": "b"}], "count": 3}
INSTANCE = Instance(1, "process 1", 4567, Server(2, "model", 4999))


@pytest.mark.parametrize(
    ("outputs", "module"),
    [
        (OURS | OTHERS, None),
        ({"ai_jobs": OURS} | OTHERS, None),
        ({"ai_jobs": OURS} | OTHERS, "ai_jobs"),
        ({"platform": {"jobs": OURS, "other": {}}}, None),
        ({"tenants": {"a": OURS, "b": OURS | {"api_id": "b"}}}, 'tenants["a"]'),
        ({"stages": [OURS, OURS | {"api_id": "b"}]}, "stages[0]"),
    ],
)
def test_the_modules_outputs_are_found_where_they_are(outputs: dict[str, Any], module: str | None) -> None:
    assert ours(outputs, module, "outputs.json").items() >= OURS.items()


def test_outputs_that_are_incomplete_stay_as_they_are() -> None:
    assert ours({"table_name": "jobs"}, None, "outputs.json") == {"table_name": "jobs"}


def test_several_modules_are_listed_with_the_option_that_chooses() -> None:
    with pytest.raises(Problem, match=r"outputs\.json .* more than once: jobs, tenants\[\"a\"\]\. .*--module NAME"):
        ours({"tenants": {"a": OURS}, "jobs": OURS}, None, "outputs.json")


@pytest.mark.parametrize(
    ("outputs", "listed"),
    [({"jobs": OURS}, "in: jobs"), (OURS, r"the root itself \(without --module\)"), (OTHERS, "in: nowhere")],
)
def test_a_module_that_is_missing_is_named_with_those_that_are_there(outputs: dict[str, Any], listed: str) -> None:
    with pytest.raises(
        Problem, match=rf"--module is other, .*{listed}.* output \"ai_jobs\" {{ value = module.ai_jobs }}"
    ):
        ours(outputs, "other", "outputs.json")


def test_sensitive_outputs_are_read_like_others() -> None:
    text = json.dumps({"ai_jobs": {"sensitive": True, "type": ["object", {}], "value": OURS}})
    assert ours(outputs_in(text, "outputs.json"), None, "outputs.json") == OURS


def test_an_empty_file_says_which_output_to_add() -> None:
    with pytest.raises(Problem, match=r"has no outputs: .* output \"ai_jobs\""):
        outputs_in("{}", "outputs.json")
    with pytest.raises(Problem, match=r"outputs\.json is not a JSON object: it must be what `terraform"):
        outputs_in("[]", "outputs.json")


def test_the_option_and_its_variable_choose(
    cli: Callable[..., Result], aws: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R-C4"""
    names = {"request_queue_url": aws.request_queue, "response_queue_url": aws.response_queue}
    file = tmp_path / "outputs.json"
    file.write_text(json.dumps({"a": {"value": names}, "b": {"value": names}}))
    refused = cli("--outputs", str(file), "verify")
    assert (refused.exit_code, "more than once: a, b" in refused.stderr) == (1, True)
    assert cli("--outputs", str(file), "--module", "a", "verify").exit_code == 0
    monkeypatch.setenv("AI_JOBS_MODULE", "b")
    assert cli("--outputs", str(file), "verify").exit_code == 0


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Root:
    """A root whose stack is up."""
    path = tmp_path / "platform"
    (path / "modules").mkdir(parents=True)
    root = Root(path, "up", "down")
    (path / "main.tf").write_text("")
    root.prepare()
    root.applied.write_text(json.dumps({"instance": INSTANCE.identity, "inputs": ""}))
    root.outputs.write_text(json.dumps({"ai_jobs": {"value": OURS}}))
    monkeypatch.setattr(instances, "status", lambda folder: INSTANCE if folder == root.folder else None)
    monkeypatch.chdir(path)
    return root


def test_env_local_is_the_root_here_or_above(
    cli: Callable[..., Result], aws: Any, root: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {"request_queue_url": aws.request_queue, "response_queue_url": aws.response_queue}
    names |= {"request_queue_arn": "arn:aws:sqs:eu-west-1:000000000000:jobs"}
    root.outputs.write_text(json.dumps({"ai_jobs": {"value": names}}))
    monkeypatch.setenv("AWS_PROFILE", "production")
    reached = []
    monkeypatch.setattr("ai_jobs.cli.verify._counted", lambda name, url: reached.append(dict(os.environ)) or {})
    monkeypatch.chdir(root.path / "modules")
    assert cli("--env", "local", "verify").exit_code == 0
    environment = reached[0]
    assert environment["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4567"
    assert environment["AWS_ENDPOINT_URL_BEDROCK_RUNTIME"] == "http://127.0.0.1:4999"
    assert environment["AWS_ACCESS_KEY_ID"] == "local"
    assert environment["AWS_REGION"] == "eu-west-1"
    assert "AWS_PROFILE" not in environment, "nothing of the caller's"


def test_env_local_without_a_stack_says_how_to_bring_one_up(
    cli: Callable[..., Result], root: Root, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root.applied.unlink()
    result = cli("--env", "local", "verify")
    assert (result.exit_code, f"Run: ai-jobs local up --root {root.path}" in result.stderr) == (1, True)
    monkeypatch.chdir(tmp_path)
    result = cli("--env", "local", "verify")
    assert "no root here or in a parent folder is on a local AWS. Run, in your root's folder: ai-jobs local up" in (
        result.stderr
    )


def test_a_root_without_an_output_of_the_module_is_told_which_one_to_add(
    cli: Callable[..., Result], root: Root, tmp_path: Path
) -> None:
    """R-C4"""
    advice = 'has no outputs of the module. Give the root an output of the module, and apply it: output "ai_jobs" {'
    root.outputs.write_text(json.dumps({"vpc_id": {"value": "vpc-1"}}))
    assert f"request_queue_url is not known: local {advice}" in cli("--env", "local", "verify").stderr
    file = tmp_path / "outputs.json"
    file.write_text(json.dumps({"vpc_id": {"value": "vpc-1"}}))
    assert f"request_queue_url is not known: {file} {advice}" in cli("--outputs", str(file), "verify").stderr


def test_without_an_environment_the_local_one_is_offered(
    cli: Callable[..., Result], root: Root, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R-C4"""
    monkeypatch.setattr("ai_jobs.cli.environment.VARIABLES", {})
    offered = f"{root.path} is on a local AWS: --env local is that environment."
    assert offered in cli("verify").stderr
    root.applied.unlink()
    assert "local AWS" not in cli("verify").stderr, "what is not up is no environment"
    monkeypatch.chdir(tmp_path)
    refused = cli("verify").stderr
    assert ("Specify an environment" in refused, "local AWS" in refused) == (True, False)


def test_up_says_where_the_stack_is(cli: Callable[..., Result], root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    given = []

    def up(*arguments: Any) -> Instance:
        given.append(arguments)
        return INSTANCE

    monkeypatch.setattr(stack, "up", up)
    (root.path / "dev.tfvars").write_text("")
    result = cli("local", "up", "--var-file", "dev.tfvars", "--var", "name=acme", "--allow-provider", "datadog")
    assert result.stdout.splitlines() == [
        "The stack is up at http://127.0.0.1:4567. Stop it with: ai-jobs local down",
        "API: http://127.0.0.1:4567/restapis/a1/v1/_user_request_",
    ]
    ((used, options, _),) = given
    assert used.path == root.path
    assert options.variables == [f"-var-file={root.path}/dev.tfvars", "-var=name=acme"]
    assert options.allowed_providers == ("datadog",)


def test_each_of_several_modules_has_its_api(cli: Callable[..., Result], root: Root) -> None:
    root.outputs.write_text(json.dumps({"a": {"value": OURS}, "b": {"value": OURS | {"api_id": "b1"}}}))
    assert cli("local", "status").stdout.splitlines()[1:] == [
        "API of a: http://127.0.0.1:4567/restapis/a1/v1/_user_request_",
        "API of b: http://127.0.0.1:4567/restapis/b1/v1/_user_request_",
    ]


def test_a_root_that_hides_the_modules_outputs_is_told_what_to_add(cli: Callable[..., Result], root: Root) -> None:
    root.outputs.write_text(json.dumps({"table": {"value": "jobs"}}))
    result = cli("local", "status")
    assert result.exit_code == 0
    assert 'output "ai_jobs" { value = module.ai_jobs }' in result.stderr


def test_the_commands_of_another_folder_name_it(
    cli: Callable[..., Result], root: Root, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(stack, "up", lambda *_: INSTANCE)
    assert "Stop it with: ai-jobs local down --root platform\n" in cli("local", "up", "--root", "platform").stdout


def test_what_fails_is_a_message(cli: Callable[..., Result], root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    def up(*_: Any) -> Instance:
        raise Failure("terraform plan failed. The end of the log")

    monkeypatch.setattr(stack, "up", up)
    result = cli("local", "up")
    assert (result.exit_code, result.stderr) == (1, "Error: terraform plan failed. The end of the log\n")


def test_ctrl_c_says_what_is_left(cli: Callable[..., Result], root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    def up(*_: Any) -> Instance:
        raise KeyboardInterrupt

    monkeypatch.setattr(stack, "up", up)
    result = cli("local", "up")
    assert result.exit_code == 130
    assert "interrupted. The stack is up at http://127.0.0.1:4567, as last applied." in result.stderr


def change(actions: list[str], **values: Any) -> dict[str, Any]:
    return {"address": f"aws_x.{'-'.join(actions)}", "change": {"actions": actions, **values}}


def policy(text: str) -> dict[str, Any]:
    return {"statements": [{"text": "same"}, {"text": f"{'x' * 60}{text}"}]}


PLAN = Plan(
    {
        "resource_changes": [
            change(["create"], before=None, after={"name": "new"}),
            change(
                ["update"],
                before={"memory": 256, "policy": policy("old"), "token": "secret-1", "same": 1, "wide": "p" * 60},
                after={"memory": 512, "policy": policy("new"), "token": "secret-2", "same": 1, "wide": "q" * 60},
                before_sensitive={"token": True},
                after_sensitive={"token": True},
            ),
            change(
                ["delete", "create"],
                before={"arn": "a", "key": "", "tags": {}, "gone": True, "list": [1], "version": "1"},
                after={"key": None, "tags": {"a": "b"}, "gone": None, "list": []},
                after_unknown={"arn": True, "tags": {}, "nested": [{"id": True}], "version": True},
                replace_paths=[["nested", 0, "id"], ["version"]],
            ),
            change(["delete"], before={"name": "old"}, after=None),
            change(["no-op"], before={"a": 1}, after={"a": 1}),
            change(["read"], before=None, after={"a": 1}),
        ]
    }
)


def test_plan_shows_each_change_and_what_it_changes(
    cli: Callable[..., Result], root: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stack, "plan", lambda *_: PLAN)
    assert cli("local", "plan").stdout.splitlines() == [
        "  + aws_x.create",
        "  - aws_x.delete",
        "-/+ aws_x.delete-create",
        "      gone: true -> null",
        "      list: [1] -> []",
        "      nested: null -> (known after apply)",
        "      tags.a: null -> b",
        "      version: 1 -> (known after apply)",
        "  ~ aws_x.update",
        "      memory: 256 -> 512",
        "      policy.statements[1].text: …xxxxxxxxxxold -> …xxxxxxxxxxnew",
        "      token: (sensitive, before) -> (sensitive, after)",
        f"      wide: {'p' * 40}… -> {'q' * 40}…",
        "1 to create, 1 to update, 1 to replace, 1 to delete.",
    ]
    (_, _, _, update) = json.loads(cli("local", "plan", "--json").stdout)["changes"]
    assert update["action"] == "update"
    assert update["attributes"]["memory"] == {"before": 256, "after": 512}
    assert "secret-" not in str(update)
    monkeypatch.setattr(stack, "plan", lambda *_: Plan({"resource_changes": []}))
    assert cli("local", "plan").stdout == "No changes: the stack is what the root says.\n"


def test_a_release_that_changes_nothing_but_outputs_is_in_the_plan(
    cli: Callable[..., Result], root: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, after = ({"release": release, "arns": ["a"]} for release in ("0.1.0", "0.1.1"))
    outputs = {
        "ai_jobs": {"actions": ["update"], "before": before, "after": after, "after_unknown": False},
        "unknown": {"actions": ["update"], "before": "a", "after_unknown": True},
        "same": {"actions": ["no-op"], "before": 1, "after": 1},
    }
    monkeypatch.setattr(stack, "plan", lambda *_: Plan({"output_changes": outputs}))
    assert cli("local", "plan").stdout.splitlines() == [
        "  ~ outputs",
        "      ai_jobs.release: 0.1.0 -> 0.1.1",
        "Only outputs change.",
    ]
    found = json.loads(cli("local", "plan", "--json").stdout)
    assert found == {"changes": [], "outputs": {"ai_jobs.release": {"before": "0.1.0", "after": "0.1.1"}}}


def test_what_only_the_apply_knows_is_shown_if_nothing_else_changes(
    cli: Callable[..., Result], root: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = change(["update"], before={"arn": "a", "version": "1"}, after={"arn": "a"}, after_unknown={"version": True})
    monkeypatch.setattr(stack, "plan", lambda *_: Plan({"resource_changes": [moved]}))
    assert cli("local", "plan").stdout.splitlines()[:2] == [
        "  ~ aws_x.update",
        "      version: 1 -> (known after apply)",
    ]


def test_status_and_down(cli: Callable[..., Result], root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "The stack is up at http://127.0.0.1:4567" in cli("local", "status").stdout
    assert json.loads(cli("local", "status", "--json").stdout) == {"up": True, "outputs": {"ai_jobs": OURS}}
    monkeypatch.setattr(instances, "stop", lambda folder: True)
    assert cli("local", "down").stdout == "The local stack is stopped.\n"
    monkeypatch.setattr(instances, "status", lambda folder: None)
    monkeypatch.setattr(instances, "stop", lambda folder: False)
    assert cli("local", "down").stdout == "The local stack was not running.\n"
    result = cli("local", "status")
    assert (result.exit_code, "Start it with: ai-jobs local up" in result.stdout) == (1, True)
    assert json.loads(cli("local", "status", "--json").stdout) == {"up": False, "outputs": {}}


def test_start_says_where_the_keys_are(cli: Callable[..., Result], root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack, "start", lambda root: INSTANCE)
    assert cli("local", "start").stdout == (
        "The local AWS is running at http://127.0.0.1:4567. "
        f"Its keys: set -a; . {root.folder}/credentials.env; set +a\n"
    )


def test_the_root_must_exist(cli: Callable[..., Result]) -> None:
    result = cli("local", "up", "--root", "nowhere")
    assert (result.exit_code, "nowhere" in result.stderr) == (2, True)
