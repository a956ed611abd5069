"""What a release has beside the zips: manifest.json, sbom.cdx.json, and SHA256SUMS.

They depend on nothing but the zips and the release in pyproject.toml: no times, no machine, no random ids.

- The manifest is what modules/ai-jobs reads (`packages`). `schema_version` is that of the manifest, and `interface`
  that between the zips and the module that sets their environment (functions/ai_jobs/contract/limits.json).
- The bill of materials is CycloneDX 1.6: the zips, the libraries in each, and their licenses.
- `sha256sum --check SHA256SUMS` in the folder verifies all of it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import tomllib
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import DisjunctiveLicense
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from scripts.libraries import normalized
from scripts.project import DIST, ROOT, Failure

if TYPE_CHECKING:
    import importlib.metadata
    from collections.abc import Sequence
    from pathlib import Path

    from cyclonedx.model.license import License

MANIFEST, _SBOM, _CHECKSUMS = "manifest.json", "sbom.cdx.json", "SHA256SUMS"
_CONTRACT = ROOT / "functions/ai_jobs/contract/limits.json"
_LICENSES = LicenseFactory()


@dataclass(frozen=True)
class Zip:
    """A function's zip, and the libraries in it."""

    name: str
    data: bytes
    handler: str
    runtime: str
    distributions: Sequence[importlib.metadata.Distribution]

    @property
    def file(self) -> str:
        return f"{self.name}.zip"


def release() -> str:
    """The release that is built: the version in pyproject.toml."""
    version: str = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    return version


def write(zips: Sequence[Zip]) -> None:
    """Write what describes these zips, which are in dist/ already."""
    manifest = _manifest(zips)
    (DIST / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    (DIST / _SBOM).write_text(_bill_of_materials(zips), encoding="utf-8")
    names = sorted([one.file for one in zips] + [MANIFEST, _SBOM])
    (DIST / _CHECKSUMS).write_text("".join(f"{sha256_of(DIST / name)}  {name}\n" for name in names), encoding="utf-8")


def read_manifest(folder: Path | None = None) -> dict[str, Any]:
    """The manifest in this folder (dist/ if omitted).

    Raises:
        Failure: if it is missing, or not a manifest that this version writes.
    """
    path = (folder or DIST) / MANIFEST
    try:
        manifest: dict[str, Any] = json.loads(path.read_bytes())
        known = manifest["schema_version"] == contract()["manifest_schema_version"]
    except OSError:
        raise Failure(f"{path} does not exist. Run make package, or name the folder of a downloaded release.") from None
    except (ValueError, KeyError, TypeError):
        raise Failure(f"{path} is not the manifest of a release. Run make package, or download it again.") from None
    if not known:
        raise Failure(
            f"{path} has schema_version {manifest['schema_version']}, and this is for "
            f"{contract()['manifest_schema_version']}. Use the scripts of its own release."
        )
    return manifest


def are_intact() -> bool:
    """Does everything in SHA256SUMS still have the bytes that were written? Raises OSError if something is missing."""
    lines = (DIST / _CHECKSUMS).read_text(encoding="utf-8").splitlines()
    return all(sha256_of(DIST / name) == digest for digest, name in (line.split("  ", 1) for line in lines))


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def contract() -> dict[str, Any]:
    """What the zips and the module agree on about each other."""
    agreed: dict[str, Any] = json.loads(_CONTRACT.read_text(encoding="utf-8"))["bundles"]
    return agreed


def _manifest(zips: Sequence[Zip]) -> dict[str, Any]:
    return {
        "schema_version": contract()["manifest_schema_version"],
        "release": release(),
        "interface": contract()["interface"]["max"],
        "functions": {one.name: _described(one) for one in zips},
    }


def _described(one: Zip) -> dict[str, Any]:
    digest = hashlib.sha256(one.data)
    return {
        "file": one.file,
        # Its name in a bucket, below a prefix of the owner's choice.
        "key": f"{one.name}-{digest.hexdigest()}.zip",
        "sha256": digest.hexdigest(),
        "base64sha256": base64.b64encode(digest.digest()).decode(),
        "bytes": len(one.data),
        "handler": one.handler,
        "runtime": one.runtime,
        "dependencies": {normalized(found.name): found.version for found in one.distributions},
    }


def _bill_of_materials(zips: Sequence[Zip]) -> str:
    bom = Bom()
    # It would differ with each build, and CycloneDX does not require it.
    bom.metadata.timestamp = None  # type: ignore[assignment]
    product = Component(name="ai-jobs", version=release(), type=ComponentType.APPLICATION, bom_ref="ai-jobs")
    product.licenses.add(_LICENSES.make_with_id("MIT"))
    bom.metadata.component = product
    libraries = {found.name: _library(found) for one in zips for found in one.distributions}
    files = [_file(one) for one in zips]
    bom.components.update(libraries.values(), files)
    bom.register_dependency(product, files)
    for one, file in zip(zips, files, strict=True):
        bom.register_dependency(file, [libraries[found.name] for found in one.distributions])
    # Of what it lists: the same content has the same number on every machine.
    content = "".join(sorted(one.file + hashlib.sha256(one.data).hexdigest() for one in zips))
    bom.serial_number = uuid.uuid5(uuid.NAMESPACE_URL, f"ai-jobs {release()} {content}")
    return JsonV1Dot6(bom).output_as_string(indent=2) + "\n"


def _file(one: Zip) -> Component:
    digest = HashType(alg=HashAlgorithm.SHA_256, content=hashlib.sha256(one.data).hexdigest())
    return Component(name=one.file, type=ComponentType.FILE, bom_ref=one.file, hashes=[digest])


def _library(found: importlib.metadata.Distribution) -> Component:
    url = PackageURL("pypi", name=normalized(found.name), version=found.version)
    return Component(
        name=found.name,
        version=found.version,
        type=ComponentType.LIBRARY,
        bom_ref=url.to_string(),
        purl=url,
        licenses=_licenses(found),
    )


def _licenses(found: importlib.metadata.Distribution) -> list[License]:
    """The license that SPDX knows; otherwise, what the distribution's classifiers say."""
    given = [text for name in ("License-Expression", "License") for text in found.metadata.get_all(name) or []]
    for made in map(_LICENSES.make_from_string, given):
        if not isinstance(made, DisjunctiveLicense) or made.id:
            return [made]
    classifiers = found.metadata.get_all("Classifier") or []
    names = [text.rpartition(" :: ")[2] for text in classifiers if text.startswith("License :: ")]
    return [_LICENSES.make_with_name(name) for name in names]
