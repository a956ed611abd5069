"""Entry point of `ai-jobs`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ai_jobs.cli.environment import Source
from ai_jobs.cli.lazy_group import LazyGroup

EXIT_CODES = (
    "Exit codes: 0 success, 1 something failed or a check found a problem, 2 wrong usage, 3 timed out, 130 interrupted."
)

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
    "types": (
        "ai_jobs.cli.types.group:types",
        "Show job types, try their prompts, and check them.",
    ),
    "doctor": ("ai_jobs.cli.doctor:doctor", "Check an environment from the outside, and say what to do."),
    "local": (
        "ai_jobs.cli.local.group:local",
        "Run your Terraform root on this machine, without an AWS account.",
    ),
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
    help="The environment of the folder environments/NAME, here or in a parent folder; local is the stack of "
    "`ai-jobs local up`.",
)
@click.option(
    "--outputs",
    metavar="FILE",
    envvar="AI_JOBS_OUTPUTS",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The environment whose `terraform output -json` printed this.",
)
@click.option(
    "--module",
    metavar="NAME",
    envvar="AI_JOBS_MODULE",
    help="The output that has the module's outputs, if several outputs do.",
)
@click.version_option(package_name="ai-jobs", prog_name="ai-jobs")
@click.pass_context
def main(ctx: click.Context, env: str | None, outputs: Path | None, module: str | None) -> None:
    """Submit AI jobs, read their results, and operate an environment.

    Specify the environment with --env NAME or --outputs FILE, or set AI_JOB_REQUEST_QUEUE_URL, AI_JOB_TABLE_NAME, and
    so on. The AWS credentials are those of the AWS CLI.
    """
    _take_any_text()
    if env and outputs:
        raise click.UsageError("--env and --outputs both specify an environment: pass only one of them")
    ctx.obj = Source(env, outputs, module)


def _take_any_text() -> None:
    """From now on, escape what standard output's encoding can't represent, instead of failing."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")
