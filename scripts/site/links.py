"""Rewrites the links of a Markdown file for its place on the site.

On GitHub, links lead to files of the repository. On the site, some of these files are pages, and the others are only in
the repository.
"""

from __future__ import annotations

import os.path
import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# The target of a link, an image, or a link definition; code comes first, because nothing in it is a link.
LINK = re.compile(
    r"(?P<code>^(?P<indent> *)(?P<fence>```+|~~~+).*?^(?P=indent)(?P=fence) *$|`[^`\n]+`)"
    r"|(?P<before>\]\(|^\[[^\]\n]+\]: +)(?P<target>[^()\s]+)",
    re.MULTILINE | re.DOTALL,
)
ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:|#|//", re.IGNORECASE)


class Links:
    """The links of all files: where each file of the repository is for a reader of the site.

    Args:
        root: the repository.
        pages: the files that are on the site, by their path in the repository, with their path on the site.
        repository: the repository's URL, such as https://github.com/your-org/ai-jobs.
    """

    def __init__(self, root: Path, pages: Mapping[str, str], repository: str) -> None:
        self.root = root
        self.pages = pages
        self.repository = repository
        self.broken: list[str] = []

    def rewritten(self, text: str, source: str) -> str:
        """The text of the file `source`, with links for its page. Links to files that don't exist go to `broken`."""

        def link(match: re.Match[str]) -> str:
            return match[0] if match["code"] else match["before"] + self._target(match["target"], source)

        return LINK.sub(link, text)

    def _target(self, target: str, source: str) -> str:
        path, hash_mark, anchor = self._path(target, source).partition("#")
        if ELSEWHERE.match(target) and not path:
            return target
        if path in self.pages:
            here = PurePosixPath(self.pages[source]).parent
            return os.path.relpath(self.pages[path], here) + hash_mark + anchor
        if not (self.root / path).exists():
            self.broken.append(f"{source}: the link {target} leads to {path}, which does not exist.")
        kind = "tree" if (self.root / path).is_dir() else "blob"
        return f"{self.repository}/{kind}/main/{path}{hash_mark}{anchor}"

    def _path(self, target: str, source: str) -> str:
        """The path in the repository that a link leads to, with its anchor; empty if it leads elsewhere."""
        in_repository = re.match(rf"{re.escape(self.repository)}/(?:blob|tree)/main/(.+)", target)
        if in_repository:
            return in_repository[1]
        if ELSEWHERE.match(target):
            return ""
        path, hash_mark, anchor = target.partition("#")
        return os.path.normpath(PurePosixPath(source).parent / path) + hash_mark + anchor
