"""`ai-jobs local up`, `start`, `plan`, `status`, and `down`."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ai_jobs.cli.environment import ADVICE, modules_in
from ai_jobs.cli.exits import FAILED
from ai_jobs.cli.output import json_option, print_json, say
from ai_jobs.cli.types.check import findings_in_plan
from ai_jobs.local import stack
from ai_jobs.local.failure import Failure
from ai_jobs.local.root import Root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ai_jobs.local.plan import Change, Plan

_SIGNS = {"create": "+", "update": "~", "replace": "-/+", "delete": "-"}
_SHOWN_CHARACTERS = 40
_SHOWN_IN_COMMON = 10


def _as_root(_: click.Context, __: click.Parameter, path: Path) -> Root:
    option = "" if path.resolve() == Path.cwd().resolve() else f" --root {shlex.quote(str(path))}"
    return Root(path.resolve(), f"ai-jobs local up{option}", f"ai-jobs local down{option}")


_root_option = click.option(
    "--root",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    callback=_as_root,
    metavar="DIR",
    default=".",
    show_default="this folder",
    help="The folder of your root module.",
)


def _terraform_options(command: Callable[..., None]) -> Callable[..., None]:
    options = (
        click.option(
            "--var", "variables", multiple=True, metavar="NAME=VALUE", help="As in terraform plan; repeatable."
        ),
        click.option(
            "--var-file",
            "variable_files",
            multiple=True,
            metavar="FILE",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            help="As in terraform plan; repeatable. TF_VAR_ variables, terraform.tfvars, and *.auto.tfvars count, too.",
        ),
        click.option(
            "--allow-provider",
            "allowed_providers",
            multiple=True,
            metavar="NAME",
            help="Apply resources of this provider, too, which is not local. Repeatable.",
        ),
    )
    for option in options:
        command = option(command)
    return command


def _options(variables: tuple[str, ...], files: tuple[Path, ...], allowed: tuple[str, ...]) -> stack.Options:
    # Terraform runs in the root, so that a relative path would be another one there.
    given = [*(f"-var-file={path.resolve()}" for path in files), *(f"-var={text}" for text in variables)]
    return stack.Options(given, allowed)


@click.command
@_root_option
@_terraform_options
def up(
    root: Root, variables: tuple[str, ...], variable_files: tuple[Path, ...], allowed_providers: tuple[str, ...]
) -> None:
    """Start a local AWS on loopback with a local model in place of Bedrock, and apply a root to it, or bring a stack
    that is up to date.

    The root is applied as it is: what the local AWS needs is set from outside. The state and the logs are in the
    root's folder .ai-jobs-local, and the root's own backend is not used. AI_JOBS_LOCAL_PORT sets the port (4566).
    """
    options = _options(variables, variable_files, allowed_providers)
    try:
        instance = stack.up(root, options, refuse_broken_job_types)
    except KeyboardInterrupt:
        say(f"\ninterrupted. {stack.what_is_left(root)}")
        raise click.exceptions.Exit(130) from None
    click.echo(f"The stack is up at {instance.endpoint_url}. Stop it with: {root.down}")
    _show_modules(root)


@click.command
@_root_option
def start(root: Root) -> None:
    """Start the local AWS without applying anything, if it does not run. Create in it what your root expects to exist,
    such as a bucket with zips, and then run `ai-jobs local up`.

    If the last apply was interrupted or failed, it starts over on an empty local AWS, as `up` does.
    """
    instance = stack.start(root)
    click.echo(f"The local AWS is running at {instance.endpoint_url}. Its keys: set -a; . {root.credentials}; set +a")


@click.command
@_root_option
@_terraform_options
@json_option
def plan(
    root: Root,
    variables: tuple[str, ...],
    variable_files: tuple[Path, ...],
    allowed_providers: tuple[str, ...],
    as_json: bool,
) -> None:
    """Show what `ai-jobs local up` would change on the running stack; change nothing."""
    planned = stack.plan(root, _options(variables, variable_files, allowed_providers))
    if as_json:
        changes = [_as_json(change) for change in planned.changes]
        print_json({"changes": changes, "outputs": _pairs(planned.changed_outputs)})
        return
    for change in planned.changes:
        click.echo("\n".join([f"{_SIGNS[change.action]:>3} {change.address}", *_lines(change.attributes)]))
    if planned.changed_outputs:
        click.echo("\n".join(["  ~ outputs", *_lines(planned.changed_outputs)]))
    click.echo(_summary(planned))


@click.command
@_root_option
@json_option
@click.pass_context
def status(ctx: click.Context, root: Root, as_json: bool) -> None:
    """Show where the stack is, and its outputs; exit with 1 if it is not up."""
    is_up = stack.is_up(root)
    if as_json:
        print_json({"up": is_up, "outputs": stack.outputs(root) if is_up else {}})
    else:
        click.echo(stack.what_is_left(root))
    if not is_up:
        ctx.exit(FAILED)
    if not as_json:
        _show_modules(root)


@click.command
@_root_option
def down(root: Root) -> None:
    """Stop the local AWS and discard what was applied to it."""
    stopped = stack.down(root)
    click.echo("The local stack is stopped." if stopped else "The local stack was not running.")


def _show_modules(root: Root) -> None:
    """Print where the API of each call of the module is, or how the root can make that known."""
    found = dict(modules_in(stack.outputs(root)))
    for name, values in found.items():
        url = stack.reached(root, values)[1].get("api_url", "unknown, because api_id is not among the outputs")
        click.echo(f"API{f' of {name}' if len(found) > 1 else ''}: {url}")
    if not found:
        say(f"warning: the root has no output with the module's outputs, and --env local needs them. {ADVICE}")


def refuse_broken_job_types(planned: Plan) -> None:
    """Refuse a plan whose job types the workers could not use, as `ai-jobs types check` does.

    Raises:
        Failure: with everything that is wrong.
    """
    rows = list(findings_in_plan(planned.document))
    if any(state == "failed" for _, state, _ in rows):
        found = "\n".join("  ".join(row) for row in rows)
        raise Failure(f"ai-jobs types check found errors in the plan. Fix them and run it again.\n{found}")


def _as_json(change: Change) -> dict[str, Any]:
    return {"address": change.address, "action": change.action, "attributes": _pairs(change.attributes)}


def _pairs(values: Mapping[str, tuple[Any, Any]]) -> dict[str, Any]:
    return {name: {"before": before, "after": after} for name, (before, after) in values.items()}


def _lines(values: Mapping[str, tuple[Any, Any]]) -> list[str]:
    return [f"      {name}: {' -> '.join(_shown(*pair))}" for name, pair in values.items()]


def _shown(before: Any, after: Any) -> Iterator[str]:
    """Both values, in the length of a line: of long ones, where they begin to differ."""
    texts = [value if isinstance(value, str) else json.dumps(value) for value in (before, after)]
    start = 0
    if max(map(len, texts)) > _SHOWN_CHARACTERS:
        different = (index for index, (one, other) in enumerate(zip(*texts, strict=False)) if one != other)
        start = max(0, next(different, 0) - _SHOWN_IN_COMMON)
    for text in texts:
        end = start + _SHOWN_CHARACTERS
        yield f"{'…' if start else ''}{text[start:end]}{'…' if len(text) > end else ''}"


def _summary(planned: Plan) -> str:
    changes = planned.changes
    if planned.is_empty:
        return "No changes: the stack is what the root says."
    if not changes:
        return "Only outputs change."
    counts = {action: sum(change.action == action for change in changes) for action in _SIGNS}
    return ", ".join(f"{count} to {action}" for action, count in counts.items() if count) + "."
