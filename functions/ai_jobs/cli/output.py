"""What commands print: JSON or tables on standard output; words and progress on standard error.

Into a pipe goes plain text: no escape codes, no wrapped lines, nothing cut off.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from ai_jobs.documents import whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")

# Wider than any row.
_PIPE_WIDTH = 10_000

_STYLES = {
    "completed": "green",
    "ok": "green",
    "enabled": "green",
    "failed": "red",
    "paused": "yellow",
    "warning": "yellow",
}


def console() -> Console:
    """Standard output, as it is now."""
    terminal = sys.stdout.isatty()
    return Console(file=sys.stdout, width=None if terminal else _PIPE_WIDTH, highlight=False, soft_wrap=not terminal)


def say(text: str) -> None:
    """A line for the person at the terminal, on standard error."""
    click.echo(whole(text), err=True)


def print_json(document: Any) -> None:
    """The document on standard output, indented."""
    # On a terminal everything beyond ASCII is escaped: among it are characters that terminals take for instructions.
    text = whole(json.dumps(document, indent=2, ensure_ascii=False, default=str))
    click.echo(json.dumps(json.loads(text), indent=2) if sys.stdout.isatty() else text)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table; status words have their colour on a terminal."""
    click.echo(rendered(columns, rows), nl=False)


def rendered(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """The table as text for standard output, each line without trailing blanks."""
    table = Table(box=box.SIMPLE_HEAD if sys.stdout.isatty() else None, pad_edge=False, show_edge=False)
    for column in columns:
        table.add_column(column, no_wrap=not sys.stdout.isatty(), overflow="fold")
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    out = console()
    with out.capture() as capture:
        out.print(table)
    return "".join(f"{line.rstrip()}\n" for line in capture.get().splitlines())


def print_fields(fields: Mapping[str, object], text: str | None = None) -> None:
    """Names and values, one pair a line, and a longer text below them."""
    width = max(map(len, fields))
    for name, value in fields.items():
        click.echo(f"{name:{width}}  {_printable(str(value))}")
    if text:
        click.echo("\n" + "\n".join(_printable(line.expandtabs(4)) for line in text.splitlines()))


def _printable(text: str) -> str:
    """Without control characters: what a job or a model says must not be taken for instructions to the terminal."""
    kept = (character if character.isprintable() else " " * character.isspace() for character in whole(text))
    return "".join(kept)


def _cell(value: object) -> Text:
    text = "-" if value is None else str(value)
    return Text(_printable(text), style=_STYLES.get(text, ""))  # Text, never markup


def progress() -> Progress:
    """A progress bar on standard error, shown only where that is a terminal."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )
