"""Writes the table of lifecycle transitions to docs/how-it-works.md; --check only compares.

python -m scripts.lifecycle_docs [--check]
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ai_jobs.service.lifecycle import GROUPS, INDEXES, TRANSITIONS, Transition
from scripts.generated import between, markdown_table, write_or_check
from scripts.project import ROOT, run

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

BEGIN = "<!-- BEGIN lifecycle (generated: make docs) -->"
END = "<!-- END lifecycle -->"
PAGE = ROOT / "docs/how-it-works.md"


def table() -> str:
    """One line for each transition, and one for each group of fields."""
    header = ("transition", "by", "from", "to", "only if", "sets", "clears", "may write")
    groups = "; ".join(f"*{name}*: {_codes(fields)}" for name, fields in GROUPS.items())
    return f"{markdown_table(header, map(_cells, TRANSITIONS))}\n\nGroups of fields: {groups}."


def _cells(transition: Transition) -> tuple[str, ...]:
    added = [f"{name} + 1" if transition.target == "processing" else f"{name} - 1" for name in transition.adds]
    return (
        f"**{transition.name}**",
        transition.by,
        " ".join(f"`{source}`" for source in transition.sources),
        f"`{transition.target}`",
        transition.only_if or "always",
        ", ".join([*_grouped((*transition.sets, *transition.keeps)), *(f"`{text}`" for text in added)]),
        "everything else" if transition.replaces else ", ".join(_grouped(transition.clears)) or "-",
        ", ".join(f"`{index.name}` ({effect})" for index in INDEXES if (effect := index.effect_of(transition))) or "-",
    )


def _grouped(fields: Iterable[str]) -> list[str]:
    """The fields, with the names of groups in the place of their members where all of these are there."""
    left = dict.fromkeys(fields)
    names = []
    for name, members in sorted(GROUPS.items(), key=lambda group: -len(group[1])):
        if set(members) <= set(left):
            names.append(f"*{name}*")
            left = {field: None for field in left if field not in members}
    return [*names, *(f"`{field}`" for field in left)]


def _codes(fields: Iterable[str]) -> str:
    return ", ".join(f"`{field}`" for field in fields)


def _generated() -> Iterator[tuple[Path, str]]:
    yield PAGE, between(PAGE.read_text(encoding="utf-8"), BEGIN, END, table())


def main() -> None:
    write_or_check("lifecycle_docs", "The table of the lifecycle's transitions.", ROOT, _generated())


if __name__ == "__main__":
    run(main)
