"""The reference of the command `ai-jobs`: what `--help` prints, for every command."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ai_jobs.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Iterator

WIDTH = 96


def page() -> str:
    """The page, with a heading for each command."""
    intro = "What `--help` prints. [The command `ai-jobs`](../cli.md) shows the commands at work."
    return "\n\n".join(["# All commands and options", intro, *_sections(main, "ai-jobs")])


def _sections(command: click.Command, name: str, parent: click.Context | None = None) -> Iterator[str]:
    context = command.make_context(name, [], parent, resilient_parsing=True)
    context.max_content_width = context.terminal_width = WIDTH
    yield f"## `{context.command_path}`\n\n```text\n{command.get_help(context)}\n```\n"
    if isinstance(command, click.Group):
        for inner_name in command.list_commands(context):
            if (inner := command.get_command(context, inner_name)) and not inner.hidden:
                yield from _sections(inner, inner_name, context)
