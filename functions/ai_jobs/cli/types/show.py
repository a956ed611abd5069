"""`ai-jobs types list` and `types show`: what the job types are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ai_jobs.cli.output import json_option, print_json, print_lines, print_table, say
from ai_jobs.cli.types.options import from_option
from ai_jobs.cli.types.sources import TypesDocument, read_types

if TYPE_CHECKING:
    from ai_jobs.cli.environment import Source
    from ai_jobs.service.job_type import JobType


@click.command("list", short_help="List job types: their models, what they return, what they take.")
@from_option
@json_option
@click.pass_obj
def list_types(environment: Source, source: Path | None, as_json: bool) -> None:
    """List the deployed job types, or those of a file: their models, what they return, and which files they take.

    A broken type is listed too; standard error says what is wrong with it.
    """
    types = read_types(source, environment.load)
    rows = [_row(types, name) for name in types.compiled.names]
    if as_json:
        print_json({"version": types.compiled.version, "jobTypes": rows})
        return
    columns = ("TYPE", "MODELS", "OUTPUT", "ATTACHMENTS", "MAX TOKENS")
    print_table(columns, [(row["name"], _models(row), row["output"], _files(row), row["maxTokens"]) for row in rows])
    for broken in types.compiled.broken.values():
        say(broken.message)


@click.command(short_help="Show job types in full, or write them to a file.")
@click.argument("names", nargs=-1, metavar="[TYPE]...")
@from_option
@json_option
@click.pass_obj
def show(environment: Source, names: tuple[str, ...], source: Path | None, as_json: bool) -> None:
    """Show job types in full: settings, prompts, and schemas; without a TYPE, all of them.

    With --json, it prints a job type document, which --from and --with accept: edit it to try a change.
    """
    types = read_types(source, environment.load)
    found = {name: types.document_of(name) for name in names or types.compiled.names}
    if as_json:
        print_json({"version": types.compiled.version, "jobTypes": found})
        return
    from ai_jobs.operate.type_version import described

    for number, (name, document) in enumerate(found.items()):
        print_lines([*([""] if number else []), f"job type {name}", *described(document)])


def _row(types: TypesDocument, name: str) -> dict[str, Any]:
    broken = types.compiled.broken.get(name)
    if broken:
        return dict.fromkeys(("modelIds", "attachments", "maxTokens")) | {
            "name": name,
            "output": "broken",
            "problem": broken.message,
        }
    job_type = types.get(name)
    rules = job_type.attachments
    return {
        "name": name,
        "modelIds": list(job_type.model_ids),
        "output": _output(job_type),
        "attachments": {"maxCount": rules.max_count, "mediaTypes": list(rules.media_types)} if rules else None,
        "maxTokens": job_type.settings.max_tokens,
    }


def _output(job_type: JobType) -> str:
    if job_type.handler:
        return f"handler {job_type.handler}"
    return "JSON" if job_type.output else "text"


def _models(row: dict[str, Any]) -> str | None:
    return ", ".join(row["modelIds"]) if row["modelIds"] else None


def _files(row: dict[str, Any]) -> str | None:
    rules = row["attachments"]
    return f"up to {rules['maxCount']}: {', '.join(rules['mediaTypes'])}" if rules else None
