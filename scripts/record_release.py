"""Records the Terraform state that this release leaves: tests/releases/VERSION/state.json.

    python -m scripts.record_release

It applies tests/releases/VERSION/main.tf (for a new version, a copy of the last one's) to a local AWS of its own.
tests/terraform/test_releases.py plans what is recorded against the code, so that an upgrade that would destroy
something is noticed before it is released. What has been released stays as it is: there must not be a tag of the
version yet.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from ai_jobs.local import instances
from ai_jobs.local.environment import local_environment
from scripts import release_files
from scripts.project import ROOT, TERRAFORM, Failure, run

RELEASES = ROOT / "tests/releases"
STATE = "state.json"
# Takes the place of the local AWS's address, which differs in every run, in the URLs of queues.
ENDPOINT_URL = "https://aws.example.com"


def recorded() -> list[Path]:
    """The folders of all recorded releases, oldest first."""
    return sorted((path.parent for path in RELEASES.glob("*/main.tf")), key=_order)


def record() -> Path:
    """Apply the root of the version in pyproject.toml to a new local AWS, and write down its state.

    Raises:
        Failure: if the version has been released, or Terraform fails.
    """
    version = release_files.release()
    if _is_released(version):
        raise Failure(
            f"{version} has been released (tag v{version}), so its recorded state must stay as it is. "
            "Raise the version in pyproject.toml first."
        )
    folder = RELEASES / version
    if not folder.exists():
        folder.mkdir()
        shutil.copy(recorded()[-1] / "main.tf", folder)
    (folder / STATE).write_text(_applied(folder), encoding="utf-8")
    return folder / STATE


def _order(folder: Path) -> list[int]:
    return [int(number) for number in folder.name.split(".")]


def _is_released(version: str) -> bool:
    command = ["git", "-C", str(ROOT), "rev-parse", "--quiet", "--verify", f"refs/tags/v{version}"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _applied(folder: Path) -> str:
    """The state after an apply, without anything of this machine."""
    with tempfile.TemporaryDirectory() as scratch, instances.running(Path(scratch)) as instance:
        state = Path(scratch) / STATE
        environment = local_environment(instance.endpoint_url) | {"TF_DATA_DIR": f"{scratch}/.terraform"}
        for arguments in (["init"], ["apply", "-auto-approve", f"-state={state}"]):
            command = [str(TERRAFORM), f"-chdir={folder}", *arguments, "-input=false", "-no-color"]
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            if done.returncode:
                raise Failure(f"terraform {arguments[0]} failed in {folder.relative_to(ROOT)}:\n{done.stderr}")
        text = state.read_text(encoding="utf-8").replace(instance.endpoint_url, ENDPOINT_URL)
    return json.dumps(json.loads(text), indent=1) + "\n"


def main() -> None:
    print("applying to a local AWS (a minute or two)", file=sys.stderr)
    print(f"recorded {record().relative_to(ROOT)}")


if __name__ == "__main__":
    run(main)
