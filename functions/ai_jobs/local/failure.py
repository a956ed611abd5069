"""How a local command fails."""

from __future__ import annotations


class Failure(Exception):  # noqa: N818 - it is what the user reads, not an error of the program
    """Ends a command with a message for the user, without a traceback."""
