"""Section 1: how long the zips take to build, how large they are, and whether they are the same everywhere."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import peers
from bench.markdown import table as markdown_table
from bench.sections import Scale
from scripts import libraries, package, release_files
from scripts.project import DIST, ROOT, Failure

if TYPE_CHECKING:
    from collections.abc import Callable

TITLE = "Packaging"
PICTURE = ""
OURS, PIP, REPRO = "ours", "pip install -t, zip", "pip install -t, repro-lambda"

_PIP_OPTIONS = (
    *("--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes", "--only-binary", ":all:"),
    *("--python-version", "3.13", "--platform", "manylinux2014_aarch64"),
)

# As `zip -r` does it, with the times and modes that the files have.
_ZIP = "import shutil; shutil.make_archive('lambda', 'zip', 'staged')"

Build = tuple[float, Path]
"""The seconds that it took, and the zip (the processor's, where there are several)."""


def measure(scale: Scale) -> dict[str, Any]:
    """Build with every tool in turn: cold, and once more in a folder that was moved, with another umask."""
    builders = {OURS: _ours} | ({PIP: _pip, REPRO: _repro_lambda} if scale is Scale.FULL else {})
    with tempfile.TemporaryDirectory() as folder:
        requirements = Path(folder, "requirements.txt")
        requirements.write_text(libraries.export_requirements(), encoding="utf-8")
        if scale is Scale.FULL:
            _pip(_clone(Path(folder, "filling-the-cache"), requirements), 0o022)
        builds = {
            name: _twice(build, _clone(Path(folder, str(number)), requirements))
            for number, (name, build) in enumerate(builders.items())
        }
    package.build()
    # Ours changes nothing when it builds again, so that it is compared with the project's own build.
    builds[OURS]["same"] = builds[OURS]["sha256"] == _sha256(DIST / "processor.zip")
    sizes = {name: function["bytes"] for name, function in release_files.read_manifest()["functions"].items()}
    return {"builds": builds, "bytes": sizes, "figures": {"largest_zip_mb": max(sizes.values()) / 1e6}}


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _clone(folder: Path, requirements: Path) -> Path:
    """A folder with what the builds read, as new as a checkout."""
    folder.mkdir()
    for name in ("pyproject.toml", "uv.lock", ".python-version"):
        shutil.copyfile(ROOT / name, folder / name)
    for name in ("scripts", "functions"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored, copy_function=shutil.copy)
    shutil.copyfile(requirements, folder / "requirements.txt")
    return folder


def _twice(build: Callable[[Path, int], Build], clone: Path) -> dict[str, Any]:
    """Build, and build again elsewhere, later, and with another umask, which must not matter."""
    cold, built = build(clone, 0o022)
    digest, size = _sha256(built), built.stat().st_size
    no_change, again = build(clone.rename(clone.with_name(f"{clone.name}-moved")), 0o077)
    same = digest == _sha256(again)
    return {"cold": cold, "no_change": no_change, "bytes": size, "sha256": digest, "same": same}


def _ours(clone: Path, umask: int) -> Build:
    """Five zips; the processor's has all that the others' have."""
    program = "from scripts import package; package.main()"
    return _timed([[sys.executable, "-c", program]], clone, umask), clone / "dist" / "processor.zip"


def _pip(clone: Path, umask: int) -> Build:
    return _staged(clone, umask, [str(peers.python()), "-c", _ZIP])


def _repro_lambda(clone: Path, umask: int) -> Build:
    tool = peers.python().with_name("repro-lambda")
    return _staged(clone, umask, [str(tool), "zip", "--src", "staged", "--out", "lambda.zip"])


def _staged(clone: Path, umask: int, zip_command: list[str]) -> Build:
    """One zip of a folder into which pip installs, and our functions are copied. It is built from scratch each time."""
    install = [str(peers.python()), "-m", "pip", "install", *_PIP_OPTIONS, "-t", "staged", "-r", "requirements.txt"]
    copy = ["cp", "-R", "functions/.", "staged"]
    return _timed([["rm", "-rf", "staged"], install, copy, zip_command], clone, umask), clone / "lambda.zip"


def _timed(commands: list[list[str]], folder: Path, umask: int) -> float:
    started = time.perf_counter()
    for command in commands:
        done = subprocess.run(command, cwd=folder, umask=umask, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Failure(f"{Path(command[0]).name} failed:\n{done.stdout}{done.stderr}")
    return time.perf_counter() - started


def table(results: dict[str, Any]) -> str:
    """The builds, and the size of each zip."""
    builds = results["builds"]
    cold = {name: found["cold"] / builds[OURS]["cold"] for name, found in builds.items()}
    rows = [
        (name, found["cold"], cold[name], found["no_change"], f"{found['bytes']:,}", "yes" if found["same"] else "no")
        for name, found in builds.items()
    ]
    header = ("", "cold, s", "x ours", "no change, s", "bytes", "same bytes everywhere")
    sizes = markdown_table(("our zip", "bytes"), [(name, f"{size:,}") for name, size in results["bytes"].items()])
    return f"{_ABOUT}\n{markdown_table(header, rows)}\n\n{sizes}"


_ABOUT = """\
The same functions and the same locked dependencies, for arm64, with filled download caches. We build five zips, each
with what its handler imports, all of it compiled; the others build one zip with everything (the bytes are those of the
processor's zip and of theirs). *Cold* is a build in a new folder. It is then moved and built again, with no change but
another umask, which shows whether the bytes are the same; ours are compared with those in `dist/`. repro-lambda's own
build runs in Docker: this is its packer, after the same `pip`.
"""


def plot(results: dict[str, Any], folder: Path) -> None:
    """No picture: the table says it."""
