"""`ai-jobs types check`: plans, documents, *.tfvars and environments; and the plan and apply of make, which run it."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from ai_jobs.aws import clients
from ai_jobs.cli.main import main
from scripts import module_docs

ROOT = Path(__file__).parents[2]
CONTENT = "module.ai_jobs.module.job_types.aws_appconfig_hosted_configuration_version.this"
BROKEN = {"inputSchema": {"type": "object", "properties": {"name": {"pattern": r"^\p{L}+$"}}}}


def document(**types):
    return json.dumps({"version": "0123456789ab", "jobTypes": types})


AT_PLAN = "module.ai_jobs.module.job_types.terraform_data.job_types_at_plan"


def plan(content, variables=None, expressions=None, at_plan=None):
    """As `terraform show -json` prints it. Without a content, that is not known before the apply."""
    values = {} if content is None else {"content": content}
    without_profiles = {"address": AT_PLAN, "type": "terraform_data", "values": {"input": at_plan} if at_plan else {}}
    resource = {"address": CONTENT, "type": CONTENT.split(".")[4], "values": values}
    other = {"address": "aws_sqs_queue.x", "type": "aws_sqs_queue", "values": {}}
    inner = {"address": "module.ai_jobs.module.job_types", "resources": [without_profiles, resource]}
    return {
        "planned_values": {
            "root_module": {
                "resources": [other],
                "child_modules": [{"address": "module.ai_jobs", "resources": [other], "child_modules": [inner]}],
            }
        },
        "variables": {name: {"value": value} for name, value in (variables or {}).items()},
        "configuration": {"root_module": {"module_calls": {"ai_jobs": {"expressions": expressions or {}}, "vpc": {}}}},
    }


@pytest.fixture
def check(tmp_path):
    def call(content, name="file.json", *arguments):
        file = tmp_path / name
        file.write_text(content if isinstance(content, str) else json.dumps(content))
        return CliRunner().invoke(main, ["types", "check", *arguments, str(file)])

    return call


def test_an_argument_that_is_computed_from_one_variable_is_not_that_variable(check, type_document):
    content = document(good=type_document)
    wrapped = {"api": {"references": ["var.cors"]}}
    assert check(plan(content, {"cors": {"allow_origins": ["*"]}}, wrapped)).exit_code == 0
    other_name = {"api": {"references": ["var.gateway"]}}
    done = check(plan(content, {"gateway": {"authorization": "NONE", "throttling_burst": 1}}, other_name))
    assert done.exit_code == 1
    assert "api.throttling_burst is not an attribute" in done.stdout


def test_the_types_of_a_document_are_compiled(check, type_document):
    done = check(document(good=type_document, poem=type_document | BROKEN), "file.json", "--json")
    assert done.exit_code == 1
    good, poem = json.loads(done.stdout)["findings"]
    assert good == {"check": "job type good", "state": "ok", "found": "compiles"}
    assert (poem["check"], poem["state"]) == ("job type poem", "failed")
    assert r'inputSchema.properties.name.pattern: "^\p{L}+$" is not a Python regular expression' in poem["found"]
    assert check(document(good=type_document)).exit_code == 0


def test_the_types_of_a_plan_are_compiled(check, type_document):
    assert check(plan(document(good=type_document))).stdout == (
        "CHECK          STATE  FOUND\njob type good  ok     compiles\n"
    )
    done = check(plan(document(poem=type_document | {"prompt": "{{ name.upper() }}"})))
    assert done.exit_code == 1
    assert "prompt, line 1: upper() can't be called" in done.stdout


def test_types_that_are_not_known_before_the_apply_are_no_failure(check):
    done = check(plan(None))
    assert done.exit_code == 0
    assert "warning  its job types are not known before the apply" in done.stdout


def test_a_new_inference_profile_does_not_keep_the_types_from_being_checked(check, type_document):  # R-A3
    types = document(billed=type_document, poem=type_document | {"prompt": "{{ name.upper() }}"})
    done = check(plan(None, at_plan=types))
    assert done.exit_code == 1
    assert "job type billed  ok" in done.stdout
    assert "job type poem    failed" in done.stdout


def test_a_plan_without_types_is_no_failure(check):  # terraform plan -destroy
    done = check({"planned_values": {"root_module": {}}, "configuration": {"root_module": {}}})
    assert (done.exit_code, "this plan has none" in done.stdout) == (0, True)


def test_what_is_merged_with_a_variable_keeps_the_variables_attributes(check, type_document):
    merged = {"processor": {"references": ["aws_lambda_layer_version.mine.arn", "var.processor"]}}
    done = check(plan(document(good=type_document), {"processor": {"memory": 1}}, merged))
    assert "processor.memory is not an attribute of the module" in done.stdout


def test_a_value_of_no_variable_is_told(check, tmp_path):
    (tmp_path / "variables.tf").write_text('variable "processor" {\n  type = any\n}\nvariable "region" {}\n')
    done = check('procesor = { memory_mb = 512 }\nregion = "eu-west-1"\n', "x.tfvars")
    assert done.exit_code == 1
    expected = "procesor is not a variable of the root module beside the file: did you mean processor?"
    assert expected in done.stdout
    assert done.stdout.count("failed") == 1
    assert "region" not in done.stdout
    assert "it has processor, region." in check({"zone": 1}, "x.tfvars.json").stdout


def test_a_plan_tells_which_attributes_terraform_drops(check, type_document):
    given = {
        "mine": {"x": {"prompt": "Hi", "maxtokens": 3, "guardrail": {"id": "a", "versoin": "1"}}},
        "other": {"a": 1},
    }
    expressions = {
        "job_types": {"references": ["var.mine"]},
        "processor": {"constant_value": {"memory": 1}},
        "tags": {"constant_value": {"anything": "x"}},
        "packages": {"s3": {}},
    }
    done = check(plan(document(good=type_document), given, expressions))
    assert done.exit_code == 1
    assert (
        "job_types.x.maxtokens is not an attribute of the module, and Terraform drops it: did you mean max_tokens?"
        in done.stdout
    )
    assert (
        "job_types.x.guardrail.versoin is not an attribute of the module, and Terraform drops it: did you mean version?"
        in (done.stdout)
    )
    assert (
        "processor.memory is not an attribute of the module, and Terraform drops it: did you mean memory_mb?"
        in done.stdout
    )
    assert done.stdout.count("failed") == 3


TFVARS = r"""
region = "eu-west-1" # job_types = { a = {} }
job_types = {
  "summary" = {
    prompt = <<-EOT
      Hi {{ name }}: {% if x %} maxtokens = 5 {% endif %}
    EOT
    "max_token" = 5
    input_schema = "{\"type\": \"object\", \"colour\": 1}"
    guardrail = { id = "a", version = "1" }
  }
}
processor = { memory = 1 }
model_prices = { "m" = { input = 1, output = 2 } }
"""


def test_a_misspelled_attribute_of_a_tfvars_file_is_told_with_the_nearest(check):
    done = check(TFVARS, "terraform.tfvars")
    assert done.exit_code == 1
    assert [line.partition("failed")[2].strip() for line in done.stdout.splitlines()[1:]] == [
        f"{path} is not an attribute of the module, and Terraform drops it: did you mean {right}?"
        for path, right in (("job_types.summary.max_token", "max_tokens"), ("processor.memory", "memory_mb"))
    ]
    assert check(TFVARS.replace("max_token", "max_tokens").replace("memory", "memory_mb"), "a.tfvars").exit_code == 0
    done = check({"job_types": {"x": {"zzz": 1}}}, "a.tfvars.json")
    assert (done.exit_code, "max_tokens, model_id, output" in done.stdout) == (1, True)


def test_the_names_in_the_package_are_those_of_the_module():
    path = ROOT / module_docs.ATTRIBUTES
    assert json.loads(path.read_text()) == module_docs.attributes(ROOT / "modules/ai-jobs")
    assert module_docs.attributes(ROOT / "modules/job-types")["job_types"]["*"]["guardrail"] == {
        "id": None,
        "version": None,
    }


@pytest.mark.parametrize(
    ("content", "name", "found"),
    [
        ("PK\x03\x04", "p.tfplan", "is a saved plan. Run: terraform show -json"),
        ("{", "a.json", "is not JSON"),
        ("[]", "a.json", "it is not a JSON object"),
        ("{}", "a.json", "has no jobTypes"),
        ("a = {", "a.tfvars", "can't be parsed"),
    ],
)
def test_what_is_no_plan_is_told(check, content, name, found):
    done = check(content, name)
    assert (done.exit_code, found in done.output) == (1, True)


@pytest.mark.parametrize("types", [{"poem": BROKEN}, {"good": {}}, None])
def test_without_a_file_the_deployed_types_are_compiled(tmp_path, monkeypatch, type_document, types):
    content = document(**{name: type_document | change for name, change in types.items()}) if types else ""
    client = SimpleNamespace(
        start_configuration_session=lambda **wanted: {"InitialConfigurationToken": "-".join(wanted.values())},
        get_latest_configuration=lambda *, ConfigurationToken: {  # noqa: N803  # boto3's own spelling
            "Configuration": io.BytesIO(content.encode() if ConfigurationToken == "app-env-profile" else b"")
        },
    )
    monkeypatch.setattr(clients, "get_appconfigdata_client", lambda: client)
    outputs = tmp_path / "outputs.json"
    ids = {"config_application_id": "app", "config_environment_id": "env", "config_profile_id": "profile"}
    outputs.write_text(json.dumps(ids))
    done = CliRunner().invoke(main, ["--outputs", str(outputs), "types", "check"])
    assert done.exit_code == (0 if types and "good" in types else 1)
    assert ("job type" in done.stdout) if types else ("nothing is deployed yet" in done.output)


@pytest.fixture
def make(tmp_path):
    """`make plan` and `make apply` in a folder of their own, with a terraform that says what it was asked for."""
    folder = tmp_path / "root"
    (folder / "environments/development/.terraform").mkdir(parents=True)
    (folder / "environments/development/backend.hcl").touch()
    (folder / ".venv/bin").mkdir(parents=True)
    shutil.copy(ROOT / "Makefile", folder)
    for name in ("ai-jobs", "python"):
        (folder / ".venv/bin" / name).symlink_to(ROOT / ".venv/bin" / name)
    terraform = tmp_path / "terraform"
    terraform.write_text('#!/bin/sh\nprintf "%s|" "$@" >>calls\necho >>calls\n[ "$2" != show ] || cat plan.json\n')
    terraform.chmod(0o755)

    def call(target, planned, answer="", **variables):
        (folder / "plan.json").write_text(json.dumps(planned))
        (folder / "calls").unlink(missing_ok=True)
        arguments = [f"{name}={value}" for name, value in variables.items()]
        command = ["make", target, "ENV=development", f"TERRAFORM={terraform}", "-o", "package", *arguments]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
        done = subprocess.run(command, cwd=folder, input=answer, capture_output=True, text=True, env=environment)
        calls = [line.split("|")[1:-1] for line in (folder / "calls").read_text().splitlines()]
        return done, calls, folder / "environments/development/.terraform"

    return call


@pytest.mark.parametrize("target", ["plan", "apply"])
def test_make_applies_no_plan_whose_types_are_broken(make, type_document, target):
    planned = plan(document(poem=type_document | BROKEN))
    done, calls, folder = make(target, planned, "yes\n", TF_ARGS="-auto-approve")
    assert done.returncode != 0
    assert "inputSchema.properties.name.pattern" in done.stdout
    assert [call[0] for call in calls] == ["init", "plan", "show"]
    assert list(folder.iterdir()) == []


def test_make_applies_what_was_checked(make, type_document):
    planned = plan(document(good=type_document))
    arguments = "-auto-approve -var 'region=eu west' -parallelism=3"
    done, calls, _ = make("apply", planned, TF_ARGS=arguments)
    assert done.returncode == 0
    assert calls[1:] == [
        ["plan", "-var", "region=eu west", "-parallelism=3", "-out=.terraform/ai-jobs.tfplan"],
        ["show", "-json", ".terraform/ai-jobs.tfplan"],
        ["apply", ".terraform/ai-jobs.tfplan"],
    ]


@pytest.mark.parametrize(("answer", "applied"), [("yes\n", True), ("no\n", False), ("", False)])
def test_make_asks_before_it_applies(make, type_document, answer, applied):
    done, calls, _ = make("apply", plan(document(good=type_document)), answer)
    assert ("apply" in [call[0] for call in calls]) is applied
    assert (done.returncode == 0) is applied
    assert ("nothing was applied" in done.stderr) is not applied
