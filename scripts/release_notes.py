"""Prints what CHANGELOG.md says about a release, for a tag that is about to become one.

    python -m scripts.release_notes v1.2.3

It refuses a tag that is not of the version in pyproject.toml, and a version that the changelog does not have yet, or
has without a date: the release workflow runs it before it builds anything.
"""

from __future__ import annotations

import argparse
import re

from scripts import release_files
from scripts.project import ROOT, Failure, run

_CHANGELOG = "CHANGELOG.md"


def notes(tag: str) -> str:
    """The changelog's section of the release, without its heading.

    Raises:
        Failure: if the tag, the version in pyproject.toml, and the changelog do not agree.
    """
    version = release_files.release()
    if tag != f"v{version}":
        raise Failure(
            f"the tag is {tag}, and pyproject.toml has version {version}: the tag must be v{version}. Delete the tag, "
            "and tag the commit that sets the version."
        )
    text = (ROOT / _CHANGELOG).read_text(encoding="utf-8")
    heading = re.search(rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d$", text, re.MULTILINE)
    if heading is None:
        raise Failure(
            f"{_CHANGELOG} has no section with the heading `## [{version}] - YYYY-MM-DD`. Give that heading to what is "
            "under Unreleased, with the date of the release."
        )
    return re.split(r"^(?:## |\[[^]]+\]: )", text[heading.end() :], maxsplit=1, flags=re.MULTILINE)[0].strip()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m scripts.release_notes", description="The notes of a release.")
    parser.add_argument("tag", help="the git tag, such as v1.2.3")
    print(notes(parser.parse_args().tag))


if __name__ == "__main__":
    run(main)
