"""What commands print: JSON or tables on standard output; messages and progress bars on standard error.

A pipe gets plain text: no escape codes, no wrapped lines, nothing cut off. On a terminal, only free text is folded, and
only between words: an id stays in one piece, however narrow the window is.
"""

from __future__ import annotations

import json
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import click
from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from ai_jobs.contract.documents import whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")

# Columns of free text, which are folded to fit the terminal.
_TEXTS = frozenset({"FOUND", "JOBS", "MESSAGE", "REASON", ""})

_GAP = "  "

_STYLES = {
    "completed": "green",
    "ok": "green",
    "enabled": "green",
    "failed": "red",
    "paused": "yellow",
    "warning": "yellow",
}


def console() -> Console:
    """Standard output as it is now."""
    return Console(file=sys.stdout, highlight=False)


def say(text: str) -> None:
    """Print a line on standard error, for the person at the terminal."""
    click.echo(whole(text), err=True)


def print_json(document: Any) -> None:
    """Print the document on standard output, indented."""
    text = whole(json.dumps(document, indent=2, ensure_ascii=False, default=str))
    # On a terminal, escape everything beyond ASCII: terminals take some of these characters for instructions.
    if sys.stdout.isatty() or not _can_be_encoded(text):
        text = json.dumps(json.loads(text), indent=2)
    click.echo(text)


def _can_be_encoded(text: str) -> bool:
    try:
        text.encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        return False
    return True


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table; on a terminal, status words have their color."""
    for line in _table_lines(columns, rows):
        click.echo(line)


def rendered(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """The table as text for standard output, without trailing blanks."""
    return "".join(f"{line}\n" for line in _table_lines(columns, rows))


def _table_lines(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(columns, *cells, strict=True)]
    styled = False
    if sys.stdout.isatty():
        out = console()
        widths = _folded_widths(columns, cells, widths, out.width)
        styled = out.color_system is not None and not out.no_color
    yield from _row_lines(columns, columns, widths, {name: {"bold": True} for name in columns} if styled else {})
    styles = {word: {"fg": color} for word, color in _STYLES.items()} if styled else {}
    for row in cells:
        yield from _row_lines(columns, row, widths, styles)


def _folded_widths(
    columns: Sequence[str], cells: Sequence[Sequence[str]], widths: Sequence[int], terminal_width: int
) -> list[int]:
    """The widths; free text gets what the other columns leave of the terminal, but no word is ever cut."""
    texts = [index for index, name in enumerate(columns) if name in _TEXTS]
    others = sum(width for index, width in enumerate(widths) if index not in texts)
    room = terminal_width - others - len(_GAP) * (len(columns) - 1)
    folded = list(widths)
    for index in texts:
        longest_word = max((cell_len(word) for row in (columns, *cells) for word in row[index].split()), default=0)
        folded[index] = min(widths[index], max(longest_word, room // len(texts)))
    return folded


def _row_lines(
    columns: Sequence[str], row: Sequence[str], widths: Sequence[int], styles: Mapping[str, dict[str, Any]]
) -> Iterator[str]:
    """A row on one line, or on several if a text is folded."""
    parts = [
        _fold(text, width) if name in _TEXTS else [text] for name, text, width in zip(columns, row, widths, strict=True)
    ]
    for number in range(max(map(len, parts))):
        line = [part[number] if number < len(part) else "" for part in parts]
        # Padded outside the style, whose codes have no width.
        padded = (
            _styled(text, styles) + " " * (width - cell_len(text)) for text, width in zip(line, widths, strict=True)
        )
        yield _GAP.join(padded).rstrip()


def _fold(text: str, width: int) -> list[str]:
    if cell_len(text) <= width:
        return [text]
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)


def _styled(text: str, styles: Mapping[str, dict[str, Any]]) -> str:
    return click.style(text, **styles[text]) if text in styles else text


def print_fields(fields: Mapping[str, object], text: str | None = None) -> None:
    """Print names and values, one pair per line, and a longer text below them."""
    width = max(map(len, fields))
    for name, value in fields.items():
        click.echo(f"{name:{width}}  {_printable(str(value))}")
    if text:
        print_lines(["", *text.splitlines()])


def print_lines(lines: Iterable[str]) -> None:
    """Print lines that may contain anything."""
    for line in lines:
        click.echo(_printable(line.expandtabs(4)))


def _printable(text: str) -> str:
    """The text without control characters: a terminal must not take a job's or a model's words for instructions."""
    if text.isprintable():
        return text
    kept = (character if character.isprintable() else " " * character.isspace() for character in whole(text))
    return "".join(kept)


def _cell(value: object) -> str:
    return "-" if value is None else _printable(str(value))


def progress() -> Progress:
    """A progress bar on standard error, shown only if that is a terminal."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )
