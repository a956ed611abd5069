"""What the commands share: paths, how they fail, and the environment of everything that runs locally."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ROOT = Path(__file__).resolve().parent.parent
DIST = ROOT / "dist"
LOCAL = ROOT / ".local"
TERRAFORM = ROOT / "scripts" / "terraform"
LOCAL_ENVIRONMENT = ROOT / "environments" / "local"
CREDENTIALS_FILE = LOCAL_ENVIRONMENT / "credentials.env"


class Failure(Exception):  # noqa: N818 - it is what the user reads, not an error of the program
    """Ends a command with a message for the user, without a traceback."""


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


def credentials() -> dict[str, str]:
    """The fake keys and the region of the local AWS, from environments/local/credentials.env."""
    lines = CREDENTIALS_FILE.read_text(encoding="utf-8").splitlines()
    pairs = (line.split("=", 1) for line in map(str.strip, lines) if line and not line.startswith("#"))
    return {name.strip(): value.strip() for name, value in pairs}


def local_environment(endpoint_url: str | None = None, base: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment for everything that talks to the local AWS.

    It contains nothing of the caller's AWS configuration: no profile, key, token, region, endpoint, or configuration
    file. Therefore no local command can ever reach a real account. Loopback never goes through a proxy.
    """
    caller = os.environ if base is None else base
    environment = {name: value for name, value in caller.items() if not _belongs_to_the_caller(name)}
    environment |= credentials()
    environment |= {
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    if endpoint_url:
        environment["AWS_ENDPOINT_URL"] = endpoint_url
    for name in ("NO_PROXY", "no_proxy"):
        environment[name] = ",".join(filter(None, [caller.get(name), "127.0.0.1", "localhost"]))
    return environment


def _belongs_to_the_caller(name: str) -> bool:
    # With a workspace or data folder that the caller chose for another root, terraform would not find the local state.
    return name.startswith("AWS_") or name in {"TF_WORKSPACE", "TF_DATA_DIR"}
