"""bench/results.json: what was measured, on which machine, and with which versions."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import peers
from scripts.project import ROOT

if TYPE_CHECKING:
    from bench.sections import Scale, Section

FILE = "bench/results.json"
LIBRARIES = ("boto3", "botocore", "aws-lambda-powertools", "ministack")


def read(root: Path = ROOT) -> dict[str, Any]:
    """The results of the latest run; without one, a document without sections."""
    path = root / FILE
    if not path.exists():
        return {"machine": {}, "sections": {}}
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document


def write(document: dict[str, Any], root: Path = ROOT) -> None:
    """Replace the results."""
    path = root / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


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
