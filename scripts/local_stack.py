"""The whole system on this machine: the local AWS with environments/local applied to it.

    python -m scripts.local_stack up | down | outputs

`up` does only what is needed: it reuses what is running, and applies nothing if nothing changed. `outputs` prints the
Terraform outputs as JSON, {name: value}, and nothing else to stdout.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from scripts import local_aws, package
from scripts.project import DIST, LOCAL, LOCAL_ENVIRONMENT, ROOT, TERRAFORM, Failure, local_environment, run

if TYPE_CHECKING:
    from scripts.local_aws import Instance

STATE = LOCAL_ENVIRONMENT / "terraform.tfstate"
# Records what was applied, and to which instance: a restarted MiniStack is empty, no matter what the state says.
APPLIED = LOCAL / "applied.json"
LOG = LOCAL / "terraform.log"
PLAN = LOCAL / "terraform.plan"
COMMAND = Path(sys.executable).with_name("ai-jobs")
_LOG_LINES = 20


def up() -> Instance:
    """Start the stack, or bring it up to date, and return the local AWS that it is on."""
    if package.build():
        _say("packaged the functions")
    instance = local_aws.start(port=local_aws.port_from_environment())
    applied = _applied()
    unfinished = applied.get("inputs") is None or not STATE.exists()
    if applied.get("instance") == instance.identity and unfinished:
        # An interrupted apply leaves behind resources that its state may not know; start over.
        local_aws.stop()
        instance = local_aws.start(port=instance.port)
    if applied.get("instance") != instance.identity:
        _drop_state()
    inputs = _inputs_digest(instance)
    if applied == {"instance": instance.identity, "inputs": inputs}:
        return instance
    # Until there is a plan, nothing has changed: an invalid configuration leaves the running stack as it is.
    changes_job_types = _plan(instance)
    _remember(instance, inputs=None)
    _apply(instance)
    _remember(instance, inputs)
    if changes_job_types:
        _wait_for_job_types(outputs()["config_max_age_seconds"])
    return instance


def down() -> bool:
    """Stop the local AWS and discard what was applied to it; False if it was not running."""
    stopped = local_aws.stop()
    _drop_state()
    return stopped


def outputs() -> dict[str, Any]:
    """The outputs of environments/local as {name: value}."""
    instance = local_aws.status()
    applied = _applied()
    if instance is None or applied.get("instance") != instance.identity or applied.get("inputs") is None:
        raise Failure("the local stack is not up, or its last apply did not finish. Run: make local-up")
    done = _terraform(instance, "output", "-json")
    if done.returncode:
        raise Failure(f"terraform output failed:\n{done.stderr}")
    return {name: output["value"] for name, output in json.loads(done.stdout).items()}


def what_is_left() -> str:
    """The state that an interrupted command leaves, and how to continue."""
    instance, applied = local_aws.status(), _applied()
    if instance is None:
        return "The local AWS is not running. Run make local-up or make demo to start it."
    if applied.get("instance") == instance.identity and applied.get("inputs") is not None:
        return f"The stack is up at {instance.endpoint_url}, as last applied. Stop it with: make local-down"
    return (
        f"The local AWS is running at {instance.endpoint_url}, with at most a part of the stack. "
        "The next make local-up or make demo starts over. Stop it with: make local-down"
    )


def _applied() -> dict[str, str | None]:
    try:
        applied: dict[str, str | None] = json.loads(APPLIED.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return applied


def _remember(instance: Instance, inputs: str | None) -> None:
    APPLIED.write_text(json.dumps({"instance": instance.identity, "inputs": inputs}), encoding="utf-8")


def _drop_state() -> None:
    for path in (STATE, STATE.with_name("terraform.tfstate.backup"), APPLIED):
        path.unlink(missing_ok=True)


def _inputs_digest(instance: Instance) -> str:
    """A digest of all that shapes the stack: the HCL, the zips, the caller's variables, the local AWS's address."""
    digest = hashlib.sha256(instance.endpoint_url.encode())
    digest.update((DIST / "manifest.json").read_bytes())
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
        if path.is_file() and ".terraform" not in path.parts and not path.name.startswith("terraform.tfstate")
    )


def _plan(instance: Instance) -> bool:
    """Plan the changes without making them. True if they replace job types that workers may hold."""
    LOG.unlink(missing_ok=True)
    steps = (("init",), ("plan", f"-out={PLAN}"))
    for arguments in steps:
        if not _succeeds(instance, *arguments):
            raise Failure(f"terraform {arguments[0]} failed: {_unchanged()} {_end_of_log()}")
    shown = _terraform(instance, "show", "-json", str(PLAN))
    if shown.returncode:
        raise Failure(f"terraform show failed: {_unchanged()}\n{shown.stderr}")
    _check_job_types(shown.stdout)
    changes = json.loads(shown.stdout).get("resource_changes", [])
    # A deployment that is only created replaces none.
    return any(
        change["type"] == "aws_appconfig_deployment" and {"update", "delete"} & set(change["change"]["actions"])
        for change in changes
    )


def _check_job_types(plan: str) -> None:
    """Refuse a plan whose job types the workers could not use, as `make plan` does for the environments on AWS."""
    command = [str(COMMAND), "types", "check", "-"]
    done = subprocess.run(command, input=plan, env=local_environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        found = f"{done.stdout}{done.stderr}".rstrip()
        problem = "ai-jobs types check found errors in the plan"
        raise Failure(f"{problem}: {_unchanged()} Fix them and run it again.\n{found}")


def _unchanged() -> str:
    running = _applied().get("inputs") is not None
    return f"nothing was applied.{' The running stack is unchanged.' if running else ''}"


def _apply(instance: Instance) -> None:
    started = time.monotonic()
    _say(
        f"applying environments/local to {instance.endpoint_url} (a minute or two, most of it waiting for queues; "
        f"log: {LOG.relative_to(ROOT)})"
    )
    if not _succeeds(instance, "apply", str(PLAN)):
        raise Failure(
            "terraform apply failed. A part of the stack may exist. The next make local-up or make demo starts over on "
            f"an empty local AWS. {_end_of_log()}"
        )
    _say(f"applied in {time.monotonic() - started:.0f} s")


def _wait_for_job_types(seconds: int) -> None:
    """Wait until no worker holds the replaced job types: workers read them again when they reach this age."""
    _say(f"the job types have changed: waiting {seconds} s until every worker has read them")
    time.sleep(seconds)


def _succeeds(instance: Instance, command: str, *arguments: str) -> bool:
    """Run a terraform command and append its output to the log."""
    with LOG.open("a", encoding="utf-8") as log:
        done = _terraform(instance, command, "-input=false", "-no-color", *arguments, output=log)
    return done.returncode == 0


def _end_of_log() -> str:
    lines = LOG.read_text(encoding="utf-8", errors="replace").splitlines()[-_LOG_LINES:]
    return "\n".join([f"The end of {LOG.relative_to(ROOT)}:", *lines])


def _terraform(instance: Instance, *arguments: str, output: TextIO | None = None) -> subprocess.CompletedProcess[str]:
    """Run terraform in environments/local; its output is captured, or written to a file if one is given."""
    environment = local_environment(instance.endpoint_url) | {"TF_VAR_endpoint_url": instance.endpoint_url}
    if instance.model:
        environment["TF_VAR_model_endpoint_url"] = instance.model.endpoint_url
    command = [str(TERRAFORM), f"-chdir={LOCAL_ENVIRONMENT}", *arguments]
    into: dict[str, Any] = {"stdout": output, "stderr": subprocess.STDOUT} if output else {"capture_output": True}
    return subprocess.run(command, env=environment, text=True, check=False, **into)


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m scripts.local_stack", description="The system on this machine.")
    parser.add_argument("command", choices=["up", "down", "outputs"])
    command = parser.parse_args().command
    if command == "up":
        instance = up()
        print(f"The stack is up at {instance.endpoint_url}. Outputs: make local-outputs. Stop it: make local-down")
    elif command == "down":
        print("The local stack is stopped." if down() else "The local stack was not running.")
    else:
        print(json.dumps(outputs(), indent=2))


if __name__ == "__main__":
    run(main, what_is_left)
