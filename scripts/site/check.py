"""Checks the built site: links, anchors, pictures, the navigation, and that nothing comes from another server.

Zensical checks the links between Markdown files; this checks what a reader gets, with templates and generated pages.
LinkChecker (PyPI) needs a server for that, and two and a half minutes.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from html.parser import HTMLParser
from posixpath import normpath
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from markdown_it import MarkdownIt

from scripts.project import Failure

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# What a browser fetches by itself; the rest of the links only lead there.
RESOURCES = {"img": "src", "script": "src", "iframe": "src", "source": "src", "video": "src", "audio": "src"}
FETCHED_RELS = {"stylesheet", "icon", "preload", "prefetch", "preconnect", "modulepreload"}
# Where messages and descriptions name pages.
CODE = ("environments", "examples", "functions", "modules")
CODE_SUFFIXES = {".json", ".py", ".tf", ".tfvars"}
MENTION = re.compile(r"\bdocs/([\w/-]+)\.md(?:#([\w-]+))?")
# What a page has as often on GitHub as on the site, and the page for which the site's own Markdown is generated.
STRUCTURE = {"ul": "lists", "ol": "numbered lists", "li": "list items", "pre": "code blocks", "tr": "rows of tables"}
ONLY_ON_THE_SITE = {"reference/http-api.md"}
GITHUB = MarkdownIt("commonmark").enable("table")
FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
CSS_URL = re.compile(r"""(?:url\(|@import\s+)["']?((?:https?:)?//[^"')\s]+)""")


@dataclass
class Page(HTMLParser):
    """The anchors and links of a built page."""

    text: str
    ids: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    navigation: list[str] = field(default_factory=list)
    resources: list[str] = field(default_factory=list)
    structure: Counter[str] = field(default_factory=Counter)
    in_text: bool = False
    has_policy: bool = False

    def __post_init__(self) -> None:
        HTMLParser.__init__(self)
        self.feed(self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.in_text |= tag == "article"
        self.structure[tag] += self.in_text and tag in STRUCTURE
        self.ids |= {found[name] for name in ("id", "name") if name in found}
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
            if "md-nav__link" in found.get("class", ""):
                self.navigation.append(found["href"])
        elif tag == "meta" and found.get("http-equiv") == "Content-Security-Policy":
            self.has_policy = True
        elif tag == "link" and FETCHED_RELS & set(found.get("rel", "").split()):
            self.resources.append(found["href"])
        elif RESOURCES.get(tag) in found:
            self.resources.append(found[RESOURCES[tag]])

    def handle_endtag(self, tag: str) -> None:
        self.in_text &= tag != "article"


class _Site:
    """The built pages, by the path of their file in the site."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        files = sorted(folder.rglob("*.html"))
        self.pages = {path.relative_to(folder).as_posix(): Page(path.read_text(encoding="utf-8")) for path in files}
        del self.pages["404.html"]  # its links are absolute, because it is shown at any path

    def problems(self) -> Iterator[str]:
        """What is wrong with each page."""
        for name, page in self.pages.items():
            for url in dict.fromkeys(page.links):
                yield from self._link(name, url)
            if not page.has_policy:
                yield f"{name}: the page has no Content-Security-Policy. See scripts/site/theme/main.html."
            for url in dict.fromkeys(page.resources):
                if urlsplit(url).netloc:
                    yield f"{name}: browsers would fetch {url} from another server. Put the file into docs/."
                elif urlsplit(url).scheme != "data":
                    yield from self._link(name, url)
        for path in sorted(self.folder.rglob("*.css")):
            for url in CSS_URL.findall(path.read_text(encoding="utf-8")):
                yield f"{path.relative_to(self.folder)}: browsers would fetch {url} from another server."

    def _link(self, name: str, url: str) -> Iterator[str]:
        parts = urlsplit(url)
        if parts.scheme or parts.netloc:
            if parts.scheme in ("http", "https") and not re.fullmatch(
                r"[\w.-]+\.\w+(:\d+)?|localhost(:\d+)?", parts.netloc
            ):
                yield f"{name}: the link {url} is not a URL."
            return
        target = self.file(name, parts.path)
        if not (self.folder / target).is_file():
            yield f"{name}: the link {url} leads to {target}, which does not exist."
        elif parts.fragment and target in self.pages and unquote(parts.fragment) not in self.pages[target].ids:
            yield f"{name}: the link {url} leads to an anchor that {target} does not have."

    def file(self, name: str, path: str) -> str:
        """The file in the site that a link of the page `name` with this path leads to."""
        if not path:
            return name
        found = normpath(f"{name}/../{unquote(path)}")
        return normpath(f"{found}/index.html") if path.endswith(("/", ".")) else found

    def sources(self, sources: Path) -> Iterator[str]:
        """Markdown files that the navigation does not lead to, or that look different on GitHub."""
        reachable = {self.file("index.html", urlsplit(url).path) for url in self.pages["index.html"].navigation}
        for path in sorted(sources.rglob("*.md")):
            page = path.relative_to(sources)
            built = page.with_name("index.html") if page.name == "index.md" else page.with_suffix("") / "index.html"
            if built.as_posix() not in reachable:
                yield f"{page}: the page is not in the navigation. Add it to docs/.nav.yml."
            text = FRONT_MATTER.sub("", path.read_text(encoding="utf-8"))
            on_github = Page(f"<article>{GITHUB.render(text)}</article>").structure
            different = [tag for tag in STRUCTURE if on_github[tag] != self.pages[built.as_posix()].structure[tag]]
            if different and page.as_posix() not in ONLY_ON_THE_SITE:
                names = " and ".join(STRUCTURE[tag] for tag in different)
                yield f"{page}: the site does not show the same {names} as GitHub. Is an indentation unusual?"

    def mentions(self, root: Path) -> Iterator[str]:
        """Pages of docs/ that messages and descriptions in the code name, but that don't exist."""
        for path in sorted(
            path for folder in CODE for path in (root / folder).rglob("*") if path.suffix in CODE_SUFFIXES
        ):
            for name, anchor in MENTION.findall(path.read_text(encoding="utf-8")):
                page = self.pages.get("index.html" if name == "index" else f"{name}/index.html")
                if page is None or (anchor and anchor not in page.ids):
                    where = path.relative_to(root).as_posix()
                    yield f"{where}: it names docs/{name}.md{anchor and f'#{anchor}'}, which does not exist."


def check(folder: Path, sources: Path, root: Path) -> None:
    """Check the built site.

    Args:
        folder: the built site.
        sources: the Markdown files that it was built from.
        root: the repository, whose code names pages.

    Raises:
        Failure: names everything that is wrong.
    """
    site = _Site(folder)
    problems = [*site.problems(), *site.mentions(root), *site.sources(sources)]
    if problems:
        raise Failure("\n".join(["The site is not in order:", *problems]))
