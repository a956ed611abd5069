"""How the benchmark's pictures look: made for a README's column, with type of the size of its text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# A README's column has 800 pixels. At 100 a inch, 9 points are 12.5 of them; saved at twice that for sharp screens.
WIDTH = 8.0
PIXELS_PER_INCH = 200
OURS = "#1f77b4"
PEERS = ("#c9a227", "#8c564b", "#9467bd")
FLOOR = "#7f7f7f"
LIMIT = "#d62728"

rcParams.update({"font.size": 10, "axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False})


def figure(charts: int = 1, height: float = 3.0) -> tuple[Figure, list[Axes]]:
    """A figure with this many charts side by side; the height is in inches."""
    drawn = Figure(figsize=(WIDTH, height), layout="constrained")
    return drawn, list(drawn.subplots(1, charts, squeeze=False)[0])


def bars(axes: Axes, groups: Sequence[str], series: Mapping[str, Sequence[float]], *, unit: str) -> None:
    """Bars side by side in each group, with their values on top; the first series is ours."""
    width = 0.8 / len(series)
    for index, (name, values) in enumerate(series.items()):
        places = [group + (index - (len(series) - 1) / 2) * width for group in range(len(groups))]
        color = OURS if index == 0 else PEERS[(index - 1) % len(PEERS)]
        drawn = axes.bar(places, values, width * 0.92, label=name, color=color)
        axes.bar_label(drawn, fmt="{:.3g}", fontsize=9, padding=1)
    axes.set_xticks(range(len(groups)), groups)
    axes.set_ylabel(unit)


def points(axes: Axes, groups: Sequence[str], series: Mapping[str, Sequence[float]], *, unit: str) -> None:
    """Points with their values, on a logarithmic axis, where a bar's length would say nothing; the first are ours."""
    for index, (name, values) in enumerate(series.items()):
        places = [group + (index - (len(series) - 1) / 2) * 0.25 for group in range(len(groups))]
        color = OURS if index == 0 else PEERS[(index - 1) % len(PEERS)]
        axes.plot(places, values, "o", label=name, color=color)
        for place, value in zip(places, values, strict=True):
            axes.annotate(f"{value:.3g}", (place, value), (0, 5), textcoords="offset points", ha="center", fontsize=9)
    axes.set(yscale="log", ylabel=unit, xlim=(-0.5, len(groups) - 0.5))
    axes.set_xticks(range(len(groups)), groups)


def rows(axes: Axes, values: Mapping[str, float], *, peers: Sequence[str], floor: Sequence[str], unit: str) -> None:
    """One bar below the other, with its value in it; peers and the physical limit have colors of their own."""
    colors = [PEERS[0] if name in peers else FLOOR if name in floor else OURS for name in values]
    drawn = axes.barh(list(values), list(values.values()), 0.72, color=colors)
    axes.bar_label(drawn, fmt="{:,.0f}", label_type="center", color="white")
    axes.invert_yaxis()
    axes.set_xlabel(unit)


def bound(axes: Axes, value: float, label: str, *, vertical: bool = False) -> None:
    """The target, or what physics allows, as a line across the chart."""
    line = axes.axvline if vertical else axes.axhline
    line(value, color=LIMIT, linewidth=1.4, linestyle="--", label=label)


def save(drawn: Figure, folder: Path, section: str) -> None:
    """Write the section's picture."""
    folder.mkdir(parents=True, exist_ok=True)
    # Without the version of matplotlib, the same results give the same bytes.
    drawn.savefig(folder / f"bench-{section}.png", dpi=PIXELS_PER_INCH, metadata={"Software": None})
