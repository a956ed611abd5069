"""The peers' environment: their libraries, pinned, apart from the project's own."""

from __future__ import annotations

import hashlib
import re
import subprocess
from pathlib import Path

from scripts.project import ROOT, Failure

REQUIREMENTS = Path(__file__).with_name("peers.txt")
_PINNED = Path(__file__).with_name("peers.in")


def python() -> Path:
    """The peers' interpreter, a Python 3.13. The first call installs it in build/, which takes a few seconds."""
    digest = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:12]
    folder = ROOT / "build" / f"peers-{digest}"
    interpreter = folder / "bin" / "python"
    ready = folder / "ready"
    if not ready.exists():
        _uv("venv", "--clear", "--python", "3.13", str(folder))
        _uv("pip", "sync", "--require-hashes", "--python", str(interpreter), str(REQUIREMENTS))
        ready.touch()
    return interpreter


def versions() -> dict[str, str]:
    """The peers' pinned versions, by package."""
    pins = re.findall(r"^([\w-]+)(?:\[.*\])?==(\S+)$", _PINNED.read_text(encoding="utf-8"), re.MULTILINE)
    return dict(pins)


def _uv(*arguments: str) -> None:
    command = [str(ROOT / "scripts" / "uv"), *arguments, "--quiet"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failure(
            f"the peers of the benchmark can't be installed: uv {arguments[0]} failed:\n{done.stderr.strip()}"
        )
