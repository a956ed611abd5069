"""The system that some sections share: a local AWS of the benchmark's own, the stack on it, and the model's stub."""

from __future__ import annotations

import atexit
import contextlib
import functools
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3

from ai_jobs.local import instances
from ai_jobs.local.environment import CREDENTIALS
from bench import model
from bench.terraform import Apply, Terraform
from tests.chaos.faults import workers

if TYPE_CHECKING:
    from collections.abc import Iterator

# What the local AWS logs of each batch that it hands to a function.
_BATCH = re.compile(r"ESM: Lambda (\S+) processed (\d+) ")


@dataclass(frozen=True)
class LocalSystem:
    """The running system.

    Attributes:
        terraform: for another apply.
        first_apply: the apply that made the stack, on an empty local AWS.
        outputs: of environments/local.
    """

    instance: instances.Instance
    model: model.Model
    terraform: Terraform
    first_apply: Apply
    outputs: dict[str, Any]
    folder: Path

    def client(self, service: str) -> Any:
        """A boto3 client for the local AWS, whatever the caller's own configuration of AWS says."""
        create: Any = boto3.client  # whose stubs want the service as a literal
        return create(
            service,
            endpoint_url=self.instance.endpoint_url,
            region_name=CREDENTIALS["AWS_REGION"],
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        )

    def workers(self, function: str) -> list[int]:
        """The processes that run a function, by its name in the outputs: `processor`, `result_handler`, ..."""
        return workers(self.instance.pid, self.outputs[f"{function}_function_name"])

    @contextlib.contextmanager
    def paused(self, function: str) -> Iterator[None]:
        """Nothing takes messages from the function's queue for as long as the block runs."""
        client = self.client("lambda")
        name = self.outputs[f"{function}_function_name"]
        (mapping,) = client.list_event_source_mappings(FunctionName=name)["EventSourceMappings"]
        client.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
        try:
            yield
        finally:
            client.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)

    def log_size(self) -> int:
        """The size of the local AWS's log, for `batches`."""
        return self._log.stat().st_size

    def batches(self, function: str, since: int) -> list[int]:
        """How many messages each batch of a function had since the log had this size."""
        with self._log.open("rb") as log:
            log.seek(since)
            lines = log.read().decode(errors="replace")
        name = self.outputs[f"{function}_function_name"]
        return [int(size) for found, size in _BATCH.findall(lines) if found == name]

    @property
    def _log(self) -> Path:
        return self.folder / "ministack.log"


@functools.cache
def shared() -> LocalSystem:
    """The system of this run. The first call starts it, which takes a minute and a half; it ends with the process."""
    resources = contextlib.ExitStack()
    atexit.register(resources.close)
    folder = Path(tempfile.mkdtemp(prefix="ai-jobs-bench-"))
    resources.callback(shutil.rmtree, folder, ignore_errors=True)
    stub = resources.enter_context(model.running())
    return resources.enter_context(_running(stub, folder))


@contextlib.contextmanager
def _running(stub: model.Model, folder: Path) -> Iterator[LocalSystem]:
    environment = {"AWS_ENDPOINT_URL_BEDROCK_RUNTIME": stub.endpoint_url}
    with instances.running(folder, environment) as instance:
        terraform = Terraform(instance, folder)
        first_apply = terraform.apply()
        yield LocalSystem(instance, stub, terraform, first_apply, terraform.outputs(), folder)
