"""A refused `terraform destroy` destroys nothing: modules/ai-jobs/guard.tf, with a stand-in for each of its modules.

Terraform's own terraform_data stands for what is in AWS, so that this needs neither an account nor a provider.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULE = ROOT / "modules/ai-jobs"
GUARD = (MODULE / "guard.tf").read_text("utf-8")
MODULES = {name for path in MODULE.glob("*.tf") for name in re.findall(r'(?m)^module "(\w+)"', path.read_text("utf-8"))}

OWN_RESOURCE = r"\b(aws_\w+)\.this\b"
OWN_RESOURCES = sorted(set(re.findall(OWN_RESOURCE, GUARD)))
"""What the module has beside its modules, by type."""

OF_THE_GUARD = {"terraform_data.guard", "terraform_data.identity"}

STAND_INS = """
variable "name" { default = "acme" }
variable "environment" { default = "production" }
variable "table" {
  type    = object({ deletion_protection = optional(bool, true) })
  default = {}
}
variable "bucket" {
  type    = object({ force_destroy = optional(bool, false) })
  default = {}
}
variable "protected_with" {
  type    = list(string)
  default = []
}
locals {
  keys  = ["request_queue", "request_dlq", "response_queue", "response_dlq", "events_dlq", "table", "bucket"]
  names = { for key in local.keys : key => "${var.name}-${key}" }

  region     = "eu-west-1"
  account_id = "123456789012"
}
"""
# A root with resources that depend on what the module hands out, one of which the module knows of.
BESIDE = """
variable "table" {
  type    = any
  default = {}
}
variable "bucket" {
  type    = any
  default = {}
}
module "ai_jobs" {
  source         = "./ai_jobs"
  table          = var.table
  bucket         = var.bucket
  protected_with = values(terraform_data.listed)[*].id
}
resource "terraform_data" "listed" {
  for_each = toset(["one", "two"])
  input    = module.ai_jobs.api_id
}
resource "terraform_data" "forgotten" {
  input = module.ai_jobs.api_id
}
"""
UNPROTECTED = {"TF_VAR_table": "{ deletion_protection = false }", "TF_VAR_bucket": "{ force_destroy = true }"}


class Terraform:
    """Terraform in one folder; the guard is the module's own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def of_the_module(cls, folder: Path) -> Terraform:
        cls._write_module(folder)
        return cls(folder)._applied()

    @classmethod
    def of_a_root(cls, folder: Path) -> Terraform:
        (folder / "ai_jobs").mkdir()
        cls._write_module(folder / "ai_jobs")
        (folder / "main.tf").write_text(BESIDE, encoding="utf-8")
        return cls(folder)._applied()

    @staticmethod
    def _write_module(folder: Path) -> None:
        leaf = folder / "leaf"
        leaf.mkdir()
        (leaf / "main.tf").write_text(
            'variable "name" {}\nresource "terraform_data" "this" { triggers_replace = var.name }\n'
            'output "id" { value = terraform_data.this.id }\n',
            encoding="utf-8",
        )
        calls = "".join(f'module "{name}" {{\n  source = "./leaf"\n  name = var.name\n}}\n' for name in sorted(MODULES))
        resources = "".join(f'resource "terraform_data" "{name}" {{ input = var.name }}\n' for name in OWN_RESOURCES)
        outputs = 'output "api_id" { value = module.api.id }\n'
        (folder / "main.tf").write_text(STAND_INS + calls + resources + outputs, encoding="utf-8")
        (folder / "guard.tf").write_text(re.sub(OWN_RESOURCE, r"terraform_data.\1", GUARD), encoding="utf-8")

    def _applied(self) -> Terraform:
        for arguments in (("init",), ("apply", "-auto-approve")):
            done = self(*arguments, "-input=false")
            assert done.returncode == 0, done.stdout + done.stderr
        return self

    def __call__(self, *arguments: str, variables: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        command = [str(ROOT / "scripts/terraform"), f"-chdir={self.folder}", *arguments]
        environment = os.environ | {"TF_IN_AUTOMATION": "1", "NO_COLOR": "1"} | (variables or {})
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    def resources(self) -> dict[str, str]:
        """Everything in the state, by address, with its id."""
        shown = self("state", "pull").stdout
        return dict(zip(self("state", "list").stdout.split(), re.findall(r'"id": "([^"]+)"', shown), strict=True))


@pytest.fixture
def terraform(tmp_path: Path) -> Terraform:
    return Terraform.of_the_module(tmp_path)


def said(done: subprocess.CompletedProcess[str]) -> str:
    return re.sub(r"[│\s]+", " ", done.stdout + done.stderr)


def test_a_refused_destroy_destroys_nothing_and_says_how_to_go_on(terraform: Terraform) -> None:
    before = terraform.resources()
    assert len(before) == len(MODULES) + len(OWN_RESOURCES) + len(OF_THE_GUARD)

    refused = terraform("destroy", "-auto-approve")
    assert refused.returncode != 0
    assert "acme is protected in production, and nothing in the module ai-jobs was destroyed." in said(refused)
    assert "set table.deletion_protection to false and bucket.force_destroy to true, run terraform apply" in said(
        refused
    )
    assert terraform.resources() == before

    # A part of it is no way around.
    assert terraform("destroy", "-auto-approve", "-target=module.request_queue").returncode != 0
    assert terraform.resources() == before

    # Nor is a new name, under which all of it would be made anew, together with the variables.
    assert terraform("apply", "-auto-approve", variables=UNPROTECTED | {"TF_VAR_name": "renamed"}).returncode != 0
    assert terraform.resources() == before

    # The variables alone change nothing; after an apply the same command goes through.
    assert terraform("destroy", "-auto-approve", variables=UNPROTECTED).returncode != 0
    assert terraform.resources() == before
    assert terraform("apply", "-auto-approve", variables=UNPROTECTED).returncode == 0
    assert {address for address, _ in terraform.resources().items() ^ before.items()} == {"terraform_data.identity"}
    assert terraform("destroy", "-auto-approve", variables=UNPROTECTED).returncode == 0
    assert terraform.resources() == {}


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ({"TF_VAR_table": "{ deletion_protection = false }"}, "set bucket.force_destroy to true, run"),
        ({"TF_VAR_bucket": "{ force_destroy = true }"}, "set table.deletion_protection to false, run"),
    ],
)
def test_either_protection_is_enough(terraform: Terraform, given: dict[str, str], asked: str) -> None:
    assert terraform("apply", "-auto-approve", variables=given).returncode == 0
    before = terraform.resources()
    refused = terraform("destroy", "-auto-approve", variables=given)
    assert refused.returncode != 0
    assert asked in said(refused)
    assert terraform.resources() == before


