"""The plans of the module, the environments and the examples, as `terraform test` makes them with a mocked provider.

Terraform's own assertions see a child module by its outputs only; in the plan, every resource of every module stands
by its address. What is planned, and with which variables: tests/terraform/plans.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.module_source import answered_by_checkout

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "tests/terraform"

DATA = FOLDER / ".terraform/plans"
"""Where Terraform keeps modules and providers of these plans; those of `terraform test` are for other tests."""

MANIFEST: dict[str, Any] = json.loads((FOLDER / "fixtures/packages/manifest.json").read_text())
"""The manifest that the plans are given, of zips that only stand in for real ones.

All have the same base64sha256, because a mocked S3 returns one checksum for all objects.
"""


def build(name: str) -> str:
    """Which build of a function this is, by the name of its zip."""
    return str(MANIFEST["functions"][name]["sha256"][:12])


Resource = dict[str, Any]
"""A resource's arguments. One that was left out is null, and what is known only after an apply is not there."""


FUNCTIONS = {
    "processor": "processor",
    "result_handler": "result_handler",
    "jobs_api": "jobs_api",
    "reconciler": "reconciler",
    "event_publisher": "event_publisher[0]",
}
"""The functions by the name of their zip, with the module that each is in."""

QUEUES = [f"module.{queue}_queue.aws_sqs_queue.{role}" for queue in ("request", "response") for role in ("this", "dlq")]


@dataclass(frozen=True)
class Plan:
    """Outputs, and resources by address, such as `module.alarms.aws_cloudwatch_metric_alarm.this["failed-jobs"]`."""

    resources: dict[str, Resource]
    outputs: dict[str, Any]

    def __getitem__(self, address: str) -> Resource:
        return self.resources[address]

    def __contains__(self, address: str) -> bool:
        return address in self.resources

    def of_type(self, kind: str) -> list[Resource]:
        return [resource for address, resource in self.resources.items() if f".{kind}." in f".{address}"]

    def arguments(self, address: str, names: Iterable[str]) -> Resource:
        """Some of a resource's arguments, to compare with what they should be."""
        return {name: self[address][name] for name in names}

    def tags(self) -> dict[str, Any]:
        """The tags of everything that can carry some, by address."""
        return {address: resource["tags"] for address, resource in self.resources.items() if "tags" in resource}

    def variables(self, function: str) -> dict[str, str]:
        """The environment variables of the function in this module."""
        (environment,) = self[f"module.{function}.aws_lambda_function.this"]["environment"]
        variables: dict[str, str] = environment["variables"]
        return variables

    def permissions(self, function: str) -> dict[str, dict[str, Any]]:
        """What the function in this module may do: the statements of its role's policy, by their id."""
        return {one["Sid"]: one for one in statements(self[f"module.{function}.aws_iam_role_policy.this"]["policy"])}

    def alarm(self, key: str) -> Resource:
        return self[f'module.alarms.aws_cloudwatch_metric_alarm.this["{key}"]']

    def job_types(self) -> dict[str, Any]:
        """The deployed job types."""
        content = self["module.job_types.aws_appconfig_hosted_configuration_version.this"]["content"]
        job_types: dict[str, Any] = json.loads(content)["jobTypes"]
        return job_types

    def expirations(self) -> dict[str, int]:
        """After how many days what is in the bucket expires, by what it is."""
        rules = self["module.bucket.aws_s3_bucket_lifecycle_configuration.this"]["rule"]
        return {rule["id"]: rule["expiration"][0]["days"] for rule in rules if rule["id"] != "broken-uploads"}

    def inside(self, module: str) -> Plan:
        """The part of the plan that is in a module, as a plan without outputs."""
        prefix = f"module.{module}."
        found = {address: it for address, it in self.resources.items() if address.startswith(prefix)}
        return Plan({address.removeprefix(prefix): it for address, it in found.items()}, {})


def statements(policy: str | None) -> list[dict[str, Any]]:
    """A policy's statements; none of one that was left out, for which the mocked provider makes something up."""
    try:
        found: list[dict[str, Any]] = json.loads(policy or "{}")["Statement"]
    except (ValueError, KeyError):
        return []
    return found


def read() -> dict[str, Plan]:
    """Make the plans of tests/terraform/plans, and read each by the name of its run."""
    terraform = [str(ROOT / "scripts/terraform"), f"-chdir={FOLDER}"]
    environment = os.environ | {"TF_IN_AUTOMATION": "1", "TF_DATA_DIR": str(DATA)}
    where = "-test-directory=plans"
    files = [f"-filter=plans/{path.name}" for path in sorted((FOLDER / "plans").glob("*.tftest.hcl"))]
    # Terraform keeps what it has of a git source: the address does not tell it that the checkout has changed.
    (DATA / "modules/modules.json").unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        fetching = environment | answered_by_checkout(Path(folder))
        _run([*terraform, "init", "-backend=false", "-input=false", where], fetching)
    lines = _run([*terraform, "test", "-json", "-verbose", where, *files], environment).splitlines()
    plans = [(_value(line, "@testrun"), _plan(line)) for line in lines if '"test_plan":{' in line]
    assert len(plans) == len(dict(plans)), "two runs have the same name"
    return dict(plans)


def _plan(line: str) -> Plan:
    changes = _value(line, "resource_changes")
    outputs = _value(line, "output_changes")
    return Plan(
        {change["address"]: change["change"]["after"] for change in changes},
        {name: change["after"] for name, change in outputs.items() if "after" in change},
    )


def _value(line: str, key: str) -> Any:
    """The first value of this key. After what is read here come 14 MB of provider schemas, too much to parse."""
    return json.JSONDecoder().raw_decode(line.partition(f'"{key}":')[2])[0]


def _run(command: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    return done.stdout
