"""A root on a local AWS: bringing it up, planning it, and stopping it.

`up` does only what is needed: it reuses what is running, and applies nothing if nothing changed. The root stays as it
is, so that the same root goes to AWS; what a local AWS needs is set from outside (`terraform`, `emulator`).
"""

from __future__ import annotations

import contextlib
import json
import re
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ai_jobs.local import instances, lock, providers, terraform
from ai_jobs.local.environment import CREDENTIALS, local_environment
from ai_jobs.local.failure import Failure
from ai_jobs.local.terraform import Terraform

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from ai_jobs.local.instances import Instance
    from ai_jobs.local.plan import Plan
    from ai_jobs.local.root import Root

    Check = Callable[[Plan], None]

# What any root may use beside the AWS provider: none of these reaches a service.
_HARMLESS = {"archive", "cloudinit", "external", "local", "null", "random", "terraform", "time", "tls"}


# Of the module's queues.
_REGION = re.compile(r'"arn:aws[a-z-]*:sqs:([a-z0-9-]+):')


@dataclass(frozen=True)
class Options:
    """How to apply a root.

    Attributes:
        variables: the caller's `-var` and `-var-file` options for Terraform.
        allowed_providers: names of providers that may be called although they reach services that are not local.
        inputs: a digest of everything that shapes the stack, from a caller who knows all of it: with the same inputs as
            at the last apply, nothing is planned. None means that nobody knows: what to apply, the plan says.
    """

    variables: Sequence[str] = ()
    allowed_providers: Sequence[str] = ()
    inputs: str | None = None


def up(root: Root, options: Options, check: Check) -> Instance:
    """Start the stack, or bring it up to date, and return the local AWS that it is on.

    Args:
        check: raises a Failure for a plan that must not be applied.

    Raises:
        Failure: if the stack could not be brought up; the message says what is left.
    """
    terraform.require_version()
    root.prepare()
    with lock.exclusive(root):
        instance = _started(root)
        applied = _applied(root)
        if options.inputs and applied == {"instance": instance.identity, "inputs": options.inputs}:
            return instance
        with _planned(root, instance, options, check) as (runner, plan):
            if not plan.is_empty or not applied:
                _apply(root, instance, runner)
            _remember(root, instance, options.inputs or "")
        if plan.job_types_age_seconds:
            _wait_for_job_types(plan.job_types_age_seconds)
        return instance


def start(root: Root) -> Instance:
    """Start the local AWS without the stack, for what the root expects to exist: buckets, keys, networks.

    What runs is kept, unless its last apply did not finish: the next `up` would start over, and discard what was
    created in the meantime.

    Raises:
        Failure: if it can't be started.
    """
    root.prepare()
    with lock.exclusive(root):
        return _started(root)


def plan(root: Root, options: Options) -> Plan:
    """What `up` would change on the running stack.

    Raises:
        Failure: if the stack is not up, or the plan fails.
    """
    terraform.require_version()
    with lock.exclusive(root):
        instance = instances.status(root.folder)
        if instance is None or not _is_whole(_applied(root), instance):
            raise _not_up(root)
        with _planned(root, instance, options, lambda _: None) as (_, planned):
            return planned


def down(root: Root) -> bool:
    """Stop the local AWS and discard what was applied to it; False if it was not running.

    Raises:
        Failure: if another command is changing the stack.
    """
    with lock.exclusive(root):
        stopped = instances.stop(root.folder)
        root.forget()
    return stopped


def is_up(root: Root) -> bool:
    """Is the whole stack there, as last applied?"""
    instance = instances.status(root.folder)
    return instance is not None and _is_whole(_applied(root), instance)


def outputs(root: Root) -> dict[str, Any]:
    """The root's outputs as {name: value}, after the last apply that finished.

    Raises:
        Failure: if the stack is not up.
    """
    _usable(root)
    return {name: output["value"] for name, output in json.loads(root.outputs.read_text(encoding="utf-8")).items()}


def reached(root: Root, values: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, Any]]:
    """How a process reaches the running stack: its environment variables, and what the outputs of a root can't say.

    Args:
        values: the module's outputs.

    Returns:
        The variables, and, by name, where the local AWS, the local model, and the API are.

    Raises:
        Failure: if the stack is not up.
    """
    instance = _usable(root)
    known: dict[str, Any] = {"endpoint_url": instance.endpoint_url}
    if instance.model:
        known["model_endpoint_url"] = instance.model.endpoint_url
    if values.get("api_id"):
        known["api_url"] = local_api_url(instance, values)
    return local_environment(base={}), known


def local_api_url(instance: Instance, values: Mapping[str, Any]) -> str:
    """The URL of the jobs API on a local AWS. The module's output api_url is where it would be on AWS.

    Args:
        values: the module's outputs.
    """
    return f"{instance.endpoint_url}/restapis/{values['api_id']}/{values['api_stage_name']}/_user_request_"


def what_is_left(root: Root) -> str:
    """The state that an interrupted command leaves, and how to continue."""
    instance = instances.status(root.folder)
    if instance and _is_whole(_applied(root), instance):
        return f"The stack is up at {instance.endpoint_url}, as last applied. Stop it with: {root.down}"
    if pid := lock.holder(root):
        return f"Process {pid} is changing the stack. Wait until it ends; its log: {root.log}"
    if instance is None:
        return f"The local AWS is not running. Start it with: {root.up}"
    where = f"The local AWS is running at {instance.endpoint_url}"
    if _is_unfinished(root, instance):
        return f"{where}, with at most a part of the stack. The next {root.up} starts over. Stop it with: {root.down}"
    return f"{where}, without the stack. Apply it with: {root.up}; stop the local AWS with: {root.down}"


