"""Which dead-lettered messages an operator means, and how many a command looks at."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ai_jobs.operate.dead_lettered_message import DeadLetteredMessage

MAX_LIMIT = 20_000
"""How many messages one sweep can keep hidden: ten per call, within a few seconds."""


@dataclass(frozen=True)
class Selection:
    """The messages that match every filter that is set.

    Attributes:
        job_ids, error_codes: match any one of them.
        failed_before, failed_after: limits of `DeadLetteredMessage.failed_at`.
    """

    job_ids: Collection[str] = ()
    user_id: str | None = None
    job_type: str | None = None
    error_codes: Collection[str] = ()
    failed_before: datetime | None = None
    failed_after: datetime | None = None

    def matches(self, message: DeadLetteredMessage) -> bool:
        """Does this message match?"""
        return (
            (not self.job_ids or message.job_id in self.job_ids)
            and (self.user_id is None or message.user_id == self.user_id)
            and (self.job_type is None or message.job_type == self.job_type)
            and (not self.error_codes or message.error_code in self.error_codes)
            and (self.failed_before is None or message.failed_at < self.failed_before)
            and (self.failed_after is None or message.failed_at > self.failed_after)
        )
