"""Tables and numbers of the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scripts.generated import markdown_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; numbers are shown by `number`, and None as a dash."""
    return markdown_table(header, ([_cell(cell) for cell in row] for row in rows))


def number(value: float) -> str:
    """A number with three significant digits, and thousands in groups."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _cell(cell: object) -> str:
    if cell is None:
        return "-"
    return number(cell) if isinstance(cell, int | float) and not isinstance(cell, bool) else str(cell)
