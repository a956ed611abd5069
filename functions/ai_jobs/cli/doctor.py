"""`ai-jobs doctor`: checks an environment from the outside, and says what to do."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import click
from rich.console import Console

from ai_jobs.cli.exits import FAILED
from ai_jobs.cli.output import json_option, print_json, print_table

if TYPE_CHECKING:
    from ai_jobs.cli.environment import Source
    from ai_jobs.operate.doctor.findings import Finding


@click.command
@json_option
@click.pass_context
def doctor(ctx: click.Context, as_json: bool) -> None:
    """Check queues, redrive, functions, triggers, table, bucket, job types, models, and alarms; change nothing.

    Each finding is ok, a warning, or failed. A check that can't be made is a warning that names the missing permission
    or output. The command exits with 1 if something failed. It does not call a model.
    """
    # Imported here: the help does not need boto3.
    from ai_jobs.operate.doctor.checks import examine
    from ai_jobs.operate.doctor.findings import State, Subject

    source: Source = ctx.obj
    environment = source.load()
    # Without it, nothing at all is known.
    environment.need("request_queue_url")
    subject = Subject(environment.values, _command(source), named=bool(source.env or source.outputs))
    # Shown only on a terminal: the checks take some seconds, and longer if a service does not respond.
    with Console(stderr=True).status("checking ..."):
        findings = list(examine(subject))
    counts = {state.value: sum(finding.state is state for finding in findings) for state in State}
    if as_json:
        print_json({"counts": counts, "findings": [vars(finding) for finding in findings]})
    else:
        _print(findings, counts)
    if counts[State.FAILED.value]:
        ctx.exit(FAILED)


def _command(source: Source) -> str:
    if source.env:
        return f"ai-jobs --env {shlex.quote(source.env)}"
    return f"ai-jobs --outputs {shlex.quote(str(source.outputs))}" if source.outputs else "ai-jobs"


def _print(findings: list[Finding], counts: dict[str, int]) -> None:
    print_table(
        ("CHECK", "STATE", "FOUND"), [(finding.check, finding.state.value, finding.found) for finding in findings]
    )
    advice: dict[str, list[str]] = {}
    for finding in findings:
        if finding.advice:
            advice.setdefault(finding.advice, []).append(finding.check)
    if advice:
        click.echo("\nWhat to do:")
    for what, checks in advice.items():
        # Not in the table, which would break a command into lines.
        click.echo(f"- {', '.join(dict.fromkeys(checks))}: {what}")
    warnings = "1 warning" if counts["warning"] == 1 else f"{counts['warning']} warnings"
    click.echo(f"\n{counts['ok']} ok, {warnings}, {counts['failed']} failed")