def test_a_refused_destroy_also_spares_what_protected_with_lists(tmp_path: Path) -> None:
    """Resources of the root that depend on the module are what Terraform destroys first of all."""
    terraform = Terraform.of_a_root(tmp_path)
    before = terraform.resources()
    assert len(before) == len(MODULES) + len(OWN_RESOURCES) + len(OF_THE_GUARD) + 3

    refused = terraform("destroy", "-auto-approve")
    assert refused.returncode != 0
    # What the message says about everything else is true: it may go, and an apply restores it.
    left = terraform.resources()
    assert before.keys() - left.keys() == {"terraform_data.forgotten"}
    assert left.items() <= before.items()
    assert "To keep it, run terraform apply with the names as they were." in said(refused)
    assert "restores what was destroyed outside the module, where protected_with does not list it." in said(refused)
    assert terraform("apply", "-auto-approve").returncode == 0
    assert terraform.resources().keys() == before.keys()

    # A part is not a way around, and what is listed does not keep an allowed destroy from finishing.
    assert terraform("destroy", "-auto-approve", '-target=terraform_data.listed["one"]').returncode != 0
    assert terraform.resources().keys() == before.keys()
    assert terraform("apply", "-auto-approve", variables=UNPROTECTED).returncode == 0
    assert terraform("destroy", "-auto-approve", variables=UNPROTECTED).returncode == 0
    assert terraform.resources() == {}


def test_another_key_of_a_for_each_is_refused_and_what_is_let_go_of_stays(tmp_path: Path) -> None:
    """A for_each around the module, without a `moved` block; and what UPGRADING.md says of `removed`."""
    root = 'module "ai_jobs" {\n  source   = "./ai_jobs"\n  for_each = toset(["%s"])\n}\n'
    (tmp_path / "ai_jobs").mkdir()
    Terraform._write_module(tmp_path / "ai_jobs")
    (tmp_path / "main.tf").write_text(root % "one", encoding="utf-8")
    terraform = Terraform(tmp_path)._applied()
    before = terraform.resources()

    (tmp_path / "main.tf").write_text(root % "two", encoding="utf-8")
    assert terraform("apply", "-auto-approve").returncode != 0
    assert terraform.resources().keys() >= before.keys()

    let_go = "removed {\n  from = module.ai_jobs\n\n  lifecycle {\n    destroy = false\n  }\n}\n"
    (tmp_path / "main.tf").write_text(let_go, encoding="utf-8")
    done = terraform("apply", "-auto-approve", "-no-color")
    assert done.returncode == 0
    assert "0 destroyed" in done.stdout
    assert terraform.resources() == {}


def test_a_changed_name_is_refused_in_the_plan_until_nothing_is_protected(terraform: Terraform) -> None:
    before = terraform.resources()
    for changed in ({"TF_VAR_name": "renamed"}, {"TF_VAR_environment": "staging"}):
        refused = terraform("plan", "-no-color", variables=changed)
        assert refused.returncode != 0
        assert "This state has acme in production (eu-west-1, account 123456789012), and the configuration" in said(
            refused
        )
    assert terraform.resources() == before

    # Without protection, a name may change, and is remembered.
    unprotected = UNPROTECTED | {"TF_VAR_name": "renamed"}
    assert terraform("apply", "-auto-approve", variables=UNPROTECTED).returncode == 0
    assert terraform("apply", "-auto-approve", variables=unprotected).returncode == 0
    assert terraform("apply", "-auto-approve", variables={"TF_VAR_name": "renamed"}).returncode == 0
    assert terraform("plan", "-detailed-exitcode", variables={"TF_VAR_name": "renamed"}).returncode == 0
    refused = terraform("plan", "-no-color")
    assert refused.returncode != 0
    assert "This state has renamed in production" in said(refused)


def test_the_guard_depends_on_everything() -> None:
    """What it does not depend on, Terraform may destroy before it."""
    depends_on = re.search(r"depends_on = \[(.*?)\]", GUARD, re.DOTALL)
    assert depends_on is not None
    assert set(re.findall(r"module\.(\w+)", depends_on[1])) == MODULES
    managed = {
        ".".join(found)
        for path in MODULE.glob("*.tf")
        for found in re.findall(r'(?m)^resource "(\w+)" "(\w+)"', path.read_text("utf-8"))
    }
    assert managed - {"terraform_data.guard"} == set(re.findall(r"(?:aws_\w+|terraform_data)\.\w+", depends_on[1]))
