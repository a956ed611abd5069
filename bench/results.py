"""bench/results.json: what was measured, in which run, on which machine, and with which versions.

`runs` has the runs by their start: the machine, and the seconds until the latest section was done. `sections` has what
each section measured, and its `run`. A run of some sections keeps the others' results, and the runs that those are of.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import re
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import peers
from scripts.project import ROOT, Failure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.sections import Scale, Section

FILE = "bench/results.json"
LIBRARIES = ("boto3", "botocore", "aws-lambda-powertools", "ministack")
_NUMBERS = re.compile(r"\[[-+\d.e,\s]*\]")


def read(root: Path = ROOT) -> dict[str, Any]:
    """The results of the latest runs; without any, a document without sections."""
    path = root / FILE
    if not path.exists():
        return {"runs": {}, "sections": {}}
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document


def read_measured(root: Path) -> dict[str, Any]:
    """The results of the latest runs. Raises Failure if there are none."""
    document = read(root)
    if not document["sections"]:
        raise Failure(f"{root / FILE} has no results. Measure them first: python -m bench --root {root}")
    return document


class Run:
    """A run of some sections, which starts now: their results replace those of earlier runs, one by one."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document
        self._name = datetime.now(UTC).isoformat(timespec="seconds")
        self._started = time.perf_counter()
        document["runs"][self._name] = machine()

    def add(self, name: str, results: dict[str, Any]) -> None:
        """These are the section's results now; runs of which no section is left are forgotten."""
        sections, runs = self._document["sections"], self._document["runs"]
        sections[name] = {"run": self._name} | results
        runs[self._name]["seconds"] = round(time.perf_counter() - self._started, 1)
        used = {section["run"] for section in sections.values()}
        self._document["runs"] = {name: run for name, run in runs.items() if name in used}


def whole_run(document: dict[str, Any], names: Sequence[str]) -> dict[str, Any] | None:
    """The run that measured all of these sections; None if several did, or if some were not measured."""
    is_whole = len(document["runs"]) == 1 and set(names) == set(document["sections"])
    return next(iter(document["runs"].values())) if is_whole else None


def write(document: dict[str, Any], root: Path = ROOT) -> None:
    """Replace the results."""
    path = root / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_rendered(document), encoding="utf-8")


def _rendered(document: dict[str, Any]) -> str:
    """The document with each list of numbers on one line: there are thousands of latencies."""
    return _NUMBERS.sub(lambda found: " ".join(found[0].split()), json.dumps(document, indent=1)) + "\n"


def measured(section: Section, scale: Scale) -> dict[str, Any]:
    """What the section measured now, with the day and the seconds that it took."""
    started = time.perf_counter()
    found = section.measure(scale)
    took = {"date": datetime.now(UTC).date().isoformat(), "scale": str(scale)}
    return took | {"seconds": round(time.perf_counter() - started, 1)} | found


def machine() -> dict[str, Any]:
    """What the figures depend on: processors, their load before the run, and versions."""
    return {
        "cpu": _cpu_model(),
        "cpus": os.cpu_count(),
        "load_average": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.machine()}",
        "versions": {"python": platform.python_version()}
        | {name: importlib.metadata.version(name) for name in LIBRARIES}
        | peers.versions(),
    }


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or "unknown"
