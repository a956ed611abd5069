"""Builds a release in dist/: the Lambda zips of BUNDLES (processor.zip and so on), and what describes them.

    python -m scripts.package

A zip has the modules that the function's handler imports, and the libraries that these import (scripts/closure.py).
The versions come from uv.lock. The same source produces the same bytes on every machine: files are sorted, times and
modes are fixed, and bytecode is compiled with paths that do not depend on the folder. Native extensions are left out,
so that one zip works on arm64 and x86_64. What describes the zips (scripts/release_files.py) depends only on them.

The zips include bytecode because Lambda's task folder is read-only: whatever is missing would be compiled at every cold
start, which would then take two to three times as long. Bytecode must match the runtime's minor version, hence exactly
Python 3.13.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import tempfile
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts import closure, libraries, release_files
from scripts.bytecode import compile_folder, with_bytecode
from scripts.libraries import BUILD, FOLLOWED, UNUSED_SUFFIXES
from scripts.project import DIST, ROOT, Failure, run
from scripts.release_files import Zip

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scripts.closure import Closure

RUNTIME_VERSION = (3, 13)
RUNTIME = "python3.13"
MAX_ZIP_BYTES = 4_000_000
# The earliest time that a zip can hold.
FIXED_TIME = (1980, 1, 1, 0, 0, 0)
FUNCTIONS = ROOT / "functions"
# What was built last: it is no part of a release, because it differs between machines that build the same bytes.
BUILT = BUILD / "built.json"


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
    """Build the release unless it is up to date; True if it was written."""
    if sys.version_info[:2] != RUNTIME_VERSION:
        raise Failure(
            f"this is Python {sys.version.split()[0]}, but the zips contain bytecode for {RUNTIME}. Run: make package"
        )
    inputs = _inputs_digest()
    if _is_up_to_date(inputs):
        return False
    DIST.mkdir(exist_ok=True)
    site = libraries.install()
    with tempfile.TemporaryDirectory(dir=BUILD) as folder:
        sources = _compiled_sources(Path(folder))
        imported = closure.closures((bundle.module for bundle in BUNDLES), FUNCTIONS, site, FOLLOWED)
        with ThreadPoolExecutor() as pool:
            written = pool.map(lambda bundle: _write_bundle(bundle, imported[bundle.module], sources, site), BUNDLES)
            zips = list(written)
    release_files.write(zips)
    # If two machines build different bytes, one of these differs.
    built_with = {"python": sys.version.split()[0], "zlib": zlib.ZLIB_RUNTIME_VERSION}
    BUILT.write_text(json.dumps({"inputs_sha256": inputs, "built_with": built_with}) + "\n", encoding="utf-8")
    return True


def _is_up_to_date(inputs: str) -> bool:
    try:
        built = json.loads(BUILT.read_text(encoding="utf-8"))
        return built["inputs_sha256"] == inputs and release_files.are_intact()
    except (OSError, ValueError, KeyError):
        return False


def _inputs_digest() -> str:
    digest = hashlib.sha256(f"{libraries.installation_digest()} {release_files.release()}".encode())
    for path in (*_source_files(), Path(__file__), Path(closure.__file__), Path(release_files.__file__)):
        digest.update(f"{path.relative_to(ROOT).as_posix()}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _source_files() -> list[Path]:
    return sorted(path for path in FUNCTIONS.rglob("*") if path.is_file() and "__pycache__" not in path.parts)


def _compiled_sources(folder: Path) -> Path:
    for path in _source_files():
        target = folder / path.relative_to(FUNCTIONS)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    compile_folder(folder)
    return folder


def _write_bundle(bundle: Bundle, imported: Closure, sources: Path, site: Path) -> Zip:
    distributions = libraries.distributions(imported.libraries, site)
    files = dict(_own_files(imported, sources))
    for distribution in distributions:
        files.update(libraries.distribution_files(distribution, site, bundle.services, imported.library_modules))
    data = _zip(files, DIST / f"{bundle.name}.zip")
    return Zip(bundle.name, data, bundle.handler, RUNTIME, distributions)


def _own_files(imported: Closure, sources: Path) -> Iterator[tuple[str, Path]]:
    for path in closure.files(imported.modules, sources):
        if path.suffix not in UNUSED_SUFFIXES:
            yield from with_bytecode(path, sources)


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
    manifest: dict[str, Any] = release_files.read_manifest()
    for function in manifest["functions"].values():
        print(f"dist/{function['file']:<20} {function['bytes'] / 1e6:.2f} MB  sha256 {function['sha256'][:16]}")
    print(f"dist/manifest.json   release {manifest['release']}; also SHA256SUMS and sbom.cdx.json")


if __name__ == "__main__":
    run(main)
