"""The whole system on this machine: environments/local on a local AWS, with the zips of this clone.

    python -m scripts.local_stack up | down | outputs

`ai-jobs local` does the work (ai_jobs.local). Here, what shapes the stack is known, so that `up` does not even plan if
nothing changed. `outputs` prints the Terraform outputs as JSON, {name: value}, and nothing else to stdout.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
from typing import TYPE_CHECKING, Any

from ai_jobs.cli.local.commands import refuse_broken_job_types
from ai_jobs.local import stack
from ai_jobs.local.root import FOLDER, Root
from ai_jobs.local.terraform import COMMAND_VARIABLE
from scripts import package
from scripts.project import DIST, LOCAL_ENVIRONMENT, ROOT, TERRAFORM, run

if TYPE_CHECKING:
    from pathlib import Path

    from ai_jobs.local.instances import Instance

STACK = Root(LOCAL_ENVIRONMENT, up="make local-up", down="make local-down")


def up() -> Instance:
    """Package the functions, start the stack, or bring it up to date, and return the local AWS that it is on."""
    os.environ.setdefault(COMMAND_VARIABLE, str(TERRAFORM))
    if package.build():
        print("packaged the functions", file=sys.stderr, flush=True)
    return stack.up(STACK, stack.Options(inputs=_inputs_digest()), refuse_broken_job_types)


def outputs() -> dict[str, Any]:
    """The outputs of environments/local as {name: value}, and where the local AWS, its model, and the API are."""
    values = stack.outputs(STACK)
    return values | stack.reached(STACK, values)[1]


def what_is_left() -> str:
    """The state that an interrupted command leaves, and how to continue."""
    return stack.what_is_left(STACK)


def _inputs_digest() -> str:
    """A digest of all that shapes the stack: the HCL, the zips, and the caller's variables."""
    digest = hashlib.sha256((DIST / "manifest.json").read_bytes())
    for name in sorted(os.environ):
        if name.startswith("TF_VAR_"):
            digest.update(f"{name}={os.environ[name]}\0".encode())
    for path in _source_files():
        digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def _source_files() -> list[Path]:
    ours = (path for folder in (ROOT / "modules", LOCAL_ENVIRONMENT) for path in folder.rglob("*"))
    return sorted(
        path
        for path in (*ours, ROOT / "functions/ai_jobs/contract/limits.json")
        if path.is_file() and not {".terraform", FOLDER} & set(path.parts)
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m scripts.local_stack", description="The system on this machine.")
    parser.add_argument("command", choices=["up", "down", "outputs"])
    command = parser.parse_args().command
    if command == "up":
        instance = up()
        print(f"The stack is up at {instance.endpoint_url}. Outputs: make local-outputs. Stop it: make local-down")
    elif command == "down":
        print("The local stack is stopped." if stack.down(STACK) else "The local stack was not running.")
    else:
        print(json.dumps(outputs(), indent=2))


if __name__ == "__main__":
    run(main, what_is_left)
