"""Bytecode that is the same wherever it was compiled, for Lambda's task folder."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.project import Failure

if TYPE_CHECKING:
    from collections.abc import Iterator

TASK_FOLDER = "/var/task"
"""Where a zip is unpacked on Lambda."""


def compile_folder(folder: Path) -> None:
    """Compile every source in the folder, as if it were in the task folder."""
    # In a separate process that has imported nothing: whether compileall marks a string as shared depends on what the
    # process has interned before, so that a process with botocore loaded, for example, would write different bytes.
    options = ("-q", "-f", "-o", "0", "--invalidation-mode", "unchecked-hash", "-s", str(folder), "-p", TASK_FOLDER)
    command = [sys.executable, "-I", "-S", "-m", "compileall", *options, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failure(f"a source file can't be compiled:\n{done.stdout}{done.stderr}")


def with_bytecode(path: Path, root: Path) -> Iterator[tuple[str, Path]]:
    """The file and, if it is a source, its bytecode, each with its name below the root."""
    yield path.relative_to(root).as_posix(), path
    if path.suffix == ".py":
        compiled = Path(importlib.util.cache_from_source(str(path), optimization=""))
        yield compiled.relative_to(root).as_posix(), compiled
