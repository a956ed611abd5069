"""Builds the Lambda zips of BUNDLES (dist/processor.zip and so on) and dist/manifest.json.

    python -m scripts.package

A zip has the modules that the function's handler imports, and the libraries that these import (scripts/closure.py).
The versions come from uv.lock. The same source produces the same bytes on every machine: files are sorted, times and
modes are fixed, and bytecode is compiled with paths that do not depend on the folder. Native extensions are left out,
so that one zip works on arm64 and x86_64.

The zips include bytecode because Lambda's task folder is read-only: whatever is missing would be compiled at every cold
start, which would then take two to three times as long. Bytecode must match the runtime's minor version, hence exactly
Python 3.13.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import importlib.util
import json
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from scripts import closure
from scripts.project import DIST, ROOT, Failure, run

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from scripts.closure import Closure

RUNTIME_VERSION = (3, 13)
RUNTIME = "python3.13"
TASK_FOLDER = "/var/task"
MAX_ZIP_BYTES = 4_000_000
# The earliest time that a zip can hold.
FIXED_TIME = (1980, 1, 1, 0, 0, 0)
BUILD = ROOT / "build"
FUNCTIONS = ROOT / "functions"

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


@dataclass(frozen=True)
class Bundle:
    """One zip: what the function's handler imports, and botocore's data for the services that it calls."""

    name: str
    services: frozenset[str]

    @property
    def module(self) -> str:
        return f"{self.name}.handler"

    @property
    def handler(self) -> str:
        return f"{self.module}.handler"


BUNDLES = (
    Bundle("processor", frozenset({"appconfigdata", "bedrock-runtime", "dynamodb", "s3", "sqs"})),
    Bundle("result_handler", frozenset({"dynamodb", "sqs"})),
    Bundle("jobs_api", frozenset({"appconfigdata", "dynamodb", "s3", "sqs"})),
    Bundle("reconciler", frozenset({"dynamodb", "sqs"})),
    Bundle("event_publisher", frozenset({"events", "sqs"})),
)


def build() -> bool:
    """Build the zips unless they are up to date; True if they were written."""
    if sys.version_info[:2] != RUNTIME_VERSION:
        raise Failure(
            f"this is Python {sys.version.split()[0]}, but the zips contain bytecode for {RUNTIME}. Run: make package"
        )
    inputs = _inputs_digest()
    if _is_up_to_date(inputs):
        return False
    DIST.mkdir(exist_ok=True)
    site = _dependencies()
    with tempfile.TemporaryDirectory(dir=BUILD) as folder:
        sources = _compiled_sources(Path(folder))
        imported = closure.closures((bundle.module for bundle in BUNDLES), FUNCTIONS, site, FOLLOWED)
        with ThreadPoolExecutor() as pool:
            written = pool.map(lambda bundle: _write_bundle(bundle, imported[bundle.module], sources, site), BUNDLES)
            functions = {function["name"]: function for function in written}
    manifest = {
        "inputs_sha256": inputs,
        # If two machines build different bytes, one of these differs.
        "built_with": {"python": sys.version.split()[0], "zlib": zlib.ZLIB_RUNTIME_VERSION},
        "functions": functions,
    }
    _manifest_path().write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    return True


def read_manifest() -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads(_manifest_path().read_text(encoding="utf-8"))
    return manifest


def _manifest_path() -> Path:
    return DIST / "manifest.json"


def _is_up_to_date(inputs: str) -> bool:
    try:
        manifest = read_manifest()
        return manifest["inputs_sha256"] == inputs and all(
            hashlib.sha256((DIST / function["file"]).read_bytes()).hexdigest() == function["sha256"]
            for function in manifest["functions"].values()
        )
    except (OSError, ValueError, KeyError):
        return False


def _inputs_digest() -> str:
    digest = hashlib.sha256(_dependencies_key().encode())
    for path in _source_files():
        digest.update(f"{path.relative_to(ROOT).as_posix()}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _dependencies_key() -> str:
    digest = hashlib.sha256(sys.version.encode())
    for path in (ROOT / "uv.lock", Path(__file__), Path(closure.__file__)):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _source_files() -> list[Path]:
    return sorted(path for path in FUNCTIONS.rglob("*") if path.is_file() and "__pycache__" not in path.parts)


def _dependencies() -> Path:
    """The folder with all dependencies, installed and compiled; build/ keeps it until uv.lock or the scripts change."""
    site = BUILD / f"dependencies-{_dependencies_key()[:12]}"
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
        _reject_native_code(installed)
        _compile(installed)
        installed.rename(site)
    return site


def export_requirements() -> str:
    selection = ("--frozen", "--no-dev", "--no-emit-project", "--extra", "functions")
    return _uv("export", "--no-header", "--no-annotate", *selection)


def _uv(*arguments: str) -> str:
    command = [str(ROOT / "scripts" / "uv"), *arguments, "--quiet"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failure(f"uv {arguments[0]} failed:\n{done.stderr.strip()}")
    return done.stdout


def _reject_native_code(site: Path) -> None:
    for path in site.rglob("*"):
        name = path.relative_to(site).as_posix()
        if path.suffix in NATIVE_SUFFIXES and not name.startswith(OPTIONAL_NATIVE):
            raise Failure(
                f"{name} is native code. The zips must be pure Python to run on both arm64 and x86_64. "
                "Use another library, or list the file in OPTIONAL_NATIVE if its package works without it."
            )


def _compiled_sources(folder: Path) -> Path:
    for path in _source_files():
        target = folder / path.relative_to(FUNCTIONS)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    _compile(folder)
    return folder


def _compile(folder: Path) -> None:
    # In a separate process that has imported nothing: whether compileall marks a string as shared depends on what the
    # process has interned before, so that a process with botocore loaded, for example, would write different bytes.
    options = ("-q", "-f", "-o", "0", "--invalidation-mode", "unchecked-hash", "-s", str(folder), "-p", TASK_FOLDER)
    command = [sys.executable, "-I", "-S", "-m", "compileall", *options, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failure(f"a source file can't be compiled:\n{done.stdout}{done.stderr}")


def _write_bundle(bundle: Bundle, imported: Closure, sources: Path, site: Path) -> dict[str, Any]:
    distributions = _distributions(imported.libraries, site)
    files = dict(_own_files(imported, sources))
    for distribution in distributions:
        files.update(_distribution_files(distribution, site, bundle.services, imported.library_modules))
    data = _zip(files, DIST / f"{bundle.name}.zip")
    digest = hashlib.sha256(data)
    return {
        "name": bundle.name,
        "file": f"{bundle.name}.zip",
        "sha256": digest.hexdigest(),
        "base64sha256": base64.b64encode(digest.digest()).decode(),
        "bytes": len(data),
        "handler": bundle.handler,
        "runtime": RUNTIME,
        "dependencies": {_normalized(found.name): found.version for found in distributions},
    }


def _distributions(libraries: Iterable[str], site: Path) -> list[importlib.metadata.Distribution]:
    """The distributions that contain these libraries, and those that they require in turn."""
    installed = {_normalized(found.name): found for found in importlib.metadata.distributions(path=[str(site)])}
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
    return {_normalized(re.split(r"[^\w.-]", text, maxsplit=1)[0]) for text in requirements}


def _normalized(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


def _own_files(imported: Closure, sources: Path) -> Iterator[tuple[str, Path]]:
    for path in closure.files(imported.modules, sources):
        if path.suffix not in UNUSED_SUFFIXES:
            yield from _with_bytecode(path, sources)


def _with_bytecode(path: Path, root: Path) -> Iterator[tuple[str, Path]]:
    yield path.relative_to(root).as_posix(), path
    if path.suffix == ".py":
        bytecode = Path(importlib.util.cache_from_source(str(path), optimization=""))
        yield bytecode.relative_to(root).as_posix(), bytecode


def _distribution_files(
    distribution: importlib.metadata.Distribution, site: Path, services: Iterable[str], modules: Iterable[str]
) -> Iterator[tuple[str, Path]]:
    for file in distribution.files or ():
        name = PurePosixPath(file.as_posix())
        if is_needed(name, services) and is_imported(name, modules):
            yield from _with_bytecode(site / name, site)


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


def _zip(files: dict[str, Path], target: Path) -> bytes:
    partial = target.with_suffix(".partial")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, path in sorted(files.items()):
            entry = zipfile.ZipInfo(name, FIXED_TIME)
            entry.create_system = 3  # Unix, on any system
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED, compresslevel=9)
    data = partial.read_bytes()
    if len(data) > MAX_ZIP_BYTES:
        partial.unlink()
        raise Failure(f"{target.name} would have {len(data):,} bytes. At most {MAX_ZIP_BYTES:,} are allowed.")
    partial.replace(target)
    return data


def main() -> None:
    if not build():
        print("dist/: nothing changed")
        return
    for function in read_manifest()["functions"].values():
        print(f"dist/{function['file']:<20} {function['bytes'] / 1e6:.2f} MB  sha256 {function['sha256'][:16]}")


if __name__ == "__main__":
    run(main)
