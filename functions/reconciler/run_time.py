"""The time that one run has, and the share of it that each part gets."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from ai_jobs.contract import timestamps
from ai_jobs.contract.limits import MARGINS

MARGIN_SECONDS = MARGINS["reconciler"]["end_seconds"]
"""What a run keeps in reserve for its last messages; a long poll and a few calls take about half of it."""

_LAST_CALL_SECONDS = 5  # for the function to end in


class RunTime:
    """The clock of one run.

    Args:
        ends_at: when Lambda will end this invocation.
        clock: gives the current time.
    """

    def __init__(self, ends_at: datetime, clock: Callable[[], datetime] = timestamps.now) -> None:
        self.clock = clock
        self._started_at = clock()
        self._ends_at = ends_at

    @property
    def seconds_left(self) -> float:
        """The time until the reserve begins."""
        return (self._ends_at - self.clock()).total_seconds() - MARGIN_SECONDS

    @property
    def seconds_to_hide(self) -> int:
        """How long to hide a message: until the invocation ends."""
        return max(1, int(self.seconds_left + MARGIN_SECONDS))

    def share(self, of_all: float) -> datetime:
        """When a part has to end that may use up this much of the run's time, together with the parts before it."""
        return self._started_at + of_all * (self._ends_at - timedelta(seconds=MARGIN_SECONDS) - self._started_at)

    def allows_another_call(self) -> bool:
        """Is there time for another call before Lambda ends the invocation?"""
        return self.clock() < self._ends_at - timedelta(seconds=_LAST_CALL_SECONDS)
