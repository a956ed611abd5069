"""How much memory the processor needs: it mostly waits for models, and its duration is billed by its memory."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ai_jobs.operate.doctor.findings import Finding, NotCheckedError, State, Subject
from ai_jobs.operate.doctor.job_types import usable_types
from ai_jobs.operate.doctor.workers import trigger_of
from ai_jobs.service.attached_files import reads_from_s3

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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


# A file in a request to a model: itself, its Base64, and the request's JSON (docs/job-types.md, Attachments).
_TIMES_IN_MEMORY = 5
_WITHOUT_FILES_MB = 200


def check_memory_for_files(subject: Subject) -> Iterator[Finding]:
    """Has the processor room for a batch whose jobs all have the largest files that their types allow?

    Silent if no type's files go through the processor.
    """
    name = "processor's memory for files"
    try:
        types = usable_types(subject)
    except NotCheckedError:  # which the job types' own findings say
        return
    largest, named = max(((_files_mb(one), type_name) for type_name, one in types.items()), default=(0, ""))
    if not largest:
        return
    configured = int(subject.function("processor")["MemorySize"])
    batch = trigger_of("request queue", subject).batch_size
    needed = math.ceil(batch * largest * _TIMES_IN_MEMORY + _WITHOUT_FILES_MB)
    if needed <= configured:
        yield Finding(name, State.OK, f"{configured} MB; a batch of {batch} with the largest files takes {needed} MB")
        return
    found = f"{configured} MB; {batch} jobs of type {named} with the largest files that it allows take {needed} MB"
    advice = f"set processor.memory_mb = {needed}, or lower processor.batch_size or the type's attachments"
    yield Finding(name, State.WARNING, found, f"{advice}: a function that runs out of memory loses its whole batch")


def _files_mb(job_type: Mapping[str, Any]) -> float:
    """The most that the files of one job of this type can have, in MB, as far as a worker has to hold them."""
    rules = job_type.get("attachments")
    models = [job_type["modelId"], *job_type.get("fallbackModelIds", [])]
    if rules is None or (all(map(reads_from_s3, models)) and "handler" not in job_type):
        return 0.0
    return float(rules["maxCount"] * rules["maxBytes"] / 1_000_000)


def _saving(configured: int, safe: int, batch: int) -> str:
    smallest = f"{safe} MB is the smallest that is safe with batches of {batch}"
    saved = 1 - safe / configured
    return f"{smallest}, and would cost {saved:.0%} less while jobs wait for their models" if saved else smallest
