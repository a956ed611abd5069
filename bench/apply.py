"""Applying the stack to an empty local AWS, and applying it again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench import local_system
from bench.markdown import table as markdown_table
from bench.terraform import without_keys

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from bench.sections import Scale
    from bench.terraform import Apply, Step

TITLE = "Applying the stack"
PICTURE = ""

# How long the AWS provider waits for these, whatever AWS does: it wants to read the same attributes several times in a
# row before it believes them. Measured with provider 5.100, whose least time it is on a local AWS that answers at once.
PROVIDER_WAITS_SECONDS = {"aws_sqs_queue": 25.0, "aws_s3_bucket_lifecycle_configuration": 55.0}

_INTRODUCTION = """\
`environments/local` on an empty local AWS of its own, and then once more without a change. The limit is what the
provider itself waits on the longest chain of resources that need each other: 25 s for each queue (a queue needs its
dead-letter queue first), 55 s for the lifecycle rules of a bucket. The waits are the provider's, and the same on AWS.
"""


def measure(_: Scale) -> dict[str, Any]:
    """The first apply is that of the system that the sections share."""
    system = local_system.shared()
    second = system.terraform.apply()
    dependencies = system.terraform.dependencies()
    path = critical_path(system.first_apply.steps, dependencies)
    return {
        "runs": {"first": _figures(system.first_apply), "second": _figures(second)},
        "critical_path": [{"address": step.address, "seconds": round(step.seconds, 1)} for step in path],
        "limit_seconds": longest_wait(dependencies),
        "changed_by_the_second": _count_types(second.steps),
        "figures": {"first_apply_s": round(system.first_apply.seconds, 1), "second_apply_s": round(second.seconds, 1)},
    }


def table(results: dict[str, Any]) -> str:
    """Both applies, what the first one waited for, and what the second one changed."""
    runs, limit = results["runs"], results["limit_seconds"]
    rows = [
        ("from nothing", runs["first"]["resources"], runs["first"]["seconds"], runs["first"]["seconds"] / limit),
        ("again, without a change", runs["second"]["resources"], runs["second"]["seconds"], None),
        ("the provider's own waits", None, limit, 1),
    ]
    path = [(f"`{step['address']}`", step["seconds"]) for step in results["critical_path"] if step["seconds"] >= 1]
    changed = ", ".join(f"{count} x `{name}`" for name, count in results["changed_by_the_second"].items())
    return "\n".join(
        [
            _INTRODUCTION,
            markdown_table(("apply", "resources", "seconds", "x the limit"), rows),
            "\nThe chain that ended last; what took less than a second is left out:\n",
            markdown_table(("resource", "seconds"), path),
            f"\nThe second apply changes what the local AWS does not return as it was written: {changed or 'nothing'}.",
        ]
    )


def plot(results: dict[str, Any], folder: Path) -> None:
    """Two numbers need no picture."""


def critical_path(steps: Sequence[Step], dependencies: Mapping[str, Sequence[str]]) -> list[Step]:
    """The chain of resources that the end of the apply waited for, in order.

    Args:
        dependencies: by the address of a resource, without keys, those of what it needs, also indirectly.
    """
    latest: dict[str, Step] = {}
    for step in sorted(steps, key=lambda step: step.ended):
        latest[without_keys(step.address)] = step
    path = [max(steps, key=lambda step: step.ended)] if steps else []
    while needed := [latest[name] for name in dependencies.get(without_keys(path[0].address), ()) if name in latest]:
        path.insert(0, max(needed, key=lambda step: step.ended))
    return path


def longest_wait(dependencies: Mapping[str, Sequence[str]]) -> float:
    """The seconds that the provider waits on the longest chain of resources that need each other."""
    known: dict[str, float] = {}

    def up_to(address: str) -> float:
        if address not in known:
            own = PROVIDER_WAITS_SECONDS.get(address.split(".")[-2], 0.0)
            known[address] = own + max(map(up_to, dependencies.get(address, ())), default=0.0)
        return known[address]

    return max(map(up_to, dependencies), default=0.0)


def _figures(apply: Apply) -> dict[str, Any]:
    return {"seconds": round(apply.seconds, 1), "resources": len(apply.steps)}


def _count_types(steps: Sequence[Step]) -> dict[str, int]:
    names = [without_keys(step.address).split(".")[-2] for step in steps]
    return {name: names.count(name) for name in sorted(set(names))}
