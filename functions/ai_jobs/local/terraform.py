"""Terraform on a root whose own backend, state, and data folder are left alone."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ai_jobs.local import dependency_lock, providers
from ai_jobs.local.environment import local_environment
from ai_jobs.local.failure import Failure
from ai_jobs.local.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from ai_jobs.local.root import Root

COMMAND_VARIABLE = "AI_JOBS_TERRAFORM"
OVERRIDE = "ai_jobs_local_override.tf.json"
"""A file of this name is in the root only while a command runs, and replaces what Terraform must not use locally."""

_OLDEST = (1, 9)
_LOG_LINES = 20


def command() -> str:
    """What runs Terraform: AI_JOBS_TERRAFORM if it is set, or else terraform.

    Raises:
        Failure: if it is not found.
    """
    named = os.environ.get(COMMAND_VARIABLE) or "terraform"
    if shutil.which(named) is None:
        raise Failure(
            f'the command "{named}" was not found. Install Terraform {_version(_OLDEST)} or newer '
            "(https://developer.hashicorp.com/terraform/install), or set "
            f"{COMMAND_VARIABLE} to the command that runs it."
        )
    return named


def require_version() -> None:
    """Check that Terraform is there, and new enough for the module.

    Raises:
        Failure: if it is not.
    """
    named = command()
    done = subprocess.run(
        [named, "version", "-json"], env=local_environment(), capture_output=True, text=True, check=False
    )
    try:
        found = str(json.loads(done.stdout)["terraform_version"])
        version = tuple(int(part) for part in found.split("-")[0].split(".")[:2])
    except (ValueError, KeyError, TypeError):
        raise Failure(
            f'"{named} version" failed, so it is not Terraform: {(done.stderr or done.stdout).strip()}'
        ) from None
    if version < _OLDEST:
        raise Failure(
            f"{named} is Terraform {found}. The module needs {_version(_OLDEST)} or newer: install it, or set "
            f"{COMMAND_VARIABLE} to the command that runs it."
        )


def _version(parts: tuple[int, ...]) -> str:
    return ".".join(map(str, parts))


@dataclass(frozen=True)
class Terraform:
    """Terraform on one root, with its state in the root's local folder.

    Attributes:
        endpoint_url: where the local AWS is.
        variables: the caller's `-var` and `-var-file` options.
    """

    root: Root
    endpoint_url: str
    variables: Sequence[str] = ()

    @contextlib.contextmanager
    def overriding(self) -> Iterator[None]:
        """While the block runs, the root has the local backend, and no account, whatever it says itself. After it, the
        root has the files that it had before.
        """
        path = self.root.path / OVERRIDE
        path.unlink(missing_ok=True)  # from a command that was killed
        path.write_text(json.dumps(_override(self.root)), encoding="utf-8")
        try:
            with dependency_lock.restored(self.root):
                yield
        finally:
            path.unlink(missing_ok=True)

    def initialize(self) -> None:
        """Install the providers and modules, and use the local backend.

        Raises:
            Failure: if Terraform fails, with its error.
        """
        self.root.log.unlink(missing_ok=True)
        try:
            self._log("init", "-reconfigure")
        except Failure:
            # The root may no longer allow the providers of the last time, which only this package remembers.
            if not dependency_lock.discard_choice(self.root):
                raise
            self.root.log.unlink()
            self._log("init", "-reconfigure")

    def plan(self) -> Plan:
        """Plan the changes without making them.

        Raises:
            Failure: if Terraform fails, with its error.
        """
        self.initialize()
        self._log("plan", f"-out={self.root.plan}", *self.variables)
        return Plan(json.loads(self._read("show", "-json", str(self.root.plan))))

    def apply(self) -> None:
        """Apply the latest plan. Raises a Failure, with Terraform's error, if it fails."""
        self._log("apply", str(self.root.plan))

    def outputs(self) -> str:
        """What `terraform output -json` prints."""
        return self._read("output", "-json")

    def _log(self, command: str, *arguments: str) -> None:
        with self.root.log.open("a", encoding="utf-8") as log:
            done = self._run(command, "-input=false", "-no-color", *arguments, stdout=log, stderr=subprocess.STDOUT)
        if done.returncode:
            raise Failure(f"terraform {command} failed. From {self.root.log}:\n{self._end_of_log()}")

    def _end_of_log(self) -> str:
        """From its first error on, or its last lines."""
        lines = self.root.log.read_text(encoding="utf-8", errors="replace").splitlines()
        errors = [number for number, line in enumerate(lines) if line.startswith("Error:")]
        return "\n".join(lines[errors[0] :][: 2 * _LOG_LINES] if errors else lines[-_LOG_LINES:])

    def _read(self, command: str, *arguments: str) -> str:
        done = self._run(command, *arguments, capture_output=True)
        if done.returncode:
            raise Failure(f"terraform {command} failed:\n{done.stderr.strip()}")
        return done.stdout

    def _run(self, *arguments: str, **into: Any) -> subprocess.CompletedProcess[str]:
        environment = local_environment(self.endpoint_url) | {"TF_DATA_DIR": str(self.root.folder / "terraform")}
        called = [command(), f"-chdir={self.root.path}", *arguments]
        return subprocess.run(called, env=environment, text=True, check=False, **into)


def _override(root: Root) -> dict[str, Any]:
    blocks = providers.overrides(root.path)
    return {
        "//": "Written by `ai-jobs local`, and removed when it ends. If it is still there, delete it.",
        "terraform": {"backend": {"local": {"path": str(root.state)}}},
    } | ({"provider": {"aws": blocks}} if blocks else {})
