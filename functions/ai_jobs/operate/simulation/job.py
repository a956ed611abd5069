"""A job on its way through the model, and the handling of its times."""

from __future__ import annotations


class Job:
    """One job. All times are seconds since the start of the run.

    Attributes:
        tenant: the index of its tenant in the scenario.
        place: its place among all messages that its queue got.
        copies: how many delayed copies of its message there were.
        timeouts: how many of its calls were cut off.
        claimed_at: when a worker first claimed it.
        has_failed: given up, at its deadline or because its calls were cut off.
    """

    __slots__ = ("claimed_at", "copies", "has_failed", "place", "submitted_at", "tenant", "timeouts")

    def __init__(self, tenant: int, submitted_at: float) -> None:
        self.tenant = tenant
        self.submitted_at = submitted_at
        self.place = 0
        self.copies = self.timeouts = 0
        self.claimed_at: float | None = None
        self.has_failed = False
