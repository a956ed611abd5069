"""How much memory the processor needs: it mostly waits for models, and its duration is billed by its memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ai_jobs.operate.doctor.findings import Finding, State, Subject
from ai_jobs.operate.doctor.workers import trigger_of

if TYPE_CHECKING:
    from collections.abc import Iterator

SMALLEST_SAFE_MEMORY_MB = {10: 192, 50: 256, 100: 256}
"""By batch size, the smallest `processor.memory_mb` that is safe with responses of 200 KB.

It is twice the peak that `make bench` measures for that batch, rounded up to a multiple of 64: docs/performance.md has
the peaks, and what the rest is for.
"""


def smallest_safe_memory_mb(batch_size: int) -> int | None:
    """The smallest memory, in MB, that is safe with batches of this size; None if no batch so large was measured."""
    return next((memory for size, memory in SMALLEST_SAFE_MEMORY_MB.items() if batch_size <= size), None)


def check_memory(subject: Subject) -> Iterator[Finding]:
    """Does the processor have the memory that its batches need, and how much more than that is paid for?"""
    name = "processor's memory"
    configured = int(subject.function("processor")["MemorySize"])
    batch = trigger_of("request queue", subject).batch_size
    safe = smallest_safe_memory_mb(batch)
    if safe is None:
        yield Finding(name, State.OK, f"{configured} MB; what batches of {batch} need is not known")
    elif configured < safe:
        found = f"{configured} MB; batches of {batch} with responses of 200 KB need {safe} MB"
        yield Finding(name, State.WARNING, found, f"set processor.memory_mb = {safe}, and run terraform apply")
    else:
        yield Finding(name, State.OK, f"{configured} MB; {_saving(configured, safe, batch)}")


def _saving(configured: int, safe: int, batch: int) -> str:
    smallest = f"{safe} MB is the smallest that is safe with batches of {batch}"
    saved = 1 - safe / configured
    return f"{smallest}, and would cost {saved:.0%} less while jobs wait for their models" if saved else smallest
