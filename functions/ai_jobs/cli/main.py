"""Entry point of `ai-jobs`. It imports a command's module only when the command is called, so that help is fast."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ai_jobs.cli.environment import Source
from ai_jobs.cli.exits import explained

if TYPE_CHECKING:
    from collections.abc import Mapping

EXIT_CODES = (
    "Exit codes: 0 success, 1 something failed or a check found a problem, 2 wrong usage, 3 timed out, 130 interrupted."
)


class LazyGroup(click.Group):
    """A group whose commands are in modules of their own.

    Args:
        lazy: by command name, `module:attribute` of the command and its line in the help.
    """

    def __init__(self, *args: Any, lazy: Mapping[str, tuple[str, str]] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lazy = dict(lazy or {})

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's own signature
        """All names, in the order of the table."""
        return list(self.lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command, imported now."""
        if cmd_name not in self.lazy:
            return None
        module, _, attribute = self.lazy[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """The list in the help text, without importing anything."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self.lazy.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; what AWS or the environment refuses becomes a message and an exit code."""
        with explained():
            return super().invoke(ctx)


COMMANDS = {
    "submit": ("ai_jobs.cli.submit:submit", "Submit jobs from files or standard input."),
    "status": ("ai_jobs.cli.jobs:status", "Show jobs by id."),
    "wait": ("ai_jobs.cli.jobs:wait", "Wait until jobs have ended."),
    "cancel": ("ai_jobs.cli.jobs:cancel", "Cancel jobs that have not ended."),
    "list": ("ai_jobs.cli.jobs:list_jobs", "List a user's jobs, newest first."),
    "verify": ("ai_jobs.cli.verify:verify", "Check that both queues can be reached; --test-send tries the whole path."),
    "dlq": ("ai_jobs.cli.dlq:dlq", "List, show, retry, or purge dead-lettered messages."),
    "top": ("ai_jobs.cli.top:top", "Show queues, workers, and throughput live."),
    "pause": ("ai_jobs.cli.workers:pause", "Stop a queue's worker; messages wait."),
    "resume": ("ai_jobs.cli.workers:resume", "Start a queue's worker again."),
    "types": ("ai_jobs.cli.types:types", "Check job types before they take effect."),
    "doctor": ("ai_jobs.cli.doctor:doctor", "Check an environment from the outside, and say what to do."),
    "simulate": ("ai_jobs.cli.simulate:simulate", "Predict waits, concurrency, and costs; it needs no environment."),
}


@click.group(
    cls=LazyGroup,
    lazy=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
    epilog=EXIT_CODES,
)
@click.option(
    "--env",
    "env",
    metavar="NAME",
    envvar="AI_JOBS_ENV",
    help="The environment of the folder environments/NAME, here or in a parent folder.",
)
@click.option(
    "--outputs",
    metavar="FILE",
    envvar="AI_JOBS_OUTPUTS",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The environment whose `terraform output -json` printed this.",
)
@click.version_option(package_name="ai-jobs", prog_name="ai-jobs")
@click.pass_context
def main(ctx: click.Context, env: str | None, outputs: Path | None) -> None:
    """Submit AI jobs, read their results, and operate an environment.

    Specify the environment with --env NAME or --outputs FILE, or set AI_JOB_REQUEST_QUEUE_URL, AI_JOB_TABLE_NAME, and
    so on. The AWS credentials are those of the AWS CLI.
    """
    _take_any_text()
    if env and outputs:
        raise click.UsageError("--env and --outputs both specify an environment: pass only one of them")
    ctx.obj = Source(env, outputs)


def _take_any_text() -> None:
    """From now on, escape what standard output's encoding can't represent, instead of failing."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")
