"""What one run of the reconciler did."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass
class Summary:
    """Counts of what a run, or a part of it, did.

    Attributes:
        closed: jobs that it set to `failed`, because of a dead-lettered message or their deadline.
        results_applied: results in the response DLQ that it wrote to their rows.
        restamped: messages that SQS dead-lettered, and that now carry the reason.
        dropped: dead-lettered messages of jobs that ended otherwise.
        failures: messages and jobs that it could not handle; the next run tries again.
    """

    closed: int = 0
    results_applied: int = 0
    restamped: int = 0
    dropped: int = 0
    failures: int = 0

    def __add__(self, other: Summary) -> Summary:
        sums = {field.name: getattr(self, field.name) + getattr(other, field.name) for field in fields(self)}
        return Summary(**sums)
