"""The libraries in the zips: installed from uv.lock, without what the functions do not use."""

from __future__ import annotations

import hashlib
import importlib.metadata
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from scripts import bytecode
from scripts.bytecode import compile_folder, with_bytecode
from scripts.project import ROOT, Failure

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

BUILD = ROOT / "build"

# Without its native accelerator, MarkupSafe uses pure Python.
OPTIONAL_NATIVE = ("markupsafe/_speedups",)
NATIVE_SUFFIXES = {".so", ".pyd", ".dylib", ".dll"}
BOTOCORE_DATA = PurePosixPath("botocore/data")
BOTOCORE_COMMON_DATA = {"endpoints.json", "partitions.json", "sdk-default-configuration.json", "_retry.json"}
UNUSED_FOLDERS = tuple(
    PurePosixPath(folder)
    for folder in (
        "boto3/data",
        "boto3/examples",
        "dateutil/zoneinfo",  # a copy of the time zone database; botocore uses the one of the system
    )
)
# A collection of utilities that are independent of each other: a zip has only the modules that its handler imports.
FOLLOWED = frozenset({"aws_lambda_powertools"})
UNUSED_SUFFIXES = {".c", ".pyi", ".typed"} | NATIVE_SUFFIXES


def install() -> Path:
    """The folder with all libraries, installed and compiled; build/ keeps it until uv.lock or these scripts change."""
    site = BUILD / f"dependencies-{installation_digest()[:12]}"
    if site.is_dir():
        return site
    BUILD.mkdir(exist_ok=True)
    for old in BUILD.glob("dependencies-*"):
        shutil.rmtree(old)
    with tempfile.TemporaryDirectory(dir=BUILD) as folder:
        requirements = Path(folder) / "requirements.txt"
        requirements.write_text(export_requirements(), encoding="utf-8")
        installed = Path(folder) / "site"
        _uv(
            *("pip", "install", "--target", str(installed), "--python", sys.executable),
            *("--python-version", "3.13", "--python-platform", "aarch64-manylinux2014"),
            *("--only-binary", ":all:", "--no-deps", "--require-hashes", "--requirement", str(requirements)),
        )
        reject_native_code(installed)
        compile_folder(installed)
        installed.rename(site)
    return site


def installation_digest() -> str:
    """A digest of all that decides what is installed, and how it is compiled."""
    digest = hashlib.sha256(sys.version.encode())
    for path in (ROOT / "uv.lock", Path(__file__), Path(bytecode.__file__)):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def export_requirements() -> str:
    """What uv.lock has for the functions, as requirements with hashes."""
    selection = ("--frozen", "--no-dev", "--no-emit-project", "--extra", "functions")
    return _uv("export", "--no-header", "--no-annotate", *selection)


def _uv(*arguments: str) -> str:
    command = [str(ROOT / "scripts" / "uv"), *arguments, "--quiet"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failure(f"uv {arguments[0]} failed:\n{done.stderr.strip()}")
    return done.stdout


def reject_native_code(site: Path) -> None:
    """Raise a Failure if a library has native code that it needs."""
    for path in site.rglob("*"):
        name = path.relative_to(site).as_posix()
        if path.suffix in NATIVE_SUFFIXES and not name.startswith(OPTIONAL_NATIVE):
            raise Failure(
                f"{name} is native code. The zips must be pure Python to run on both arm64 and x86_64. "
                "Use another library, or list the file in OPTIONAL_NATIVE if its package works without it."
            )


def distributions(libraries: Iterable[str], site: Path) -> list[importlib.metadata.Distribution]:
    """The distributions that contain these libraries, and those that they require in turn."""
    installed = {normalized(found.name): found for found in importlib.metadata.distributions(path=[str(site)])}
    owners = {
        file.parts[0].removesuffix(".py"): name
        for name, distribution in installed.items()
        for file in distribution.files or ()
    }
    for library in libraries:
        if library not in owners:
            raise Failure(
                f"a function imports {library}, which its zip would lack. Add the distribution that contains it to the "
                "extra `functions` in pyproject.toml."
            )
    wanted: set[str] = set()
    waiting = {owners[library] for library in libraries}
    while waiting:
        name = waiting.pop()
        wanted.add(name)
        waiting |= (_required(installed[name]) & installed.keys()) - wanted
    return [installed[name] for name in sorted(wanted)]


def _required(distribution: importlib.metadata.Distribution) -> set[str]:
    """The names of what it requires without extras. Whatever another marker excludes was not installed anyway."""
    requirements = [text for text in distribution.requires or () if "extra ==" not in text]
    return {normalized(re.split(r"[^\w.-]", text, maxsplit=1)[0]) for text in requirements}


def normalized(name: str) -> str:
    """A distribution's name as PyPI compares it."""
    return name.lower().replace("_", "-").replace(".", "-")


def distribution_files(
    distribution: importlib.metadata.Distribution, site: Path, services: Iterable[str], modules: Iterable[str]
) -> Iterator[tuple[str, Path]]:
    """What a zip has of a distribution, for a function that calls these services and imports these modules."""
    for file in distribution.files or ():
        name = PurePosixPath(file.as_posix())
        if is_needed(name, services) and is_imported(name, modules):
            yield from with_bytecode(site / name, site)


def is_imported(name: PurePosixPath, modules: Iterable[str]) -> bool:
    """Is this file one of these modules, or not of a library whose modules are followed?"""
    if name.parts[0] not in FOLLOWED:
        return True
    return name.suffix == ".py" and ".".join(name.with_suffix("").parts).removesuffix(".__init__") in modules


def is_needed(name: PurePosixPath, services: Iterable[str]) -> bool:
    """Does a function that calls these AWS services need this file of a dependency?"""
    top = name.parts[0]
    if top.endswith(".dist-info"):
        # importlib.metadata reads the version from METADATA, and a license must accompany its code.
        return name.name == "METADATA" or name.name.upper().startswith(("LICENSE", "LICENCE", "NOTICE", "COPYING"))
    if top in {"..", "bin"} or "tests" in name.parts or name.suffix in UNUSED_SUFFIXES:
        return False
    if name.is_relative_to(BOTOCORE_DATA):
        data = name.relative_to(BOTOCORE_DATA).parts
        return (data[0] in services and "examples-1" not in name.name) or name.name in BOTOCORE_COMMON_DATA
    return not any(name.is_relative_to(folder) for folder in UNUSED_FOLDERS)
