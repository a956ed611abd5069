"""docs/security.md names tests as evidence: each of them exists."""

from __future__ import annotations

import ast
import json
import re
from functools import cache
from pathlib import Path

import pytest
from policy_sentry.querying.actions import get_action_data

TESTS = Path(__file__).parents[1]
PAGE = (TESTS.parent / "docs/security.md").read_text("utf-8")
NAMED = re.findall(r"`([\w/]+\.py)::(\w+)`", PAGE)


@cache
def names_in(file: str) -> set[str]:
    tree = ast.parse((TESTS / file).read_text("utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_a_test_that_is_named_as_evidence_exists(file: str, name: str) -> None:  # R-P8
    assert name in names_in(file)


def test_a_role_that_only_plans_reads_everything_and_changes_nothing() -> None:  # R-P8
    (pattern,) = re.findall(r'^  reads = "(.+)"$', PAGE, re.MULTILINE)
    policies = json.loads((TESTS.parent / "docs/deployer-policy.json").read_text("utf-8")).values()
    actions = {action for policy in policies for statement in policy["Statement"] for action in statement["Action"]}
    kept = {action for action in actions if re.search(pattern, action)}
    reading = {action for action in actions if level(action) in {"Read", "List"}}
    assert len(kept) > 40
    assert kept == reading


def level(action: str) -> str:
    """What AWS says that the action does: Read, List, Write, Tagging, or Permissions management."""
    service, name = action.split(":")
    return str(get_action_data(service, name)[service][0]["access_level"])


def numbers(title: str) -> list[str]:
    """The first column of the table with this header."""
    start = PAGE.index(f"|   | {title} |")
    return [row.split(" | ")[0].strip("| ") for row in PAGE[start : PAGE.index("\n\n", start)].splitlines()[2:]]


def test_every_threat_has_evidence() -> None:  # R-P8
    threats = numbers("who tries what | what stops it")
    assert len(threats) >= 20
    assert numbers("tests") == threats == [str(number) for number in range(1, len(threats) + 1)]
    assert all("::" in line for line in PAGE.splitlines() if "<br>" in line)
