"""`ai-jobs types check`: checks job types before they take effect."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ai_jobs.cli.exits import FAILED
from ai_jobs.cli.output import json_option, print_json, print_table
from ai_jobs.cli.types.attributes import dropped_attributes, given_to, parsed_hcl, undeclared_variables
from ai_jobs.cli.types.sources import (
    deployed_content,
    is_plan,
    no_types_in,
    parsed,
    planned_contents,
    resources_of_types,
    root_module,
    text_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_Row = tuple[str, str, str]


@click.command(short_help="Compile job types exactly as the workers do.")
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
@json_option
@click.pass_context
def check(ctx: click.Context, files: tuple[Path, ...], as_json: bool) -> None:
    """Compile the schemas and prompts of job types exactly as the workers do; change nothing.

    A FILE is the output of `terraform show -json PLANFILE` (the command checks its planned job types, and the
    attributes that are passed to the module), a job type document (the module's output), or a *.tfvars file (the
    command checks its attributes: Terraform silently drops a misspelled one). - is standard input. Without a FILE, the
    command checks the deployed job types of the environment. It exits with 1 if it finds an error.
    """
    if files:
        rows = [row for file in files for row in _of_file(file)]
    else:
        rows = list(_compiled(deployed_content(ctx.obj.load())))
    if as_json:
        print_json({"findings": [dict(zip(("check", "state", "found"), row, strict=True)) for row in rows]})
    else:
        print_table(("CHECK", "STATE", "FOUND"), rows)
    if any(state == "failed" for _, state, _ in rows):
        ctx.exit(FAILED)


def _of_file(file: Path) -> Iterator[_Row]:
    text = text_of(file)
    if file.name.endswith(".tfvars"):
        yield from _values(parsed_hcl(text, file), file)
        return
    document = parsed(text, file)
    if file.name.endswith(".tfvars.json"):
        yield from _values(document, file)
    elif "jobTypes" in document:
        yield from _compiled(text)
    elif is_plan(document):
        yield from findings_in_plan(document)
    else:
        raise no_types_in(file)


def _values(given: Mapping[str, Any], file: Path) -> Iterator[_Row]:
    """What is wrong in a file of variables' values."""
    undeclared = list(undeclared_variables(given, file.absolute().parent))
    for name, advice in undeclared:
        yield (str(file), "failed", f"{name} is not a variable of the root module beside the file: {advice}")
    yield from _attributes(given, str(file), ok=not undeclared)


def _compiled(content: str) -> Iterator[_Row]:
    # Imported here: the help needs neither.
    from ai_jobs.contract.errors import JobError
    from ai_jobs.service.job_types import JobTypes

    try:
        job_types = JobTypes.from_document(content)
    except JobError as error:
        yield ("job types", "failed", error.message)
        return
    for name in job_types.names:
        broken = job_types.broken.get(name)
        yield (f"job type {name}", "failed" if broken else "ok", broken.message if broken else "compiles")


def findings_in_plan(plan: Mapping[str, Any]) -> Iterator[_Row]:
    """What there is to say about the job types in a plan (or a state): what was checked, its state, what was found."""
    contents = list(planned_contents(plan))
    for address, content in contents:
        if content is None:
            yield (address, "warning", "its job types are not known before the apply: check them afterward")
        else:
            yield from _compiled(content)
    if not contents:
        yield ("job types", "ok", "this plan has none")
    calls = {address.split(".")[1] for address in _addresses(plan) if address.startswith("module.")}
    for name, call in plan.get("configuration", {}).get("root_module", {}).get("module_calls", {}).items():
        if name in calls:
            yield from _attributes(given_to(call, plan.get("variables", {})), f"module.{name}", ok=False)


def _addresses(plan: Mapping[str, Any]) -> set[str]:
    return {resource["address"].replace("[", ".") for resource in resources_of_types(root_module(plan))}


def _attributes(given: Mapping[str, Any], origin: str, *, ok: bool = True) -> Iterator[_Row]:
    wrong = list(dropped_attributes(given))
    for path, advice in wrong:
        yield (origin, "failed", f"{path} is not an attribute of the module, and Terraform drops it: {advice}")
    if ok and not wrong:
        yield (origin, "ok", "every attribute is one of the module's")
