"""Checks every resource type, argument, and block of the HCL against the schema of AWS provider 6.x.

    python -m scripts.check_provider

The tests run with provider 5.100. The schema of 6.x comes from the npm package that cdktf generates from it: its type
declarations name each argument and block of every resource. The package is downloaded once, into build/.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hcl2

from scripts.project import ROOT, Failure, run

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PACKAGE = "@cdktf/provider-aws"
VERSION = "21.22.0"  # the last one, from provider 6.25.0
ARCHIVE = ROOT / "build" / f"cdktf-provider-aws-{VERSION}.tgz"
FOLDERS = ("modules", "environments")

# The arguments that Terraform itself accepts in any resource, data source, or provider.
META_ARGUMENTS = {"count", "for_each", "provider", "depends_on", "lifecycle", "provisioner", "connection", "alias"}

INTERFACE = re.compile(r"^export interface (\w+)[^{]*\{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
# If the field is a block, its type is one of the file's interfaces.
FIELD = re.compile(r"#(\w+) \w+#\w+\}.*?readonly \w+\??: (\w*)", re.DOTALL)
RESOURCE_TYPE = re.compile(r'static readonly tfResourceType = "(\w+)"')


@dataclass(frozen=True)
class Type:
    """What a resource, data source, or provider accepts: {argument: type} by interface (its own and its blocks')."""

    root: str
    interfaces: dict[str, dict[str, str]]


# By kind (resource, data, provider) and type.
Schema = dict[tuple[str, str], Type]


@dataclass(frozen=True)
class Use:
    """A block of HCL, and what it sets."""

    file: str
    kind: str
    type: str
    name: str
    body: dict[str, Any]

    def __str__(self) -> str:
        label = ".".join(part for part in ("" if self.kind == "resource" else self.kind, self.type, self.name) if part)
        return f"{self.file}: {label}"


def download() -> None:
    """Download the package, which npm checks against its registry's digest."""
    if ARCHIVE.exists():
        return
    npm = shutil.which("npm")
    if npm is None:
        raise Failure(f"npm is not on PATH. It downloads {PACKAGE}, the schema of AWS provider 6.x. Install Node.js.")
    ARCHIVE.parent.mkdir(exist_ok=True)
    print(f"downloading {PACKAGE} {VERSION} (37 MB, once)")
    command = [npm, "pack", f"{PACKAGE}@{VERSION}", "--silent", "--pack-destination", str(ARCHIVE.parent)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode or not ARCHIVE.exists():
        raise Failure(f"npm could not download {PACKAGE}@{VERSION}:\n{done.stderr or done.stdout}")


def declarations(archive: Path) -> Iterator[tuple[str, str]]:
    """The type declarations in the package, with the names of their folders."""
    with tarfile.open(archive) as package:
        for member in package:
            path = Path(member.name)
            if path.name == "index.d.ts" and len(path.parts) == 4 and (content := package.extractfile(member)):
                yield path.parent.name, content.read().decode()


def schema(files: Iterable[tuple[str, str]]) -> Schema:
    """What each type accepts, according to the type declarations."""
    types: Schema = {}
    for folder, text in files:
        if found := RESOURCE_TYPE.search(text):
            kind = "data" if folder.startswith("data-aws-") else "provider" if folder == "provider" else "resource"
            interfaces = {name: dict(FIELD.findall(body)) for name, body in INTERFACE.findall(text)}
            types[kind, found[1]] = Type(root=next(iter(interfaces)), interfaces=interfaces)
    return types


def uses(files: Iterable[Path], root: Path) -> Iterator[Use]:
    """The resources, data sources, and provider configurations of the AWS provider in the files."""
    for file in files:
        document = hcl2.loads(file.read_text(encoding="utf-8"))
        where = file.relative_to(root).as_posix()
        for kind in ("resource", "data"):
            for block in document.get(kind, []):
                for type_, named in _labels(block):
                    for name, body in _labels(named):
                        if type_.startswith("aws_"):
                            yield Use(where, kind, type_, name, body)
        for block in document.get("provider", []):
            yield from (Use(where, "provider", type_, "", body) for type_, body in _labels(block) if type_ == "aws")


def arguments(use: Use, types: Schema) -> Iterator[tuple[str, bool]]:
    """The arguments and blocks that a use sets, including those in its blocks, and whether the provider has each."""
    known = types.get((use.kind, use.type))
    if known is None:
        yield f"{use}: the provider has no such type", False
        return
    body = {name: value for name, value in use.body.items() if name not in META_ARGUMENTS}
    yield from _arguments(str(use), body, known, known.root)


def _arguments(where: str, body: dict[str, Any], known: Type, interface: str) -> Iterator[tuple[str, bool]]:
    fields = known.interfaces[interface]
    for name, value in body.items():
        if name == "dynamic":
            for label, block in (labeled for each in value for labeled in _labels(each)):
                yield from _arguments(where, {label: block["content"]}, known, interface)
        elif not name.startswith("__"):
            yield f"{where}: {name}", name in fields
            if fields.get(name) in known.interfaces:
                for block in value if isinstance(value, list) else []:
                    if isinstance(block, dict):
                        yield from _arguments(f"{where}: {name}", block, known, fields[name])


def _labels(block: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The labels without their quotes, which python-hcl2 keeps, and without the entries that it adds."""
    return ((name.strip('"'), body) for name, body in block.items() if not name.startswith("__"))


def sources() -> list[Path]:
    found = (path for folder in FOLDERS for path in (ROOT / folder).rglob("*.tf"))
    return sorted(path for path in found if ".terraform" not in path.parts)


def check(files: list[Path], root: Path, types: Schema) -> int:
    """Check the files, and return how many arguments and blocks they set.

    Raises:
        Failure: naming those that the provider does not have.
    """
    checked = [argument for use in uses(files, root) for argument in arguments(use, types)]
    unknown = [where for where, is_known in checked if not is_known]
    if unknown:
        listed = "\n".join(f"  {where}" for where in unknown)
        raise Failure(f"AWS provider 6.x does not have what these set:\n{listed}\nLook them up in its upgrade guide.")
    return len(checked)


def main() -> None:
    download()
    types = schema(declarations(ARCHIVE))
    number = check(sources(), ROOT, types)
    print(f"{number} arguments and blocks in {' and '.join(FOLDERS)}: AWS provider 6.x has all of them")


if __name__ == "__main__":
    run(main)
