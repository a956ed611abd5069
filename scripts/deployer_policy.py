"""Writes docs/deployer-policy.json: the least that a role needs to plan, apply, and destroy the module.

    python -m scripts.deployer_policy            # for every resource type of the modules
    python -m scripts.deployer_policy PLAN.json  # prints them for the types of one plan (terraform show -json)

The file is a template for Terraform's templatefile(): docs/security.md shows the call. What a resource type needs is in
deployer_actions.yaml, by hand; a type that is not in there is an error.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from scripts.check_provider import uses
from scripts.generated import write_or_check
from scripts.project import ROOT, Failure, run

if TYPE_CHECKING:
    from collections.abc import Iterable

ACTIONS = Path(__file__).with_name("deployer_actions.yaml")
POLICY = ROOT / "docs/deployer-policy.json"


def policies(types: Iterable[str]) -> dict[str, Any]:
    """The policies for these resource types, by name, with a statement for each set of resources that is acted on.

    Raises:
        Failure: if a type is not in deployer_actions.yaml.
    """
    known = yaml.safe_load(ACTIONS.read_text(encoding="utf-8"))
    actions = _actions(set(types), known["types"])
    found = {
        name: [_statement(sid, of, actions[sid]) for sid, of in resources.items() if sid in actions]
        for name, resources in known["resources"].items()
    }
    return {
        name: {"Version": "2012-10-17", "Statement": statements} for name, statements in found.items() if statements
    }


def _actions(types: set[str], known: dict[str, dict[str, list[str]]]) -> dict[str, set[str]]:
    """The actions that the types need, by the Sid of the resources that they act on."""
    if missing := sorted(types - known.keys()):
        raise Failure(
            f"{ACTIONS.name} does not have {', '.join(missing)}. Add the actions with which the AWS provider creates, "
            "reads, updates, and deletes each, and the resources that they act on."
        )
    actions: dict[str, set[str]] = defaultdict(set)
    for type_ in types:
        for sid, names in known[type_].items():
            actions[sid] |= set(names)
    return actions


def _statement(sid: str, resources: dict[str, Any], actions: set[str]) -> dict[str, Any]:
    condition = {"Condition": resources["condition"]} if "condition" in resources else {}
    return {"Sid": sid, "Effect": "Allow", "Action": sorted(actions), "Resource": resources["arns"], **condition}


def module_types() -> set[str]:
    """The resource types of the modules."""
    files = (path for path in (ROOT / "modules").rglob("*.tf") if ".terraform" not in path.parts)
    return {use.type for use in uses(sorted(files), ROOT) if use.kind == "resource"}


def planned_types(plan: Path) -> set[str]:
    """The resource types of a plan.

    Raises:
        Failure: if the file is not the JSON of a plan.
    """
    try:
        changes = json.loads(plan.read_text(encoding="utf-8"))["resource_changes"]
        types = {change["type"] for change in changes if change["mode"] == "managed"}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Failure(f"{plan} is not a plan as JSON ({error!r}). Make one: terraform show -json PLAN") from error
    return {type_ for type_ in types if type_.startswith("aws_")}


def rendered(document: dict[str, Any]) -> str:
    """The text of the policies."""
    return json.dumps(document, indent=2) + "\n"


def main() -> None:
    plans = [Path(argument) for argument in sys.argv[1:] if not argument.startswith("-")]
    if plans:
        print(rendered(policies(planned_types(plans[0]))), end="")
        return
    files = [(POLICY, rendered(policies(module_types())))]
    write_or_check("deployer_policy", "The policies of a role that deploys the module.", ROOT, files)


if __name__ == "__main__":
    run(main)
