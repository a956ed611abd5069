"""What commands that generate files share: they write what is out of date, or with --check name it and fail."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from scripts.project import Failure

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    return "\n".join(f"| {' | '.join(line)} |" for line in (header, ["---"] * len(header), *rows))


def between(page: str, begin: str, end: str, text: str) -> str:
    """The page, with this text between the two markers."""
    before, _, rest = page.partition(begin)
    return f"{before}{begin}\n{text}\n{end}{rest.partition(end)[2]}"


def write_or_check(command: str, description: str, root: Path, files: Iterable[tuple[Path, str]]) -> None:
    """The main function of such a command.

    Args:
        command: its name among the scripts.
        description: for --help.
        root: the folder that the names in messages are relative to.
        files: each file with the text that it must have.
    """
    parser = argparse.ArgumentParser(prog=f"python -m scripts.{command}", description=description)
    parser.add_argument("--check", action="store_true", help="change nothing; fail when a file is out of date")
    check = parser.parse_args().check
    outdated = [(path, text) for path, text in files if not path.exists() or path.read_text(encoding="utf-8") != text]
    names = [path.relative_to(root).as_posix() for path, _ in outdated]
    if names and check:
        raise Failure(f"out of date: {', '.join(names)}. Run: make docs")
    for name, (path, text) in zip(names, outdated, strict=True):
        path.write_text(text, encoding="utf-8")
        print(f"wrote {name}")
