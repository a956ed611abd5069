"""docs/security.md names tests as evidence: each of them exists."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
PAGE = (TESTS.parent / "docs/security.md").read_text("utf-8")
NAMED = re.findall(r"`([\w/]+\.py)::(\w+)`", PAGE)
THREATS = [line for line in PAGE.splitlines() if line.startswith("| ") and "::" in line]


@cache
def names_in(file: str) -> set[str]:
    tree = ast.parse((TESTS / file).read_text("utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_a_test_that_is_named_as_evidence_exists(file: str, name: str) -> None:  # R-P8
    assert name in names_in(file)


def test_every_threat_has_an_answer_and_evidence() -> None:  # R-P8
    start = PAGE.index("| who tries what |")
    table = PAGE[start : PAGE.index("\n\n", start)].splitlines()[2:]
    assert len(table) >= 20
    assert [row for row in table if row not in THREATS or len(row.split(" | ")) != 3] == []
