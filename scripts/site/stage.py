"""Copies what the site shows to build/docs: docs/, the pages that are elsewhere on GitHub, and generated ones."""

from __future__ import annotations

import shutil
import tomllib
from typing import TYPE_CHECKING

from scripts.project import ROOT, Failure
from scripts.site import commands, http_api
from scripts.site.links import Links
from scripts.site.lists import widened

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

STAGED = ROOT / "build" / "docs"
# The pages outside docs/, which stay where GitHub looks for them.
PROJECT_PAGES = {
    "CHANGELOG.md": "project/changelog.md",
    "UPGRADING.md": "project/upgrading.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "SECURITY.md": "project/security-policy.md",
}


def repository_url(root: Path) -> str:
    """The repository's URL, from zensical.toml."""
    return str(tomllib.loads((root / "zensical.toml").read_text(encoding="utf-8"))["project"]["repo_url"])


def pages(root: Path) -> dict[str, str]:
    """The files that are on the site: their paths in the repository, with those on the site."""
    found = {path.relative_to(root).as_posix(): path for path in sorted((root / "docs").rglob("*")) if path.is_file()}
    modules = sorted((root / "modules").glob("*/README.md"))
    return {
        **{name: path.relative_to(root / "docs").as_posix() for name, path in found.items()},
        **{name: page for name, page in PROJECT_PAGES.items() if (root / name).exists()},
        **{path.relative_to(root).as_posix(): f"reference/modules/{path.parent.name}.md" for path in modules},
    }


def stage(root: Path = ROOT, target: Path = STAGED) -> None:
    """Write the site's sources anew.

    Raises:
        Failure: a link leads to a file that does not exist.
    """
    found = pages(root)
    links = Links(root, found, repository_url(root))
    texts = {
        page: widened(links.rewritten(_text(root / name), name)) for name, page in found.items() if _markdown(name)
    }
    texts["reference/http-api.md"] = http_api.page(root / "docs" / "openapi.yaml")
    texts["reference/commands.md"] = commands.page()
    if links.broken:
        raise Failure("\n".join(["These links are broken. Correct them, or add the files:", *links.broken]))
    shutil.rmtree(target, ignore_errors=True)
    _write(target, texts)
    _copy(root, target, {name: page for name, page in found.items() if not _markdown(name)})


def _markdown(name: str) -> bool:
    return name.endswith(".md")


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _write(target: Path, texts: Mapping[str, str]) -> None:
    for page, text in texts.items():
        path = target / page
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _copy(root: Path, target: Path, files: Mapping[str, str]) -> None:
    for name, file in files.items():
        path = target / file
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / name, path)
