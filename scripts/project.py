"""What the commands share: paths, and how they fail."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ai_jobs.local.failure import Failure as Failure

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parent.parent
DIST = ROOT / "dist"
LOCAL = ROOT / ".local"
TERRAFORM = ROOT / "scripts" / "terraform"
LOCAL_ENVIRONMENT = ROOT / "environments" / "local"


def run(main: Callable[[], None], what_is_left: Callable[[], str] = lambda: "Run it again to continue.") -> None:
    """Run a command's main function; a Failure becomes a message on stderr and exit code 1.

    Args:
        what_is_left: tells the user after Ctrl-C what state things are in, and how to continue.
    """
    try:
        main()
    except Failure as failure:
        print(f"error: {failure}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print(f"\ninterrupted. {what_is_left()}", file=sys.stderr)
        sys.exit(130)