def _started(root: Root) -> Instance:
    """A local AWS with the stack of the state on it, or with nothing."""
    instance = instances.start(root.folder, instances.port_from_environment(), root.down)
    applied = _applied(root)
    if _is_unfinished(root, instance):
        _say("the last apply did not finish: starting over on an empty local AWS")
        instances.stop(root.folder)
        instance = instances.start(root.folder, instance.port, root.down)
    if applied.get("instance") != instance.identity:
        root.forget()
    if not root.credentials.exists():
        root.credentials.write_text(_credentials(instance, providers.region(root.path)), encoding="utf-8")
    return instance


def _usable(root: Root) -> Instance:
    """The local AWS of a stack that jobs can be sent to: as last applied, or while an apply changes it."""
    instance, applied = instances.status(root.folder), _applied(root)
    if instance and _is_whole(applied, instance):
        return instance
    pid = lock.holder(root)
    if instance and pid and applied.get("instance") == instance.identity and root.outputs.exists():
        return instance
    if pid:
        raise Failure(f"the local stack is not up yet: process {pid} is working on it. Wait until that ends.")
    raise _not_up(root)


def _not_up(root: Root) -> Failure:
    return Failure(f"the local stack is not up, or its last apply did not finish. Run: {root.up}")


def _applied(root: Root) -> dict[str, str | None]:
    try:
        applied: dict[str, str | None] = json.loads(root.applied.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return applied


def _is_unfinished(root: Root, instance: Instance) -> bool:
    """Was an apply interrupted? It leaves behind resources that its state may not know."""
    applied = _applied(root)
    unfinished = applied.get("inputs") is None or not root.state.exists()
    return applied.get("instance") == instance.identity and unfinished


def _is_whole(applied: Mapping[str, str | None], instance: Instance) -> bool:
    return applied.get("instance") == instance.identity and applied.get("inputs") is not None


def _remember(root: Root, instance: Instance, inputs: str | None) -> None:
    root.applied.write_text(json.dumps({"instance": instance.identity, "inputs": inputs}), encoding="utf-8")


@contextlib.contextmanager
def _planned(root: Root, instance: Instance, options: Options, check: Check) -> Iterator[tuple[Terraform, Plan]]:
    """Terraform with a plan that may be applied. Until then, the running stack stays as it is, whatever fails."""
    runner = Terraform(root, instance.endpoint_url, options.variables)
    _say(f"planning {root.path} on {instance.endpoint_url} (log: {root.log})")
    with runner.overriding():
        try:
            planned = runner.plan()
            _require_our_module(planned)
            _require_harmless_providers(planned, options.allowed_providers)
            check(planned)
        except Failure as failure:
            running = _is_whole(_applied(root), instance)
            left = (
                "The running stack is unchanged." if running else f"The local AWS keeps running ({root.down} stops it)."
            )
            raise Failure(f"nothing was applied. {left} {failure}") from None
        yield runner, planned


def _require_our_module(planned: Plan) -> None:
    if not planned.has_our_module:
        raise Failure("The root does not call the module ai-jobs. Pass the folder of the root that does: --root DIR")


def _require_harmless_providers(planned: Plan, allowed: Sequence[str]) -> None:
    names = {provider.rpartition("/")[2] for provider in planned.providers}
    foreign = sorted(names - _HARMLESS - {"aws"} - set(allowed))
    if foreign:
        raise Failure(
            f"The root has resources of the provider {' and '.join(foreign)}, which would not be local. Move them to "
            f"another root, or allow that they are created: {' '.join(f'--allow-provider {name}' for name in foreign)}"
        )


def _apply(root: Root, instance: Instance, runner: Terraform) -> None:
    _say("applying it" if _is_whole(_applied(root), instance) else "applying it (a minute or two, mostly for queues)")
    started = time.monotonic()
    _remember(root, instance, inputs=None)
    try:
        runner.apply()
    except Failure as failure:
        raise Failure(
            f"a part of the stack may exist. The next {root.up} starts over on an empty local AWS. {failure}"
        ) from None
    outputs = runner.outputs()
    _replace(root.outputs, outputs)
    if region := _REGION.search(outputs):
        root.credentials.write_text(_credentials(instance, region[1]), encoding="utf-8")
    _say(f"applied in {time.monotonic() - started:.0f} s")


def _replace(path: Path, text: str) -> None:
    """Write a file that others may be reading. Sensitive outputs may be in it."""
    new = path.with_name(f"{path.name}.new")
    new.touch(mode=0o600)
    new.write_text(text, encoding="utf-8")
    new.replace(path)


def _credentials(instance: Instance, region: str | None) -> str:
    variables = CREDENTIALS | {"AWS_ENDPOINT_URL": instance.endpoint_url}
    if region:
        variables |= {"AWS_REGION": region, "AWS_DEFAULT_REGION": region}
    if instance.model:
        variables[instances.MODEL_VARIABLE] = instance.model.endpoint_url
    return "".join(f"{name}={value}\n" for name, value in variables.items())


def _wait_for_job_types(seconds: int) -> None:
    """Wait until no worker holds the replaced job types: workers read them again when they reach this age."""
    _say(f"the job types have changed: waiting {seconds} s until every worker has read them")
    time.sleep(seconds)


def _say(message: str) -> None:
    sys.stderr.write(f"{message}\n")
    sys.stderr.flush()
