"""Copies what the environments have in common out of environments/development; --check only compares.

    python -m scripts.copy_roots [--check]

Each environment is a folder that can be applied, and taken over into another repository, without the others. What it
decides for itself is in its main.tf.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scripts.generated import write_or_check
from scripts.project import ROOT, run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SOURCE = "development"
ON_AWS = ("staging", "production")

COPIES = {
    "variables.tf": (*ON_AWS, "local"),
    "outputs.tf": (*ON_AWS, "local"),
    "versions.tf": (*ON_AWS, "local"),
    "api_url.tf": (*ON_AWS, "local"),
    "backend.tf": ON_AWS,
    "providers.tf": ON_AWS,
}


def copies(root: Path) -> Iterator[tuple[Path, str]]:
    """Each copy with the text that it must have."""
    environments = root / "environments"
    for file, targets in COPIES.items():
        text = (environments / SOURCE / file).read_text(encoding="utf-8")
        for target in targets:
            yield environments / target / file, text


def main() -> None:
    write_or_check("copy_roots", "Copies what the environments have in common.", ROOT, copies(ROOT))


if __name__ == "__main__":
    run(main)
