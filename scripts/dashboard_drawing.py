"""Draws a CloudWatch dashboard's widgets in their places, with series that somebody else has.

The picture is made for the width at which a README shows it: its text is as large there as the README's small print,
and the legends stand under the charts, not in them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import accumulate, groupby
from pathlib import Path
from typing import Any

from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.textpath import TextPath

Points = dict[float, float]
"""Values by the moment, in seconds since the start."""

Series = Callable[[tuple[str, ...], str], Points]
"""The points of a metric (namespace, name, dimension, value, ...) and a statistic."""

# Twice the pixels of a README's column, for sharp screens. All measures are inches.
WIDTH = 8.3
PIXELS_PER_INCH = 200
HEAD = 0.32
TITLE = 0.2
CHART = 0.72
TIME_AXIS = 0.17
LEGEND_LINE = 0.125
GAP = 0.12
LEFT, RIGHT = 0.36, 0.32
MARGIN = 0.06

TEXT = 6.5
"""Points; 9 pixels in the README."""

# As CloudWatch's, roughly; red and green are left to what is good and bad.
COLORS = ("#1f77b4", "#ff7f0e", "#9467bd", "#17becf", "#8c564b", "#e377c2", "#bcbd22", "#7f7f7f")
SILENT = "#9a9a9a"


@dataclass(frozen=True)
class Drawn:
    """A line of a chart: its points, its place in the legend, and whether the axis on the right is its own."""

    label: str
    color: str
    points: Points
    right: bool = False
    dashed: bool = False

    @property
    def entry_width(self) -> float:
        """What its entry in the legend takes, with the line before the text and the space after it."""
        return float(TextPath((0, 0), self.label, size=TEXT).get_extents().width) / 72 + 0.27


def draw(body: dict[str, Any], series: Series, seconds: int, title: str, path: Path) -> None:
    """Draw all rows but those of alarms alone, whose states only CloudWatch has."""
    rcParams.update({"font.size": TEXT, "axes.titlesize": TEXT + 0.8, "axes.titleweight": "bold", "lines.linewidth": 1})
    rows = [list(row) for _, row in groupby(body["widgets"], key=lambda widget: widget["y"])]
    rows = [row for row in rows if any(widget["type"] == "metric" for widget in row)]
    lines = [[_lines(widget["properties"], series, seconds) for widget in row] for row in rows]
    heights = [_height(row, of_row) for row, of_row in zip(rows, lines, strict=True)]
    figure = Figure(figsize=(WIDTH, HEAD + sum(heights)))
    figure.text(0.5, 1 - 0.6 * HEAD / figure.get_figheight(), title, ha="center", va="center", fontsize=TEXT + 1.5)
    top = figure.get_figheight() - HEAD
    for row, of_row, height in zip(rows, lines, heights, strict=True):
        for widget, of_widget in zip(row, of_row, strict=True):
            axes = _axes(figure, widget, top)
            if widget["type"] == "alarm":
                _alarms(axes, widget["properties"])
            else:
                _chart(axes, widget, of_widget, seconds)
        top -= height
    figure.savefig(path, dpi=PIXELS_PER_INCH)


def _axes(figure: Figure, widget: dict[str, Any], top: float) -> Axes:
    left = widget["x"] / 24 * WIDTH + LEFT
    height = figure.get_figheight()
    return figure.add_axes((left / WIDTH, (top - TITLE - CHART) / height, _width(widget) / WIDTH, CHART / height))


def _width(widget: dict[str, Any]) -> float:
    """The width of its chart, without the room for both axes."""
    return float(widget["width"]) / 24 * WIDTH - LEFT - RIGHT


def _height(row: list[dict[str, Any]], lines: list[list[Drawn]]) -> float:
    legends = [math.ceil(len(of) / _columns(widget, of)) for widget, of in zip(row, lines, strict=True) if of]
    return TITLE + CHART + TIME_AXIS + max(legends) * LEGEND_LINE + GAP


def _columns(widget: dict[str, Any], lines: list[Drawn]) -> int:
    """How many columns a legend can have within its widget."""
    room = widget["width"] / 24 * WIDTH - 2 * MARGIN
    return next((columns for columns in range(len(lines), 1, -1) if _legend_width(lines, columns) <= room), 1)


def _legend_width(lines: list[Drawn], columns: int) -> float:
    """Filled column by column, the first ones with one entry more where they can't be equal."""
    least, more = divmod(len(lines), columns)
    lengths = [least + (column < more) for column in range(columns)]
    ends = list(accumulate(lengths))
    return sum(
        max(line.entry_width for line in lines[end - length : end]) for end, length in zip(ends, lengths, strict=True)
    )


