"""environments/local, applied to a local AWS of the benchmark's own, and what each resource took."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ai_jobs.local.environment import local_environment
from ai_jobs.local.stack import local_api_url
from scripts.project import LOCAL_ENVIRONMENT, TERRAFORM, Failure

if TYPE_CHECKING:
    from pathlib import Path

    from ai_jobs.local.instances import Instance

VISIBILITY_SECONDS = 20
"""How long SQS hides a job from other workers: a killed worker's jobs come back after that, ours and the peers'."""

# Short enough to wait for after a kill; everything else is the module's default.
_VARIABLES: dict[str, Any] = {
    "processor": {"timeout_seconds": VISIBILITY_SECONDS},
    "request_queue": {"visibility_timeout_seconds": VISIBILITY_SECONDS},
    "builtin_job_types": False,
    "job_types": {
        "echo": {
            "prompt": "{{ text }}",
            "max_tokens": 100,
            "timeout_seconds": 3,
            "input_schema": json.dumps({"type": "object", "properties": {"text": {"type": "string"}}}),
        }
    },
}


@dataclass(frozen=True)
class Step:
    """One resource of an apply; times are in seconds since 1970."""

    address: str
    started: float
    ended: float

    @property
    def seconds(self) -> float:
        return self.ended - self.started


@dataclass(frozen=True)
class Apply:
    """One apply: how long the command ran, and what it did to each resource."""

    seconds: float
    steps: tuple[Step, ...]


class Terraform:
    """The stack's Terraform, with its state in a folder of its own: a local stack of the user's stays what it is."""

    def __init__(self, instance: Instance, folder: Path) -> None:
        self._instance = instance
        self._folder = folder
        self._state = folder / "terraform.tfstate"
        self._run("init", "-input=false", "-lockfile=readonly")

    def apply(self) -> Apply:
        """Apply, and return what it took. Raises Failure if it fails."""
        started = datetime.now().astimezone()
        # Not in the environment: the root's own terraform.tfvars would win.
        variables = [f"-var={name}={json.dumps(value)}" for name, value in _VARIABLES.items()]
        output = self._run("apply", "-json", "-auto-approve", "-input=false", f"-state={self._state}", *variables)
        seconds = (datetime.now().astimezone() - started).total_seconds()
        return Apply(seconds, steps_of([json.loads(line) for line in output.splitlines()]))

    def outputs(self) -> dict[str, Any]:
        """The outputs by name."""
        found = json.loads(self._run("output", "-json", f"-state={self._state}"))
        values = {name: output["value"] for name, output in found.items()}
        return values | {"api_url": local_api_url(self._instance, values)}

    def dependencies(self) -> dict[str, list[str]]:
        """What each resource depends on, by the addresses of the resources without their keys."""
        state = json.loads(self._state.read_text(encoding="utf-8"))
        return {
            address_in_state(resource): sorted(
                {name for instance in resource["instances"] for name in instance.get("dependencies", ())}
            )
            for resource in state["resources"]
        }

    def _run(self, command: str, *arguments: str) -> str:
        variables = {"TF_DATA_DIR": str(self._folder / "terraform")}
        done = subprocess.run(
            [str(TERRAFORM), f"-chdir={LOCAL_ENVIRONMENT}", command, *arguments],
            env=local_environment(self._instance.endpoint_url) | variables,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise Failure(f"terraform {command} failed:\n{_errors(done.stdout)}{done.stderr}")
        return done.stdout


def _errors(output: str) -> str:
    """What `apply -json` says about its failure, without its other events."""
    events = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    found = [event["diagnostic"] for event in events if event["@level"] == "error" and "diagnostic" in event]
    return "".join(f"{problem['summary']}: {problem['detail']}\n" for problem in found)


def address_in_state(resource: dict[str, Any]) -> str:
    """The address of a resource of the state, without keys, as the state's dependencies name it."""
    parts = [resource["module"]] if "module" in resource else []
    parts += ["data"] if resource["mode"] == "data" else []
    return without_keys(".".join([*parts, resource["type"], resource["name"]]))


def without_keys(address: str) -> str:
    """`module.a["x"].b.c[0]` without what is in brackets."""
    head, _, rest = address.partition("[")
    return head + without_keys(rest.partition("]")[2]) if rest else head


def steps_of(events: list[dict[str, Any]]) -> tuple[Step, ...]:
    """The resources of an apply, in the order in which they ended, from the lines of `terraform apply -json`.

    Data sources that were only read are left out.

    Source: https://developer.hashicorp.com/terraform/internals/machine-readable-ui#resource-progress
    """
    started: dict[str, float] = {}
    steps = []
    for event in events:
        if event["type"] not in ("apply_start", "apply_complete") or event["hook"]["action"] == "read":
            continue
        address = event["hook"]["resource"]["addr"]
        moment = datetime.fromisoformat(event["@timestamp"]).timestamp()
        if event["type"] == "apply_start":
            started[address] = moment
        else:
            steps.append(Step(address, started[address], moment))
    return tuple(steps)
