"""`ai-jobs types`: checks job types before they take effect."""

from __future__ import annotations

import json
import sys
from difflib import get_close_matches
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ai_jobs.cli.exits import FAILED, Problem
from ai_jobs.cli.output import json_option, print_json, print_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ai_jobs.cli.environment import Environment

_VERSION = "aws_appconfig_hosted_configuration_version"


@click.group
def types() -> None:
    """Check job types before they take effect."""


@types.command(short_help="Compile job types exactly as the workers do.")
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
    rows = [row for file in files for row in _of_file(file)] if files else list(_of_environment(ctx.obj.load()))
    if as_json:
        print_json({"findings": [dict(zip(("check", "state", "found"), row, strict=True)) for row in rows]})
    else:
        print_table(("CHECK", "STATE", "FOUND"), rows)
    if any(state == "failed" for _, state, _ in rows):
        ctx.exit(FAILED)


_Row = tuple[str, str, str]


def _of_file(file: Path) -> Iterator[_Row]:
    text = sys.stdin.read() if str(file) == "-" else _text_of(file)
    if file.name.endswith(".tfvars"):
        yield from _attributes(_parsed_hcl(text, file), str(file))
        return
    try:
        document = json.loads(text)
    except ValueError as error:
        raise Problem(f"{file} is not JSON ({error}). Pass the output of `terraform show -json PLANFILE`.") from None
    if not isinstance(document, dict):
        raise Problem(f"{file} is neither a plan nor a job type document: it is not a JSON object.")
    if file.name.endswith(".tfvars.json"):
        yield from _attributes(document, str(file))
    elif "jobTypes" in document:
        yield from _compiled(text)
    elif "planned_values" in document or "values" in document:
        yield from _of_plan(document)
    else:
        raise Problem(
            f"{file} has no jobTypes. Pass the output of `terraform show -json PLANFILE`, or a job type document."
        )


def _text_of(file: Path) -> str:
    content = file.read_bytes()
    if content.startswith(b"PK"):
        raise Problem(f"{file} is a saved plan. Run: terraform show -json {file} | ai-jobs types check -")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise Problem(f"{file} is not UTF-8 ({error}).") from None


def _of_environment(environment: Environment) -> Iterator[_Row]:
    """The document that the workers read, from where they read it."""
    from ai_jobs.aws.clients import get_appconfigdata_client

    client = get_appconfigdata_client()
    token = client.start_configuration_session(
        ApplicationIdentifier=environment.need("config_application_id"),
        EnvironmentIdentifier=environment.need("config_environment_id"),
        ConfigurationProfileIdentifier=environment.need("config_profile_id"),
    )["InitialConfigurationToken"]
    content = client.get_latest_configuration(ConfigurationToken=token)["Configuration"].read()
    if not content:
        raise Problem(f"{environment.name} has no job types: nothing is deployed yet. Run terraform apply.")
    yield from _compiled(content)


def _compiled(content: str | bytes) -> Iterator[_Row]:
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


def _of_plan(plan: Mapping[str, Any]) -> Iterator[_Row]:
    """What is wrong in a plan (or a state) as `terraform show -json` prints it, sensitive values included."""
    root = plan.get("planned_values", plan.get("values", {})).get("root_module", {})
    found = False
    for resource in _versions(root):
        content = resource["values"].get("content")
        if content is None:
            found = True
            yield (resource["address"], "warning", "its job types are not known before the apply: check them afterward")
        elif '"jobTypes"' in content:
            found = True
            yield from _compiled(content)
    if not found:
        yield ("job types", "ok", "this plan has none")
    calls = {address.split(".")[1] for address in _addresses(root) if address.startswith("module.")}
    for name, call in plan.get("configuration", {}).get("root_module", {}).get("module_calls", {}).items():
        if name in calls:
            yield from _attributes(_given_to(call, plan.get("variables", {})), f"module.{name}", ok=False)


def _versions(module: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from (resource for resource in module.get("resources", ()) if resource["type"] == _VERSION)
    for child in module.get("child_modules", ()):
        yield from _versions(child)


def _addresses(root: Mapping[str, Any]) -> set[str]:
    return {resource["address"].replace("[", ".") for resource in _versions(root)}


def _given_to(call: Mapping[str, Any], variables: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a module call as far as a plan shows them: constants, and variables passed on unchanged.

    A plan only names what an expression refers to, so `{ cors = var.cors }` looks like `var.cors`. A variable whose
    name differs from the argument's counts if it has at least one of the argument's attributes; otherwise, nothing can
    be said about it.
    """
    given: dict[str, Any] = {}
    known = _known_attributes()
    for argument, expression in call.get("expressions", {}).items():
        references = expression.get("references", []) if isinstance(expression, dict) else []
        if isinstance(expression, dict) and "constant_value" in expression:
            given[argument] = expression["constant_value"]
        elif len(references) == 1 and references[0].startswith("var."):
            variable = references[0].removeprefix("var.")
            value = variables.get(variable, {}).get("value")
            if variable == argument or _shares_attribute(value, known.get(argument)):
                given[argument] = value
    return given


def _known_attributes() -> dict[str, Any]:
    text = resources.files("ai_jobs.cli").joinpath("module_attributes.json").read_text(encoding="utf-8")
    known: dict[str, Any] = json.loads(text)
    return known


def _shares_attribute(value: Any, known: Mapping[str, Any] | None) -> bool:
    return isinstance(value, dict) and known is not None and ("*" in known or not known.keys().isdisjoint(value))


def _attributes(given: Mapping[str, Any], origin: str, *, ok: bool = True) -> Iterator[_Row]:
    """The attributes of objects that Terraform drops, because the module's variables don't have them."""
    known = _known_attributes()
    wrong = [row for name in given if name in known for row in _unknown(given[name], known[name], name)]
    for path, advice in wrong:
        yield (origin, "failed", f"{path} is not an attribute of the module, and Terraform drops it: {advice}")
    if ok and not wrong:
        yield (origin, "ok", "every attribute is one of the module's")


def _unknown(value: Any, known: Mapping[str, Any] | None, path: str) -> Iterator[tuple[str, str]]:
    if known is None or not isinstance(value, dict | list):
        return
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items:
        name = str(key)
        if "*" in known or name in known:
            yield from _unknown(inner, known.get("*", known.get(name)), f"{path}.{name}")
        elif isinstance(value, dict):
            close = get_close_matches(name, known, n=1)
            names = ", ".join(sorted(known))
            yield (f"{path}.{name}", f"did you mean {close[0]}?" if close else f"it has {names}.")


def _parsed_hcl(text: str, file: Path) -> dict[str, Any]:
    # This import takes a second, and only these files need it.
    import hcl2

    try:
        # Without comments and escapes: only the names of the attributes matter.
        document: dict[str, Any] = _unquoted(hcl2.loads(text))
    except Exception as error:
        # Its errors come from its parser generator; all that they say is where.
        raise Problem(
            f"{file} can't be parsed ({type(error).__name__}). Run terraform fmt, which says what is wrong with it."
        ) from error
    return document


def _unquoted(value: Any) -> Any:
    """The same without the quotes that the parser leaves around quoted names."""
    if isinstance(value, dict):
        return {str(name).strip('"'): _unquoted(inner) for name, inner in value.items()}
    return [_unquoted(inner) for inner in value] if isinstance(value, list) else value
