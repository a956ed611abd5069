"""The functions' live versions: do they run, and do they run what Terraform deployed? The schedule, too."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ai_jobs.aws.clients import get_scheduler_client
from ai_jobs.contract import variables
from ai_jobs.contract.limits import LIVE
from ai_jobs.operate.doctor.findings import APPLY, Finding, State, Subject

FUNCTIONS = ("processor", "result handler", "jobs API", "reconciler")
"""The functions that every environment has."""

# As modules/function makes it.
_BUILD = re.compile("[0-9a-f]{12}")


def check_function(name: str, subject: Subject) -> Iterator[Finding]:
    """Is the function active, and is its code the one that Terraform deployed?"""
    configuration = subject.function(name)
    state, update = configuration.get("State"), configuration.get("LastUpdateStatus", "Successful")
    if state == "Failed" or update == "Failed":
        why = configuration.get("StateReason") or configuration.get("LastUpdateStatusReason") or "no reason given"
        yield Finding(name, State.FAILED, f"state {state}, last update {update}: {why}", APPLY)
    elif state != "Active" or update != "Successful":
        advice = "check again in a minute; a function that was idle for a long time wakes up with its next invocation"
        yield Finding(name, State.WARNING, f"state {state}, last update {update}", advice)
    else:
        build = _build_of(configuration)
        found = f"active; build {build}, timeout {configuration['Timeout']} s, {configuration['MemorySize']} MB"
        yield _replaced_by_hand(name, configuration) or Finding(name, State.OK, found)


def _build_of(configuration: Mapping[str, Any]) -> str:
    """Which code Terraform deployed to a function: the first digits of its zip's SHA-256."""
    return str(configuration.get("Environment", {}).get("Variables", {}).get(variables.BUILD, "unknown"))


def _replaced_by_hand(name: str, configuration: Mapping[str, Any]) -> Finding | None:
    """A warning if the function runs other code than its build says."""
    build, running = _build_of(configuration), base64.b64decode(configuration.get("CodeSha256", "")).hex()
    if running and _BUILD.fullmatch(build) and not running.startswith(build):
        found = f"runs code with SHA-256 {running[:12]}, not build {build}: someone replaced it by hand"
        return Finding(name, State.WARNING, found, APPLY)
    return None


def check_builds(subject: Subject) -> Iterator[Finding]:
    """Do all functions run the zips that Terraform deployed last?"""
    others = [
        f"the {name} {build} instead of {expected}"
        for name, expected in _expected_builds(subject)
        if (build := _build_of(subject.function(name))) != expected
    ]
    if others:
        found = f"not what Terraform deployed last: {'; '.join(others)}"
        advice = (
            "if your outputs.json is older than the last apply, write it again (terraform output -json >outputs.json); "
            f"if someone moved the alias {LIVE} to another version, {APPLY}"
        )
        yield Finding("builds", State.WARNING, found, advice)
    else:
        release = subject.outputs.get("release") or "unknown, because the zips have no manifest"
        yield Finding("builds", State.OK, f"all functions run what Terraform deployed last (release {release})")


def _expected_builds(subject: Subject) -> Iterator[tuple[str, str]]:
    builds = subject.need("builds")
    for name in (*FUNCTIONS, "event publisher"):
        if expected := builds.get(name.lower().replace(" ", "_")):
            yield name, expected


def check_schedule(subject: Subject) -> Iterator[Finding]:
    """Does the schedule start the reconciler?"""
    name = "reconciler's schedule"
    function_name = subject.function_name("reconciler")
    # The module gives both the same name (modules/ai-jobs/names.tf).
    schedule = get_scheduler_client().get_schedule(Name=function_name)
    target = schedule["Target"]["Arn"]
    if target.rpartition(":function:")[2] != f"{function_name}:{LIVE}":
        yield Finding(name, State.FAILED, f"runs {target}, not the reconciler's alias {LIVE}", APPLY)
    elif schedule["State"] != "ENABLED":
        found = "disabled: a job stays open if its worker crashed"
        yield Finding(name, State.FAILED, found, "set reconciler.enabled = true, and run terraform apply")
    else:
        yield Finding(name, State.OK, f"enabled, {schedule['ScheduleExpression']}")
