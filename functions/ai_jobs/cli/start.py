"""What the console script calls: the command, or a message that says what to install for it."""

from __future__ import annotations

import sys


def main() -> None:
    """Run `ai-jobs`."""
    try:
        from ai_jobs.cli.main import main as command
    except ModuleNotFoundError as error:
        if error.name not in ("click", "rich"):
            raise
        sys.exit(f"ai-jobs needs {error.name}: install the command with: pip install 'ai-jobs[cli]'")
    command()
