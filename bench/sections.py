"""The sections of the benchmark: modules of this package with the attributes of `Section`."""

from __future__ import annotations

import importlib
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol, cast

if TYPE_CHECKING:
    from pathlib import Path

NAMES = ("packaging", "cold_start", "processing", "apply", "submit", "end_to_end", "cost", "scale")
"""The modules, in the order in which they run and stand on the page."""


class Scale(StrEnum):
    """How much a section measures."""

    FULL = "full"
    """What the page shows."""
    SMOKE = "smoke"
    """As little as shows that it works: seconds, and no peer that `bench.peers` would have to install."""


class Section(Protocol):
    """One section: measuring, and showing what was measured, which needs nothing but the results."""

    TITLE: str
    """Its heading on the page."""

    PICTURE: str
    """What its picture shows, for those who can't see it; empty if it has none."""

    def measure(self, scale: Scale) -> dict[str, Any]:
        """Measure everything once.

        Returns:
            What JSON can hold: raw runs and their medians. `figures` has the numbers that `bench.targets` judges, by
            name; `failures`, if there are any, says why one of them can't exist, so that its target is missed.
        """

    def table(self, results: dict[str, Any]) -> str:
        """What the page says below the heading and the picture, in Markdown, from what `measure` returned.

        Results of a smoke run have no peers.
        """

    def plot(self, results: dict[str, Any], folder: Path) -> None:
        """Draw the picture, if `PICTURE` isn't empty, as bench-<name>.png in this folder (`bench.drawing`)."""


def load(name: str) -> Section:
    """The section of this name.

    Sections are imported when they are needed, because some of them need a local AWS's libraries or a peer's.
    """
    return cast("Section", importlib.import_module(f"bench.{name}"))
