"""The git source that the examples name, answered by this checkout: what a consumer's `terraform init` fetches."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
SOURCE = re.compile(r'"git::(https://[^/]+/[^"]+?\.git)//([^"?]+)\?ref=([^"]+)"')

# What a source below modules/ reads of the repository.
_FETCHED = ("modules", "functions/ai_jobs/contract")
_AUTHOR = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in {"NAME": "tests", "EMAIL": "tests@example.com"}.items()
}


def roots() -> list[Path]:
    """The folder of every root module in the examples; what Terraform has fetched for one is not among them."""
    found = (path for path in EXAMPLES.rglob("main.tf") if 'module "ai_jobs"' in path.read_text("utf-8"))
    return sorted(
        path.parent for path in found if not any(part.startswith(".") for part in path.relative_to(ROOT).parts)
    )


def sources() -> set[tuple[str, str, str]]:
    """Every git source in the examples: repository, folder, and tag."""
    return {found for root in roots() for found in SOURCE.findall((root / "main.tf").read_text("utf-8"))}


def answered_by_checkout(folder: Path) -> dict[str, str]:
    """Environment variables with which git finds the checkout, changes included, at the address that the examples name.

    Nothing is fetched over a network, and no file of an example changes.

    Args:
        folder: an empty folder for the repository.
    """
    ((url, tag),) = {(url, tag) for url, _, tag in sources()}
    for name in _FETCHED:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns(".terraform*", "__pycache__"))
    for command in ("init --quiet", "add .", "commit --quiet --message=checkout", f"tag {tag}"):
        _git(folder, *command.split())
    count = int(os.environ.get("GIT_CONFIG_COUNT", "0"))
    return {
        "GIT_CONFIG_COUNT": str(count + 1),
        f"GIT_CONFIG_KEY_{count}": f"url.{folder.as_uri()}.insteadOf",
        f"GIT_CONFIG_VALUE_{count}": url,
    }


def _git(folder: Path, *command: str) -> None:
    # Neither the user's settings nor their hooks apply.
    environment = os.environ | _AUTHOR | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    subprocess.run(["git", "-C", str(folder), *command], env=environment, check=True)
