"""The subcommands of `ai-jobs local`."""

from __future__ import annotations

import click

from ai_jobs.cli.lazy_group import LazyGroup

LOCAL_COMMANDS = {
    "up": ("ai_jobs.cli.local.commands:up", "Start a local AWS and apply a root to it, or bring it up to date."),
    "start": ("ai_jobs.cli.local.commands:start", "Start the local AWS alone, for what a root expects to exist."),
    "plan": ("ai_jobs.cli.local.commands:plan", "Show what a change of the root would do to the running stack."),
    "status": ("ai_jobs.cli.local.commands:status", "Show where the stack is, and its outputs."),
    "down": ("ai_jobs.cli.local.commands:down", "Stop the local AWS and discard what was applied to it."),
}


@click.group(cls=LazyGroup, lazy=LOCAL_COMMANDS)
def local() -> None:
    """Run your Terraform root on this machine, without an AWS account: the root stays as it is for AWS.

    Afterward, ai-jobs --env local works on it, from the root's folder or below.
    """
