"""docs/performance.md, parts of other pages and the README, and the pictures in docs/img, from the results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench import cost, results, scale, sections
from bench.markdown import number
from bench.targets import targets_table
from scripts.generated import between

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGE = "docs/performance.md"
SCALING_PAGE = "docs/scaling.md"
LANDING_PAGE = "docs/index.md"
PICTURES = "docs/img"
README = "README.md"

HEAD = """\
# Performance

<!-- Generated from bench/results.json by `python -m bench render`. -->

`make bench` measured what is on this page. The peers of a section take turns with us, so that ratios carry over to
other machines, and absolute times do not. Numbers are medians (of two: their mean) unless they say otherwise.
"""

_IDLE_LOAD = 0.25
"""Per processor: with more, other programs take part."""


def texts(document: dict[str, Any], root: Path) -> Iterator[tuple[Path, str]]:
    """The files that follow from the results, with what is in them."""
    found = document["sections"]
    yield root / PAGE, text(document)
    if "scale" in found:
        yield from _with_part(root / SCALING_PAGE, scale.BEGIN, scale.END, scale.scaling_part(found["scale"]))
    if "cost" in found:
        part = cost.readme_part(found["cost"])
        yield from _with_part(root / README, cost.BEGIN, cost.END, part)
        yield from _with_part(root / LANDING_PAGE, cost.BEGIN, cost.END, part.replace("](docs/", "]("))


def _with_part(path: Path, begin: str, end: str, part: str) -> Iterator[tuple[Path, str]]:
    """A file of which this is a part; nothing if there is no such file, as where a smoke run writes."""
    if path.exists():
        yield path, between(path.read_text(encoding="utf-8"), begin, end, part)


def text(document: dict[str, Any]) -> str:
    """The page of all sections."""
    found = document["sections"]
    parts = [HEAD, *_runs(document), "## Targets\n", targets_table(found | _whole(document)) + "\n"]
    parts += [_section(name, found[name]) for name in sections.NAMES if name in found]
    return "\n".join(parts)


def _whole(document: dict[str, Any]) -> dict[str, Any]:
    """The time of the whole run, as the figure of a section; nothing unless one run measured everything."""
    run = results.whole_run(document, sections.NAMES)
    return {"run": {"figures": {"minutes": run["seconds"] / 60}}} if run else {}


def draw(document: dict[str, Any], root: Path) -> None:
    """The pictures of all sections that were measured."""
    for name in sections.NAMES:
        section = sections.load(name)
        if section.PICTURE and name in document["sections"]:
            section.plot(document["sections"][name], root / PICTURES)


def _runs(document: dict[str, Any]) -> Iterator[str]:
    """Which sections were measured together, and on what."""
    if results.whole_run(document, sections.NAMES):
        yield "Everything was measured in one run.\n"
    elif missing := [name for name in sections.NAMES if name not in document["sections"]]:
        yield f"Not everything has been measured: {', '.join(missing)} will follow.\n"
    else:
        yield f"The sections are from {len(document['runs'])} runs.\n"
    for name, run in document["runs"].items():
        of_run = [section for section in sections.NAMES if document["sections"].get(section, {}).get("run") == name]
        yield f"The run of {name} ({', '.join(of_run)}): {_machine(run)}\n"


def _machine(machine: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    processors = f"{machine['cpus']} processors ({machine['cpu']}, {machine['system']})"
    load, is_idle = machine["load_average"], machine["load_average"] <= _IDLE_LOAD * machine["cpus"]
    state = "" if is_idle else ", which is not idle, so that times are longer than they would be"
    return f"{processors}; a load of {load} in the minute before{state}; {versions}."


def _section(name: str, found: dict[str, Any]) -> str:
    return "\n".join(_lines(name, found))


def _lines(name: str, found: dict[str, Any]) -> Iterator[str]:
    section = sections.load(name)
    yield f"## {section.TITLE}\n"
    if section.PICTURE:
        yield f"![{section.PICTURE}](img/bench-{name}.png)\n"
    yield section.table(found).strip() + "\n"
    yield f"Measured on {found['date']} in {number(found['seconds'])} s.\n"
