"""docs/performance.md and the pictures in docs/img, from the results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench import cost, sections
from bench.markdown import number
from bench.targets import targets_table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGE = "docs/performance.md"
PICTURES = "docs/img"
README = "README.md"
BEGIN = "<!-- BEGIN cost (generated: python -m bench render) -->"
END = "<!-- END cost -->"

HEAD = """\
# Performance

<!-- Generated from bench/results.json by `python -m bench render`. -->

`make bench` measured what is on this page, in one run, with the peers in the same run and in turns with us: so ratios
carry over to other machines, and absolute times do not. Numbers are medians unless they say otherwise.
"""


def text(document: dict[str, Any]) -> str:
    """The page."""
    found = document["sections"]
    parts = [HEAD, _machine(document["machine"]), "## Targets\n", targets_table(found) + "\n"]
    parts += [_section(name, found[name]) for name in sections.NAMES if name in found]
    return "\n".join(parts)


def readme(document: dict[str, Any], root: Path) -> str:
    """The README with its section on cost; unchanged if costs were not measured, or if it lacks the section's marks."""
    now = (root / README).read_text(encoding="utf-8")
    before, begin, rest = now.partition(BEGIN)
    if not begin or "cost" not in document["sections"]:
        return now
    return f"{before}{BEGIN}\n{cost.readme(document['sections']['cost'])}\n{END}{rest.partition(END)[2]}"


def draw(document: dict[str, Any], root: Path) -> None:
    """The pictures of all sections that were measured."""
    for name in sections.NAMES:
        section = sections.load(name)
        if section.PICTURE and name in document["sections"]:
            section.plot(document["sections"][name], root / PICTURES)


def _machine(machine: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    processors = f"{machine['cpus']} processors ({machine['cpu']}, {machine['system']})"
    return f"The machine: {processors}, load {machine['load_average']} before the run. Versions: {versions}.\n"


def _section(name: str, results: dict[str, Any]) -> str:
    return "\n".join(_lines(name, results))


def _lines(name: str, results: dict[str, Any]) -> Iterator[str]:
    section = sections.load(name)
    yield f"## {section.TITLE}\n"
    if section.PICTURE:
        yield f"![{section.PICTURE}](img/bench-{name}.png)\n"
    yield section.table(results).strip() + "\n"
    yield f"Measured on {results['date']} in {number(results['seconds'])} s.\n"
