"""The environment that a command works on: the Terraform outputs of a root, or variables."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ai_jobs.cli.exits import Problem
from ai_jobs.contract import variables

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ai_jobs.local.root import Root

LOCAL = "local"
"""The environment of `ai-jobs local up`."""

# One of these is in every object that has the module's outputs, and in hardly any other.
_MARKS = {"request_queue_url", "response_queue_url", "processor_function_name"}

ADVICE = 'Give the root an output of the module, and apply it: output "ai_jobs" { value = module.ai_jobs }'

VARIABLES = {
    "request_queue_url": variables.REQUEST_QUEUE_URL,
    "response_queue_url": variables.RESPONSE_QUEUE_URL,
    "request_dlq_url": variables.REQUEST_DLQ_URL,
    "response_dlq_url": variables.RESPONSE_DLQ_URL,
    "table_name": variables.TABLE_NAME,
    "bucket_name": variables.BUCKET,
    "processor_function_name": "AI_JOB_PROCESSOR_FUNCTION_NAME",
    "result_handler_function_name": "AI_JOB_RESULT_HANDLER_FUNCTION_NAME",
    "reconciler_function_name": "AI_JOB_RECONCILER_FUNCTION_NAME",
    "metrics_namespace": "AI_JOB_METRICS_NAMESPACE",
    "model_prices": "AI_JOB_MODEL_PRICES",
}
"""The variable for each output that is used if neither --env nor --outputs specifies an environment."""


@dataclass(frozen=True)
class Environment:
    """An environment's outputs by name.

    Attributes:
        name: what the caller calls it, for messages.
        of_root: whether the outputs are those of a root, as opposed to variables.
    """

    name: str
    values: Mapping[str, Any]
    of_root: bool = True

    def get(self, output: str) -> Any:
        """The output, or None if it is not known."""
        return self.values.get(output) or None

    def need(self, output: str) -> str:
        """The output. Raises a Problem that says where it would come from if it is not known."""
        value = self.get(output)
        if value is None:
            raise Problem(self.missing(output))
        return str(value)

    def missing(self, output: str) -> str:
        """What to say about an output that is not known: where it would come from."""
        if self.of_root and not _MARKS & self.values.keys():
            return f"{output} is not known: {self.name} has no outputs of the module. {ADVICE}"
        variable = VARIABLES.get(output)
        other = f", or set {variable}" if variable else ""
        return (
            f"{output} is not known: it is missing from {self.name}. "
            f"Specify an environment with --env or --outputs{other}.{'' if self.of_root else _local_hint()}"
        )


@dataclass(frozen=True)
class Source:
    """Where the environment comes from: the options of `ai-jobs`.

    Attributes:
        module: which output has the module's outputs, if several of them do.
    """

    env: str | None
    outputs: Path | None
    module: str | None = None

    def load(self) -> Environment:
        """Read the outputs, and point this process at their region (or at the local AWS).

        With --env or --outputs, no AI_JOB_ variable counts: it must not be possible to mix two environments.

        Raises:
            Problem: if the environment does not exist, or its outputs can't be read.
        """
        if self.env:
            values = self._of_environment(self.env)
        elif self.outputs:
            text = self.outputs.read_text(encoding="utf-8")
            values = ours(outputs_in(text, str(self.outputs)), self.module, str(self.outputs))
        else:
            if region := os.environ.get("AWS_REGION"):
                os.environ["AWS_DEFAULT_REGION"] = region  # boto3 does not read the other one
            values = {output: os.environ.get(variable, "").strip() for output, variable in VARIABLES.items()}
            return Environment("the AI_JOB_ variables", values, of_root=False)
        _forget_variables()
        _point_at(values)
        return Environment(self.env or str(self.outputs), values)

    def _of_environment(self, env: str) -> dict[str, Any]:
        from ai_jobs.local import stack  # imported here, and below: the help needs nothing of it

        root = _local_root() if env == LOCAL else None
        if root is None:
            folder = _folder_of(env)
            return ours(outputs_in(_terraform_output(folder), f"the outputs of {folder}"), self.module, str(folder))
        values = ours(stack.outputs(root), self.module, str(root.path))
        return values | _reached(root, values)


def _local_root() -> Root | None:
    """The nearest root that was applied to a local AWS: here, in a parent folder, or in its environments/local."""
    from ai_jobs.local.root import FOLDER, Root

    here = Path.cwd()
    candidates = (path for place in (here, *here.parents) for path in (place, place / "environments" / LOCAL))
    found = next((path for path in candidates if (path / FOLDER).is_dir()), None)
    return Root(found, f"ai-jobs local up --root {found}", f"ai-jobs local down --root {found}") if found else None


def _local_hint() -> str:
    from ai_jobs.local import stack

    root = _local_root()
    return f" {root.path} is on a local AWS: --env {LOCAL} is that environment." if root and stack.is_up(root) else ""


def _folder_of(env: str) -> Path:
    here = Path.cwd()
    for place in (here, *here.parents):
        folder = place / "environments" / env
        if folder.is_dir():
            return folder
    found = next((place / "environments" for place in (here, *here.parents) if (place / "environments").is_dir()), None)
    known = ", ".join(sorted(path.name for path in found.iterdir() if path.is_dir())) if found else ""
    hint = (
        f"the folder environments/ has {known}"
        if known
        else "there is no folder environments/ here or in a parent folder; --outputs FILE works without it"
    )
    if env == LOCAL:
        hint = "no root here or in a parent folder is on a local AWS. Run, in your root's folder: ai-jobs local up"
    raise Problem(f"there is no environment {env!r}: {hint}")


def _terraform_output(folder: Path) -> str:
    from ai_jobs.local import terraform

    called = [terraform.command(), f"-chdir={folder}", "output", "-json"]
    done = subprocess.run(called, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Problem(
            f"terraform output failed in {folder}; has terraform init been run there? To do without Terraform here, "
            f"save what `terraform output -json` prints elsewhere, and pass it with --outputs.{_local_hint()}\n"
            f"{done.stderr.strip()}"
        )
    return done.stdout


def outputs_in(text: str, origin: str) -> dict[str, Any]:
    """The values by name in what `terraform output -json` printed.

    Raises:
        Problem: if it is not that, or empty.
    """
    try:
        document = json.loads(text)
    except ValueError as error:
        raise Problem(f"{origin} is not JSON ({error}): it must be what `terraform output -json` prints") from None
    if not isinstance(document, dict):
        raise Problem(f"{origin} is not a JSON object: it must be what `terraform output -json` prints")
    if not document:
        raise Problem(f"{origin} has no outputs: {ADVICE}")
    # `terraform output -json` wraps each value; a file may also contain the bare values.
    return {
        name: output["value"] if isinstance(output, dict) and "value" in output else output
        for name, output in document.items()
    }


def ours(values: dict[str, Any], module: str | None, origin: str) -> dict[str, Any]:
    """The module's outputs among a root's: the root's own, or an output that is an object of them.

    Args:
        values: the outputs of the root.
        module: the output to take, such as ai_jobs or tenants["a"]; None takes the only one.

    Raises:
        Problem: if there are several, or none of that name; it lists those that there are.
    """
    found = dict(modules_in(values))
    if module is None and len(found) <= 1:
        return next(iter(found.values()), values)
    if module in found:
        return found[module]
    listed = ", ".join(name or "the root itself (without --module)" for name in sorted(found)) or "nowhere"
    if module is None:
        raise Problem(f"{origin} has the module's outputs more than once: {listed}. Choose one: --module NAME")
    raise Problem(f"--module is {module}, but {origin} has the module's outputs in: {listed}. {ADVICE}")


def modules_in(value: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object in a value that has the module's outputs, by where it is; the path of the whole value is empty."""
    if isinstance(value, dict) and _MARKS & value.keys():
        yield path, value
        return
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        yield from modules_in(part, f"{path}[{json.dumps(key)}]" if path else str(key))


def _forget_variables() -> None:
    # The library falls back on them, for example for the bucket of large inputs.
    for name in (*VARIABLES.values(), "USE_LOCAL_AWS"):
        os.environ.pop(name, None)


def _reached(root: Root, values: Mapping[str, Any]) -> dict[str, Any]:
    """What the root's outputs can't say of its local AWS; from here on, this process has only its keys."""
    from ai_jobs.local import stack

    variables, known = stack.reached(root, values)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(variables)
    return known


def _point_at(values: Mapping[str, Any]) -> None:
    if values.get("endpoint_url"):
        os.environ["AWS_ENDPOINT_URL"] = str(values["endpoint_url"])
    if values.get("model_endpoint_url"):
        os.environ["AWS_ENDPOINT_URL_BEDROCK_RUNTIME"] = str(values["model_endpoint_url"])
    parts = str(values.get("request_queue_arn", "")).split(":")
    if len(parts) == 6:  # arn:aws:sqs:REGION:ACCOUNT:NAME
        os.environ["AWS_REGION"] = os.environ["AWS_DEFAULT_REGION"] = parts[3]
