"""A Terraform plan, as `terraform show -json` prints it: what it changes, and where our module is in it.

https://developer.hashicorp.com/terraform/internals/json-format#plan-representation
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# The outputs by which a call of our module is recognized, whatever its source is called.
_OUR_OUTPUTS = {"request_queue_url", "response_queue_url", "table_name", "config_profile_id"}

_TYPES_DEPLOYMENT = "aws_appconfig_deployment"
_AGE_VARIABLE = "AI_JOB_CONFIG_MAX_AGE_SECONDS"

_UNKNOWN = "(known after apply)"
# To a provider, an empty value is the same as none, and a plan may have either.
_EMPTY: tuple[Any, ...] = (None, "", [], {})


@dataclass(frozen=True)
class Change:
    """What a plan does to one resource.

    Attributes:
        action: create, update, delete, or replace.
        attributes: what an update or a replacement changes: before and after, by the path of the attribute. Instead of
            a value that is sensitive, or that only the apply knows, there is text that says so. Values that only the
            apply knows follow from the others (a version, an ARN): they are there only if there are no others, or if
            they are why the resource is replaced.
    """

    address: str
    action: str
    attributes: Mapping[str, tuple[Any, Any]]


@dataclass(frozen=True)
class Plan:
    """A plan.

    Attributes:
        document: what `terraform show -json` printed.
    """

    document: Mapping[str, Any]

    @property
    def is_empty(self) -> bool:
        """Is there nothing to apply, not even an output?"""
        outputs = self.document.get("output_changes", {}).values()
        return not self.changes and all(output["actions"] == ["no-op"] for output in outputs)

    @property
    def changes(self) -> list[Change]:
        """What it does to resources, in the order of their addresses."""
        found = (_change(one) for one in self.document.get("resource_changes", ()))
        return sorted((change for change in found if change), key=lambda change: change.address)

    @property
    def changed_outputs(self) -> Mapping[str, tuple[Any, Any]]:
        """What it changes of the root's outputs, as far as it is known: before and after, by the path of the value."""
        found = self.document.get("output_changes", {})
        changes = {name: output for name, output in found.items() if output["actions"] == ["update"]}
        kinds = ("before", "after", "before_sensitive", "after_sensitive", "after_unknown")
        values = {kind: {name: output.get(kind) for name, output in changes.items()} for kind in kinds}
        return {path: pair for path, pair in _differences(values) if pair[1] != _UNKNOWN}

    @property
    def has_our_module(self) -> bool:
        """Does the root call our module, itself or in another module?"""
        configuration = self.document.get("configuration", {}).get("root_module", {})
        return any(call["module"].get("outputs", {}).keys() >= _OUR_OUTPUTS for call in _calls(configuration))

    @property
    def providers(self) -> set[str]:
        """The providers of all its resources, such as registry.terraform.io/hashicorp/aws."""
        return {str(one["provider_name"]) for one in self.document.get("resource_changes", ())}

    @property
    def job_types_age_seconds(self) -> int:
        """How long workers may hold job types that this plan replaces; 0 if it replaces none."""
        changes = self.document.get("resource_changes", ())
        # A deployment that is only created replaces none.
        if not any(
            change["type"] == _TYPES_DEPLOYMENT and {"update", "delete"} & set(change["change"]["actions"])
            for change in changes
        ):
            return 0
        return max((_age_of(change) for change in changes if change["type"] == "aws_lambda_function"), default=0)


def _change(entry: Mapping[str, Any]) -> Change | None:
    actions = entry["change"]["actions"]
    if actions in (["no-op"], ["read"]):
        return None
    action = "replace" if len(actions) > 1 else str(actions[0])
    attributes = dict(_differences(entry["change"])) if action in ("update", "replace") else {}
    return Change(str(entry["address"]), action, attributes)


def _differences(change: Mapping[str, Any]) -> Iterator[tuple[str, tuple[Any, Any]]]:
    before, after = (_masked(change, when) for when in ("before", "after"))
    causes = {str(path[0]) for path in change.get("replace_paths") or ()}
    names = sorted({*before, *after})
    telling = [name for name in names if after.get(name) != _UNKNOWN or name in causes]
    found = [pair for name in telling for pair in _different(name, before.get(name), after.get(name))]
    yield from found or ((name, (before.get(name), _UNKNOWN)) for name in names if after.get(name) == _UNKNOWN)


def _masked(change: Mapping[str, Any], when: str) -> dict[str, Any]:
    """The attributes before or after, with text in place of those that are sensitive or unknown."""
    values = dict(change[when] or {})
    sensitive = change.get(f"{when}_sensitive") or {}
    unknown = change.get("after_unknown") or {} if when == "after" else {}
    values |= {name: f"(sensitive, {when})" for name, mark in sensitive.items() if _is_marked(mark)}
    return values | {name: _UNKNOWN for name, mark in unknown.items() if _is_marked(mark)}


def _is_marked(mark: Any) -> bool:
    """Is any part of a value unknown or sensitive? The mark is true, or has the value's shape."""
    if isinstance(mark, dict):
        return any(map(_is_marked, mark.values()))
    return any(map(_is_marked, mark)) if isinstance(mark, list) else bool(mark)


def _different(path: str, before: Any, after: Any) -> Iterator[tuple[str, tuple[Any, Any]]]:
    """The smallest parts of two values that differ, by where they are: environment[0].variables.AI_JOB_BUCKET."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name in sorted({*before, *after}):
            yield from _different(f"{path}.{name}", before.get(name), after.get(name))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, pair in enumerate(zip(before, after, strict=True)):
            yield from _different(f"{path}[{index}]", *pair)
    elif before != after and not (before in _EMPTY and after in _EMPTY):
        yield path, (before, after)


def _calls(module: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for call in module.get("module_calls", {}).values():
        yield call
        yield from _calls(call["module"])


def _age_of(change: Mapping[str, Any]) -> int:
    environments = (change["change"].get("after") or {}).get("environment") or ()
    ages = (environment.get("variables", {}).get(_AGE_VARIABLE) for environment in environments)
    return max((int(age) for age in ages if age), default=0)
