"""The environment that a command works on: a root's Terraform outputs, or variables."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ai_jobs.cli.exits import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLES = {
    "request_queue_url": "AI_JOB_REQUEST_QUEUE_URL",
    "response_queue_url": "AI_JOB_RESPONSE_QUEUE_URL",
    "request_dlq_url": "AI_JOB_REQUEST_DLQ_URL",
    "response_dlq_url": "AI_JOB_RESPONSE_DLQ_URL",
    "table_name": "AI_JOB_TABLE_NAME",
    "bucket_name": "AI_JOB_BUCKET",
    "processor_function_name": "AI_JOB_PROCESSOR_FUNCTION_NAME",
    "result_handler_function_name": "AI_JOB_RESULT_HANDLER_FUNCTION_NAME",
    "reconciler_function_name": "AI_JOB_RECONCILER_FUNCTION_NAME",
    "metrics_namespace": "AI_JOB_METRICS_NAMESPACE",
}
"""What may stand in for an output when neither --env nor --outputs names an environment."""


@dataclass(frozen=True)
class Environment:
    """An environment's outputs by name.

    Attributes:
        name: what the caller called it, for messages.
    """

    name: str
    values: Mapping[str, Any]

    def get(self, output: str) -> Any:
        """The output, or None when it is not known."""
        return self.values.get(output) or None

    def need(self, output: str) -> str:
        """The output. Raises Problem when it is not known, and says where it would come from."""
        value = self.get(output)
        if value is None:
            raise Problem(self.missing(output))
        return str(value)

    def missing(self, output: str) -> str:
        """What to say of an output that is not known: where it would come from."""
        variable = VARIABLES.get(output)
        other = f", or set {variable}" if variable else ""
        return f"{output} of {self.name} is not known: name an environment with --env or --outputs{other}"


@dataclass(frozen=True)
class Source:
    """Where the environment comes from: the options of `ai-jobs`."""

    env: str | None
    outputs: Path | None

    def load(self) -> Environment:
        """Read the outputs, and point this process at their region (and endpoint, where they name one).

        With --env or --outputs no AI_JOB_ variable counts: a mixture of two environments must not be possible.

        Raises:
            Problem: when there is no such environment, or its outputs can't be read.
        """
        if self.env:
            folder = _folder_of(self.env)
            values = _parse(_terraform_output(folder), f"the outputs of {folder}")
            _forget_variables()
            _point_at(values, folder)
            return Environment(self.env, values)
        if self.outputs:
            values = _parse(self.outputs.read_text(encoding="utf-8"), str(self.outputs))
            _forget_variables()
            _point_at(values)
            return Environment(str(self.outputs), values)
        if region := os.environ.get("AWS_REGION"):
            os.environ["AWS_DEFAULT_REGION"] = region  # boto3 does not know the other
        return Environment(
            "these variables", {output: os.environ.get(variable, "").strip() for output, variable in VARIABLES.items()}
        )


def _folder_of(env: str) -> Path:
    here = Path.cwd()
    for place in (here, *here.parents):
        folder = place / "environments" / env
        if folder.is_dir():
            return folder
    found = next((place / "environments" for place in (here, *here.parents) if (place / "environments").is_dir()), None)
    known = ", ".join(sorted(path.name for path in found.iterdir() if path.is_dir())) if found else ""
    hint = (
        f"there are {known}" if known else "there is no folder environments/ here or above; --outputs FILE needs none"
    )
    raise Problem(f"no environment {env!r}: {hint}")


def _terraform_output(folder: Path) -> str:
    wrapper = folder.parents[1] / "scripts" / "terraform"
    command = [str(wrapper) if wrapper.is_file() else "terraform", f"-chdir={folder}", "output", "-json"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise Problem(
            f"cannot run {command[0]}: {error.strerror}; save `terraform output -json`, use --outputs"
        ) from error
    if done.returncode:
        raise Problem(f"terraform output failed in {folder}; was it initialised?\n{done.stderr.strip()}")
    return done.stdout


def _parse(text: str, origin: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except ValueError as error:
        raise Problem(f"{origin} is no JSON ({error}): it must be what `terraform output -json` prints") from None
    if not isinstance(document, dict) or not document:
        raise Problem(f"{origin} has no outputs: apply the environment, and see that its root passes the module's on")
    # `terraform output -json` wraps each value; a file may also hold the values alone.
    return {
        name: output["value"] if isinstance(output, dict) and "value" in output else output
        for name, output in document.items()
    }


def _forget_variables() -> None:
    # The library falls back on them, as for the bucket of large inputs.
    for name in (*VARIABLES.values(), "USE_LOCAL_AWS"):
        os.environ.pop(name, None)


def _point_at(values: Mapping[str, Any], folder: Path | None = None) -> None:
    credentials = folder / "credentials.env" if folder else None
    if values.get("endpoint_url") and credentials and credentials.is_file():
        # A local AWS with keys of its own. Nothing of the caller's may come along: see scripts/project.py.
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            del os.environ[name]
        lines = (line.strip() for line in credentials.read_text(encoding="utf-8").splitlines())
        pairs = (line.partition("=") for line in lines if "=" in line and not line.startswith("#"))
        os.environ.update({name: value for name, _, value in pairs})
    if values.get("endpoint_url"):
        os.environ["AWS_ENDPOINT_URL"] = str(values["endpoint_url"])
    parts = str(values.get("request_queue_arn", "")).split(":")
    if len(parts) == 6:  # arn:aws:sqs:REGION:ACCOUNT:NAME
        os.environ["AWS_REGION"] = os.environ["AWS_DEFAULT_REGION"] = parts[3]
