"""What a handler imports, read from the source: which of our modules and which libraries its zip needs."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import grimp

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


@dataclass(frozen=True)
class Closure:
    """Everything that a module imports, directly or indirectly.

    Attributes:
        modules: our own modules, including the module itself and the packages on the way.
        libraries: the top-level names of all others, except Python's standard library.
        library_modules: the modules of those libraries that were followed.
    """

    modules: frozenset[str]
    libraries: frozenset[str]
    library_modules: frozenset[str]


# Imports that never run. Powertools serializes pydantic's models with this one, and no zip has pydantic.
_NEVER_RUN = (("aws_lambda_powertools.shared.functions", "aws_lambda_powertools.event_handler.openapi.compat"),)


def closures(
    entries: Iterable[str], folder: Path, site: Path | None = None, followed: Iterable[str] = ()
) -> dict[str, Closure]:
    """The closure of each of these modules within the packages of a folder.

    Args:
        site: the folder of the libraries.
        followed: the libraries (top-level names) of which it should be known, too, which of their modules are imported.

    Imports inside functions count. Imports for types (`if TYPE_CHECKING:`) do not count, and neither do names that a
    module computes at run time.
    """
    packages = sorted(path.parent.name for path in folder.glob("*/__init__.py"))
    # So that grimp finds the packages of these folders, even if others of the same names are installed.
    folders = [str(folder), *([str(site)] if site else [])]
    sys.path[:0] = folders
    try:
        graph = grimp.build_graph(
            *packages, *followed, include_external_packages=True, exclude_type_checking_imports=True, cache_dir=None
        )
    finally:
        del sys.path[: len(folders)]
    for importer, imported in _NEVER_RUN:
        if {importer, imported} <= graph.modules:
            graph.remove_import(importer=importer, imported=imported)
    return {entry: _closure(entry, graph, set(packages), set(followed)) for entry in entries}


def _closure(entry: str, graph: grimp.ImportGraph, packages: set[str], followed: set[str]) -> Closure:
    found: set[str] = set()
    waiting = {entry}
    while waiting:
        module = waiting.pop()
        found.add(module)
        # Python runs the __init__ of every package on the way to a module.
        package = module.rpartition(".")[0]
        imported = graph.find_modules_directly_imported_by(module) | ({package} if package else set())
        if _top(module) in followed:
            # What else it imports, it either requires, as its metadata says, or does without.
            imported = {name for name in imported if _top(name) in followed}
        waiting |= imported - found
    own = frozenset(module for module in found if _top(module) in packages)
    library_modules = frozenset(module for module in found if _top(module) in followed)
    libraries = frozenset(_top(module) for module in found - own - sys.stdlib_module_names)
    return Closure(own, libraries, library_modules)


def _top(module: str) -> str:
    return module.partition(".")[0]


def files(modules: Iterable[str], folder: Path) -> Iterator[Path]:
    """The source files of these modules, and the data files beside them, such as limits.json."""
    sources = {_source(module, folder) for module in modules}
    yield from sorted(sources)
    for package in sorted({source.parent for source in sources}):
        yield from sorted(path for path in package.iterdir() if path.is_file() and path.suffix != ".py")


def _source(module: str, folder: Path) -> Path:
    path = folder.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
