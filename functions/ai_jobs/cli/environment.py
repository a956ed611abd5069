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
    from collections.abc import Mapping

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
    """

    name: str
    values: Mapping[str, Any]

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
        variable = VARIABLES.get(output)
        other = f", or set {variable}" if variable else ""
        return (
            f"{output} is not known: it is missing from {self.name}. "
            f"Specify an environment with --env or --outputs{other}."
        )


@dataclass(frozen=True)
class Source:
    """Where the environment comes from: the options of `ai-jobs`."""

    env: str | None
    outputs: Path | None

    def load(self) -> Environment:
        """Read the outputs, and point this process at their region (and at their endpoint, if they name one).

        With --env or --outputs, no AI_JOB_ variable counts: it must not be possible to mix two environments.

        Raises:
            Problem: if the environment does not exist, or its outputs can't be read.
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
            os.environ["AWS_DEFAULT_REGION"] = region  # boto3 does not read the other one
        return Environment(
            "the AI_JOB_ variables",
            {output: os.environ.get(variable, "").strip() for output, variable in VARIABLES.items()},
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
        f"the folder environments/ has {known}"
        if known
        else "there is no folder environments/ here or in a parent folder; --outputs FILE works without it"
    )
    raise Problem(f"there is no environment {env!r}: {hint}")


def _terraform_output(folder: Path) -> str:
    wrapper = folder.parents[1] / "scripts" / "terraform"
    command = [str(wrapper) if wrapper.is_file() else "terraform", f"-chdir={folder}", "output", "-json"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise Problem(
            f"cannot run {command[0]}: {error.strerror}; save the output of `terraform output -json` elsewhere, and "
            "pass it with --outputs"
        ) from error
    if done.returncode:
        raise Problem(f"terraform output failed in {folder}; has terraform init been run there?\n{done.stderr.strip()}")
    return done.stdout


def _parse(text: str, origin: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except ValueError as error:
        raise Problem(f"{origin} is not JSON ({error}): it must be what `terraform output -json` prints") from None
    if not isinstance(document, dict) or not document:
        raise Problem(
            f"{origin} has no outputs: apply the environment, and check that its root has the module's outputs"
        )
    # `terraform output -json` wraps each value; a file may also contain the bare values.
    return {
        name: output["value"] if isinstance(output, dict) and "value" in output else output
        for name, output in document.items()
    }


def _forget_variables() -> None:
    # The library falls back on them, for example for the bucket of large inputs.
    for name in (*VARIABLES.values(), "USE_LOCAL_AWS"):
        os.environ.pop(name, None)


def _point_at(values: Mapping[str, Any], folder: Path | None = None) -> None:
    credentials = folder / "credentials.env" if folder else None
    if values.get("endpoint_url") and credentials and credentials.is_file():
        # A local AWS with keys of its own. None of the caller's variables may interfere: see scripts/project.py.
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            del os.environ[name]
        lines = (line.strip() for line in credentials.read_text(encoding="utf-8").splitlines())
        pairs = (line.partition("=") for line in lines if "=" in line and not line.startswith("#"))
        os.environ.update({name: value for name, _, value in pairs})
    if values.get("endpoint_url"):
        os.environ["AWS_ENDPOINT_URL"] = str(values["endpoint_url"])
    if values.get("model_endpoint_url"):
        os.environ["AWS_ENDPOINT_URL_BEDROCK_RUNTIME"] = str(values["model_endpoint_url"])
    parts = str(values.get("request_queue_arn", "")).split(":")
    if len(parts) == 6:  # arn:aws:sqs:REGION:ACCOUNT:NAME
        os.environ["AWS_REGION"] = os.environ["AWS_DEFAULT_REGION"] = parts[3]
