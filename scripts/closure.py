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
    """All that a module imports, directly or not.

    Attributes:
        modules: our own, itself and the packages on the way included.
        libraries: the top-level names of all others that do not come with Python.
    """

    modules: frozenset[str]
    libraries: frozenset[str]


def closures(entries: Iterable[str], folder: Path) -> dict[str, Closure]:
    """The closure of each of these modules in the packages of a folder.

    Imports within functions count. Those for types (`if TYPE_CHECKING:`) do not, nor do names that a module makes up
    when it runs.
    """
    packages = sorted(path.parent.name for path in folder.glob("*/__init__.py"))
    # The folder's own packages, whatever else of their names is installed.
    sys.path.insert(0, str(folder))
    try:
        graph = grimp.build_graph(
            *packages, include_external_packages=True, exclude_type_checking_imports=True, cache_dir=None
        )
    finally:
        sys.path.remove(str(folder))
    return {entry: _closure(entry, graph, set(packages)) for entry in entries}


def _closure(entry: str, graph: grimp.ImportGraph, packages: set[str]) -> Closure:
    found: set[str] = set()
    waiting = {entry}
    while waiting:
        module = waiting.pop()
        found.add(module)
        # Python runs the __init__ of every package on the way to a module.
        package = module.rpartition(".")[0]
        imported = graph.find_modules_directly_imported_by(module) | ({package} if package else set())
        waiting |= imported - found
    own = frozenset(module for module in found if module.partition(".")[0] in packages)
    return Closure(own, frozenset(found - own - sys.stdlib_module_names))


def files(modules: Iterable[str], folder: Path) -> Iterator[Path]:
    """The source files of these modules, and the data files beside them, such as JSON."""
    sources = {_source(module, folder) for module in modules}
    yield from sorted(sources)
    for package in sorted({source.parent for source in sources}):
        yield from sorted(path for path in package.iterdir() if path.is_file() and path.suffix != ".py")


def _source(module: str, folder: Path) -> Path:
    path = folder.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
