"""Section 1: how long the zips take to build, how large they are, and whether they are the same everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench.markdown import table as markdown_table
from scripts import package

if TYPE_CHECKING:
    from pathlib import Path

    from bench.sections import Scale

TITLE = "Packaging"
PICTURE = ""


def measure(scale: Scale) -> dict[str, Any]:
    del scale  # building once is both
    package.build()
    sizes = {name: function["bytes"] for name, function in package.read_manifest()["functions"].items()}
    return {"bytes": sizes, "figures": {"largest_zip_mb": max(sizes.values()) / 1e6}}


def table(results: dict[str, Any]) -> str:
    return markdown_table(("zip", "bytes"), results["bytes"].items())


def plot(results: dict[str, Any], folder: Path) -> None:
    pass
