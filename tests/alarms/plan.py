"""Alarms, dashboard and policies as the module's plans have them, from `terraform test` with a mocked provider."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]

# What the mocked provider makes up for what only AWS knows does not matter here; null is what was left out.
Resource = dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """Resources by address, such as `module.alarms.aws_cloudwatch_metric_alarm.this["failed-jobs"]`."""

    resources: dict[str, Resource]

    def of_type(self, kind: str) -> list[Resource]:
        return [resource for address, resource in self.resources.items() if f".{kind}." in f".{address}"]


def read() -> dict[str, Plan]:
    """Plan modules/ai-jobs as tests/terraform/plan.tftest.hcl does, and read the plan of each of its runs."""
    folder = ROOT / "tests/terraform"
    terraform = [str(ROOT / "scripts/terraform"), f"-chdir={folder}"]
    environment = os.environ | {"TF_IN_AUTOMATION": "1"}
    _run([*terraform, "init", "-backend=false", "-input=false"], environment)
    lines = _run(
        [*terraform, "test", "-json", "-verbose", "-test-directory=.", "-filter=plan.tftest.hcl"], environment
    ).splitlines()
    events = [json.loads(line) for line in lines if line.startswith("{")]
    return {event["@testrun"]: _plan(event["test_plan"]) for event in events if event["type"] == "test_plan"}


def _plan(plan: dict[str, Any]) -> Plan:
    return Plan({change["address"]: change["change"]["after"] for change in plan["resource_changes"]})


def _run(command: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    return done.stdout