def _lines(properties: dict[str, Any], series: Series, seconds: int) -> list[Drawn]:
    """The lines of a chart: its metrics, what is computed from them, and its limits."""
    found: list[Drawn] = []
    named: dict[str, Points] = {}
    for number, (*metric, options) in enumerate(properties.get("metrics", [])):
        computed = "expression" in options
        points = _computed(options["expression"], named) if computed else series(tuple(metric), options["stat"])
        named[options.get("id", "")] = points
        right = options.get("yAxis") == "right"
        found.append(Drawn(options["label"], options.get("color", COLORS[number]), points, right))
    for limit in properties.get("annotations", {}).get("horizontal", []):
        points = {0.0: limit["value"], float(seconds): limit["value"]}
        right = limit.get("yAxis") == "right"
        found.append(Drawn(limit["label"], limit.get("color", SILENT), points, right, dashed=True))
    return sorted(found, key=lambda line: not line.points)


def _computed(expression: str, named: dict[str, Points]) -> Points:
    """Metric math, as far as the dashboard uses it: arithmetic and FILL, which are Python's too."""
    moments = sorted({moment for points in named.values() for moment in points})
    return dict(_evaluated(expression, named, moments))


def _evaluated(expression: str, named: dict[str, Points], moments: list[float]) -> Iterator[tuple[float, float]]:
    functions = {"__builtins__": {}, "FILL": lambda value, filler: filler if value is None else value}
    for moment in moments:
        values = {name: points.get(moment) for name, points in named.items()}
        try:
            yield moment, eval(expression, functions, values)  # noqa: S307 - the module's own text
        except ZeroDivisionError:
            continue  # as CloudWatch, which has no point there


def _chart(left: Axes, widget: dict[str, Any], lines: list[Drawn], seconds: int) -> None:
    right = left.twinx()
    for line in lines:
        axes = right if line.right else left
        marker = None if line.dashed else "."
        style = "--" if line.dashed else "-"
        axes.plot(list(line.points), list(line.points.values()), style, color=line.color, marker=marker, markersize=2)
    limits = widget["properties"]["yAxis"]
    for axes, limit in ((left, limits["left"]), (right, limits["right"])):
        values = [value for line in lines if line.right == (axes is right) for value in line.points.values()]
        # 1 where nothing is to be seen: an axis of millionths looks like something.
        axes.set_ylim(limit["min"], limit.get("max", max(values, default=0)) * 1.08 or 1)
        axes.set_xlim(0, seconds)
        axes.spines["top"].set_visible(False)
        axes.tick_params(length=2, pad=1.5)
        axes.locator_params(axis="y", nbins=4)
    if not any(line.right and line.points for line in lines):
        right.set_axis_off()
    left.set_title(widget["properties"]["title"], loc="left", pad=3)
    left.grid(alpha=0.3)
    _legend(left, widget, lines)


def _legend(axes: Axes, widget: dict[str, Any], lines: list[Drawn]) -> None:
    handles = [
        Line2D([], [], color=line.color if line.points else "none", linestyle="--" if line.dashed else "-")
        for line in lines
    ]
    legend = axes.legend(
        handles,
        [line.label for line in lines],
        loc="upper left",
        bbox_to_anchor=((MARGIN - LEFT) / _width(widget), -TIME_AXIS / CHART),
        ncols=_columns(widget, lines),
        fontsize=TEXT,
        frameon=False,
        borderpad=0,
        borderaxespad=0,
        handlelength=1.2,
        handletextpad=0.4,
        columnspacing=0.8,
        labelspacing=0.3,
    )
    for text, line in zip(legend.get_texts(), lines, strict=True):
        if not line.points:
            text.set_color(SILENT)


def _alarms(axes: Axes, properties: dict[str, Any]) -> None:
    """Their names; their states are CloudWatch's."""
    axes.set_axis_off()
    axes.set_title(properties["title"], loc="left", pad=3)
    names = [arn.rpartition(":alarm:")[2] for arn in properties["alarms"]]
    before, _, after = names[0].partition("service-unhealthy")
    for number, name in enumerate(names):
        key = name.removeprefix(before).removesuffix(after)
        axes.text(0, 1 - number / len(names), key, va="top", transform=axes.transAxes)
    axes.text(0, -TIME_AXIS / CHART, "(states: in CloudWatch only)", va="top", transform=axes.transAxes, color=SILENT)
