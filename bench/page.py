"""docs/performance.md, parts of docs/scaling.md and the README, and the pictures in docs/img, from the results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench import cost, scale, sections
from bench.markdown import number
from bench.targets import targets_table
from scripts.generated import between

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGE = "docs/performance.md"
SCALING_PAGE = "docs/scaling.md"
PICTURES = "docs/img"
README = "README.md"

HEAD = """\
# Performance

<!-- Generated from bench/results.json by `python -m bench render`. -->

`make bench` measured what is on this page, in one run, with the peers in the same run and in turns with us: so ratios
carry over to other machines, and absolute times do not. Numbers are medians unless they say otherwise.
"""


def texts(document: dict[str, Any], root: Path) -> Iterator[tuple[Path, str]]:
    """The files that follow from the results, with what is in them."""
    found = document["sections"]
    yield root / PAGE, text(document)
    if "scale" in found:
        yield from _with_part(root / SCALING_PAGE, scale.BEGIN, scale.END, scale.scaling_part(found["scale"]))
    if "cost" in found:
        yield from _with_part(root / README, cost.BEGIN, cost.END, cost.readme_part(found["cost"]))


def _with_part(path: Path, begin: str, end: str, part: str) -> Iterator[tuple[Path, str]]:
    """A file of which this is a part; nothing if there is no such file, as where a smoke run writes."""
    if path.exists():
        yield path, between(path.read_text(encoding="utf-8"), begin, end, part)


def text(document: dict[str, Any]) -> str:
    """The page of all sections."""
    found = document["sections"]
    parts = [HEAD, _machine(document["machine"]), "## Targets\n", targets_table(found) + "\n"]
    parts += [_section(name, found[name]) for name in sections.NAMES if name in found]
    return "\n".join(parts)


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
