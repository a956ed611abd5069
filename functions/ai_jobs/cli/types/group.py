"""The subcommands of `ai-jobs types`."""

from __future__ import annotations

import click

from ai_jobs.cli.lazy_group import LazyGroup

TYPES_COMMANDS = {
    "list": ("ai_jobs.cli.types.show:list_types", "List job types: their models, what they return, what they take."),
    "show": ("ai_jobs.cli.types.show:show", "Show job types in full, or write them to a file."),
    "render": ("ai_jobs.cli.types.render:render", "Render the prompts for an input, without a model call."),
    "try": ("ai_jobs.cli.types.trying:try_type", "Run an input as a worker would, and print the answer and its cost."),
    "compare": ("ai_jobs.cli.types.compare:compare", "Run inputs with two versions of a job type, and compare them."),
    "check": ("ai_jobs.cli.types.check:check", "Compile job types exactly as the workers do."),
}


@click.group(cls=LazyGroup, lazy=TYPES_COMMANDS)
def types() -> None:
    """Show job types, try their prompts, and check them."""
