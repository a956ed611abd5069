"""The examples as their READMEs use them: copied out of the checkout, and applied by `ai-jobs local up`.

The applies mostly wait, so pytest-xdist runs the tests of this suite side by side (`make test-examples`).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import boto3
import pytest

from ai_jobs.local.processes import free_port
from tests.module_source import EXAMPLES, ROOT, answered_by_checkout

COMMAND = Path(sys.executable).with_name("ai-jobs")
JOB = {"userId": "agent-1001", "jobType": "social-media", "input": {"platform": "instagram", "subject": "Open house"}}
"""A job of a built-in type."""

# Most CPU time of this suite is Terraform's, which reads the schemas of the AWS provider in each command. With this
# setting of the Go runtime, that takes a tenth to a fifth less time, and 200 MB more memory.
LESS_GARBAGE_COLLECTION = {"GOGC": "400"}


class Consumer:
    """Somebody with a copy of an example, and with what the READMEs say to install.

    Attributes:
        folder: the copy.
        root: the root module in it.
    """

    def __init__(self, folder: Path, root: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.root = root
        self._environment = environment

    def run(self, *command: str, given: str | None = None, **variables: str) -> str:
        """Run a command in the root module, and return what it printed. The test fails if the command does."""
        environment = {**self._environment, **variables}
        done = subprocess.run(
            command, cwd=self.root, env=environment, input=given, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
        return done.stdout

    def ai_jobs(self, *arguments: str, given: str | None = None) -> str:
        return self.run(str(COMMAND), *arguments, given=given)

    def submit(self, job: Mapping[str, Any]) -> dict[str, Any]:
        """The job when it has ended; it completed."""
        printed = self.ai_jobs("--env", "local", "submit", "-", "--wait", "--json", given=json.dumps(job))
        (ended,) = json.loads(printed)
        assert ended["status"] == "completed", ended
        return dict(ended)

    def outputs(self) -> dict[str, Any]:
        """The outputs of the module."""
        printed = json.loads(self.ai_jobs("local", "status", "--json"))
        return dict(printed["outputs"]["ai_jobs"])

    def credentials(self) -> dict[str, str]:
        """The variables with which a shell reaches the local AWS."""
        lines = (self.root / ".ai-jobs-local/credentials.env").read_text("utf-8").splitlines()
        return dict(line.split("=", 1) for line in lines)

    def client(self, service: str) -> Any:
        """A boto3 client for the local AWS."""
        known = self.credentials()
        session = boto3.Session(known["AWS_ACCESS_KEY_ID"], known["AWS_SECRET_ACCESS_KEY"], None, known["AWS_REGION"])
        return session.client(service, endpoint_url=known["AWS_ENDPOINT_URL"])


@pytest.fixture(scope="session")
def git_source(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return answered_by_checkout(tmp_path_factory.mktemp("ai-jobs.git"))


@pytest.fixture
def consumer(tmp_path: Path, git_source: dict[str, str]) -> Iterator[Callable[..., Consumer]]:
    """Copies an example; its local AWS is stopped after the test."""
    with ExitStack() as after:

        def copy(example: str, root: str = ".") -> Consumer:
            folder = tmp_path / example
            shutil.copytree(EXAMPLES / example, folder, ignore=shutil.ignore_patterns(".terraform*", ".ai-jobs-local"))
            local = {"AI_JOBS_LOCAL_PORT": str(free_port()), "AI_JOBS_TERRAFORM": str(ROOT / "scripts/terraform")}
            found = Consumer(folder, folder / root, os.environ | git_source | LESS_GARBAGE_COLLECTION | local)
            after.callback(found.ai_jobs, "local", "down")
            return found

        yield copy
