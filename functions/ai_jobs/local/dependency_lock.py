"""Terraform's dependency lock file: Terraform writes into the root which providers it has chosen.

No option has it write that elsewhere. So the root has the file back as it was when a command ends, and a root that had
none has none: what Terraform chose is kept in the root's local folder, because without it, the next command would
download the providers again. https://developer.hashicorp.com/terraform/language/files/dependency-lock
"""

from __future__ import annotations

import contextlib
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ai_jobs.local.root import Root

NAME = ".terraform.lock.hcl"


@contextlib.contextmanager
def restored(root: Root) -> Iterator[None]:
    """While the block runs, Terraform may write the file; after it, the root has what it had before."""
    path = root.path / NAME
    if _mark(root).exists():
        path.unlink(missing_ok=True)  # from a command that was killed
        _mark(root).unlink()
    if path.exists():
        before = path.read_bytes()
        try:
            yield
        finally:
            if path.read_bytes() != before:
                path.write_bytes(before)
    else:
        with _lent(root, path):
            yield


def discard_choice(root: Root) -> bool:
    """Have Terraform choose anew; False if there was no choice, or if it is the root's own."""
    if not _mark(root).exists() or not _kept(root).exists():
        return False
    _kept(root).unlink()
    (root.path / NAME).unlink(missing_ok=True)
    return True


@contextlib.contextmanager
def _lent(root: Root, path: Path) -> Iterator[None]:
    _mark(root).touch()
    if _kept(root).exists():
        shutil.copyfile(_kept(root), path)
    try:
        yield
    finally:
        if path.exists():
            path.replace(_kept(root))
        _mark(root).unlink()


def _kept(root: Root) -> Path:
    return root.folder / "terraform.lock.hcl"


def _mark(root: Root) -> Path:
    """Exists while the file in the root is ours."""
    return root.folder / "terraform.lock.hcl.lent"
