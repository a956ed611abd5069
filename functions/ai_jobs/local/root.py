"""A Terraform root that is applied to a local AWS, and the folder in it that holds everything local."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ai_jobs.local.failure import Failure

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = ".ai-jobs-local"
"""The name of the folder in a root: the state, the logs, and what is needed to find the local AWS again."""


@dataclass(frozen=True)
class Root:
    """A root module, and how the user calls the commands on it.

    Attributes:
        path: the folder of the root module.
        up: the command that brings its stack up, for messages.
        down: the command that stops it.
    """

    path: Path
    up: str
    down: str

    @property
    def folder(self) -> Path:
        """What `ai-jobs local` keeps; nothing of it goes into version control."""
        return self.path / FOLDER

    @property
    def state(self) -> Path:
        """The Terraform state."""
        return self.folder / "terraform.tfstate"

    @property
    def plan(self) -> Path:
        """The latest plan, as Terraform saves it."""
        return self.folder / "terraform.plan"

    @property
    def log(self) -> Path:
        """What Terraform printed."""
        return self.folder / "terraform.log"

    @property
    def lock(self) -> Path:
        """Locked by the command that changes the stack, with the id of its process in it."""
        return self.folder / "command.lock"

    @property
    def applied(self) -> Path:
        """What was applied, and to which instance: a restarted MiniStack is empty, no matter what the state says."""
        return self.folder / "applied.json"

    @property
    def outputs(self) -> Path:
        """What `terraform output -json` printed after the last apply."""
        return self.folder / "outputs.json"

    @property
    def credentials(self) -> Path:
        """The variables with which a shell reaches the local AWS."""
        return self.folder / "credentials.env"

    def prepare(self) -> None:
        """Create the folder.

        Raises:
            Failure: if the root is not a root module.
        """
        if not any(path.suffix == ".tf" or path.name.endswith(".tf.json") for path in self._files()):
            raise Failure(f"{self.path} has no Terraform files. Pass the folder of your root module: --root DIR")
        self.folder.mkdir(exist_ok=True)
        (self.folder / ".gitignore").write_text("*\n", encoding="utf-8")

    def forget(self) -> None:
        """Remove what belongs to a stack that is gone; what Terraform has downloaded stays."""
        backup = self.state.with_name(f"{self.state.name}.backup")
        for path in (self.state, backup, self.plan, self.applied, self.outputs, self.credentials):
            path.unlink(missing_ok=True)

    def _files(self) -> list[Path]:
        return list(self.path.iterdir()) if self.path.is_dir() else []
