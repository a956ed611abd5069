"""Indents lists as Zensical's Markdown wants them.

On GitHub (CommonMark), what belongs to a list item starts below the item's text: after two spaces for a bullet. For
Python-Markdown, it starts after four spaces, and what has fewer is not part of the list. Nor is an item that follows a
paragraph of the item before it, without an empty line between them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from markdown_it import MarkdownIt

INDENT = 4
MARKER = re.compile(r" *(?:[-+*]|\d+[.)]) +")


@dataclass
class _Place:
    """Where a line is: in how many list items, and the column of the innermost one's text.

    A line that begins an item may need an empty line before it.
    """

    depth: int = 0
    column: int = 0
    begins: bool = False
    apart: bool = False


def widened(text: str) -> str:
    """The text, with four spaces for each list item that a line is in."""
    lines = text.split("\n")
    places = [_Place() for _ in lines]
    loose_until: set[tuple[int, int]] = set()
    for token in MarkdownIt("commonmark").parse(text):
        if token.type == "list_item_open" and token.map and (marker := MARKER.match(lines[token.map[0]])):
            start, end = token.map
            depth = places[start].depth + 1
            column = _column(marker.end(), lines[start + 1 : end])
            apart = (depth, start) in loose_until and bool(lines[start - 1].strip())
            places[start:end] = [_Place(depth, column, line == start, apart) for line in range(start, end)]
            if not all(map(str.strip, lines[start:end])):
                loose_until.add((depth, end))
    return "\n".join(_indented(line, place) for line, place in zip(lines, places, strict=True))


def _column(after_marker: int, rest: list[str]) -> int:
    """Where the lines of an item begin: up to three spaces more than necessary mean nothing."""
    least = min((_spaces(line) for line in rest if line.strip()), default=after_marker)
    return least if 0 <= least - after_marker < INDENT else after_marker


def _indented(line: str, place: _Place) -> str:
    if not place.depth or not line.strip():
        return line
    if place.begins:
        return "\n" * place.apart + " " * INDENT * (place.depth - 1) + line.lstrip()
    return " " * INDENT * place.depth + line[min(place.column, _spaces(line)) :]


def _spaces(line: str) -> int:
    return len(line) - len(line.lstrip())
