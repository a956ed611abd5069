"""Builds the docs site, and serves it while someone writes.

python -m scripts.site build            builds build/site and checks every link in it; any warning fails
python -m scripts.site serve [ADDRESS]  serves it on loopback, and follows changes
"""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

from scripts.project import ROOT, Failure, run
from scripts.site.check import check
from scripts.site.stage import STAGED, stage

if TYPE_CHECKING:
    from collections.abc import Sequence

# A tool that follows the links between Markdown files as GitHub does. It is not in the environment, because it wants
# another aiohttp than the client's tests.
LINK_CHECK = (str(ROOT / "scripts" / "uv"), "tool", "run", "--quiet", "md-dead-link-check==1.3.0")
ZENSICAL = (sys.executable, "-m", "zensical")
ADDRESS = "127.0.0.1:8000"


def build() -> None:
    """Build and check the site."""
    _run("md-dead-link-check found links that are broken on GitHub, or could not run", LINK_CHECK)
    stage()
    _run("Zensical could not build the site", (*ZENSICAL, "build", "--clean", "--strict"))
    check(ROOT / "build" / "site", STAGED, ROOT)
    print("built build/site")


def _run(problem: str, command: Sequence[str]) -> None:
    """Run a command, whose output is shown only if it fails."""
    done = subprocess.run(command, cwd=ROOT, text=True, capture_output=True)
    if done.returncode:
        raise Failure(f"{problem}:\n{done.stdout}{done.stderr}")


def serve(address: str) -> None:
    """Serve the site, and stage it again when a source has changed."""
    stage()
    server = subprocess.Popen([*ZENSICAL, "serve", "--dev-addr", address], cwd=ROOT)
    try:
        before = _newest()
        while server.poll() is None:
            time.sleep(0.5)
            if (now := _newest()) != before:
                before = now
                _stage_again()
    finally:
        server.terminate()


def _stage_again() -> None:
    """Stage the sources; a link that is not finished yet does not end the server."""
    try:
        stage()
    except Failure as failure:
        print(failure, file=sys.stderr)


def _newest() -> float:
    sources = [*(ROOT / "docs").rglob("*"), *ROOT.glob("*.md"), *(ROOT / "modules").glob("*/README.md")]
    return max(path.stat().st_mtime for path in sources)


def main() -> None:
    match sys.argv[1:]:
        case ["build"]:
            build()
        case ["serve", *rest]:
            serve(rest[0] if rest else ADDRESS)
        case _:
            raise Failure("Say what to do: python -m scripts.site build, or python -m scripts.site serve [ADDRESS].")


if __name__ == "__main__":
    run(main)
