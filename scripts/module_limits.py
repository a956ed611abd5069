"""The ranges of the numbers that a caller may set, from the tables that the module's validations use (limits.tf)."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import hcl2

from scripts.project import ROOT

if TYPE_CHECKING:
    from pathlib import Path

LIMITS = "functions/ai_jobs/contract/limits.json"


def ranges(module: Path) -> dict[str, dict[str, str]]:
    """A sentence about each number, by variable and path, such as `processor` and `timeout_seconds`.

    A module without the tables has none.
    """
    path = module / "limits.tf"
    if not path.exists():
        return {}
    tables = _Tables(path)
    found = {variable: _sentences(rows) for variable, rows in tables.value("${local.ranges}").items()}
    found["job_types"] |= _sentences(tables.value("${local.job_type_fractions}"))
    return found


class _Tables:
    """The locals of a file. It evaluates what limits.tf uses: objects, references to other locals, and merge."""

    def __init__(self, path: Path) -> None:
        (self.locals,) = hcl2.loads(path.read_text(encoding="utf-8"))["locals"]
        self.locals["contract"] = json.loads((ROOT / LIMITS).read_text(encoding="utf-8"))

    def value(self, node: Any) -> Any:
        if isinstance(node, dict):
            return {name: self.value(item) for name, item in node.items()}
        if not isinstance(node, str) or not node.startswith("${"):
            return node.strip('"') if isinstance(node, str) else node
        expression = node[2:-1]
        if merged := re.fullmatch(r"merge\((.*)\)", expression, re.DOTALL):
            parts = hcl2.loads(f"parts = [{merged[1]}]\n")["parts"]
            return {name: item for part in parts for name, item in self.value(part).items()}
        found: Any = self.locals
        for name in expression.removeprefix("local.").split("."):
            found = self.value(found[name])
        return found


def _sentences(rows: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {f"{row['within']}.{name}" if "within" in row else name: _sentence(row) for name, row in rows.items()}


def _sentence(row: dict[str, Any]) -> str:
    span = f"From {row['min']:,} to {row['max']:,}" if "max" in row else f"At least {row['min']:,}"
    unit = f" {row['unit']}" if "unit" in row else ""
    return f"{span}{unit}{row.get('note', '')}."
