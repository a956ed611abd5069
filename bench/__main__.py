"""Measures the sections and writes bench/results.json, docs/performance.md, and docs/img/bench-*.png.

python -m bench [SECTION ...]      # all sections, or these; the others keep their results
python -m bench render [--check]   # the page and the pictures from the results; --check only compares the page
"""

from __future__ import annotations

import argparse
from pathlib import Path

from bench import page, results, sections
from scripts.project import ROOT, Failure
from scripts.project import run as run_program


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.partition("\n")[0])
    parser.add_argument("what", nargs="*", metavar="SECTION", help=f"{', '.join(sections.NAMES)}, or render")
    parser.add_argument("--check", action="store_true", help="with render: change nothing; fail if the page is old")
    parser.add_argument("--smoke", action="store_true", help="measure as little as shows that it works, without peers")
    parser.add_argument("--root", type=Path, default=ROOT, help="where the results and the page are written")
    given = parser.parse_args()
    if given.what == ["render"]:
        (check if given.check else render)(given.root)
        return
    if given.smoke and given.root.resolve() == ROOT:
        raise Failure("--smoke measures too little for the project's own results. Add --root with another folder.")
    measure(_known(given.what), sections.Scale.SMOKE if given.smoke else sections.Scale.FULL, given.root)
    render(given.root)


def _known(names: list[str]) -> list[str]:
    for name in names:
        if name not in sections.NAMES:
            raise Failure(f"there is no section {name!r}. It must be one of: {', '.join(sections.NAMES)}.")
    return [name for name in sections.NAMES if name in names or not names]


def measure(names: list[str], scale: sections.Scale, root: Path) -> None:
    """Measure these sections; the results are written after each, so that a failure costs only the rest."""
    document = results.read(root)
    run = results.Run(document)
    for name in names:
        print(f"{name} ...", flush=True)
        run.add(name, results.measured(sections.load(name), scale))
        print(f"{name}: {document['sections'][name]['seconds']} s", flush=True)
        results.write(document, root)


def render(root: Path) -> None:
    """Write the pages, the README's section on cost, and the pictures."""
    document = results.read_measured(root)
    for path, text in page.texts(document, root):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    page.draw(document, root)


def check(root: Path) -> None:
    """Fail if a page is not what the results give."""
    for path, text in page.texts(results.read_measured(root), root):
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            raise Failure(f"out of date: {path.relative_to(root)}. Run: python -m bench render")


if __name__ == "__main__":
    run_program(main)
