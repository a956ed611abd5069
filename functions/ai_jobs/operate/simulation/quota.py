"""The quota of the model: it rejects a call that would be one too many."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ai_jobs.operate.simulation.scenario import Quota

_WINDOW_SECONDS = 60


class _Call:
    __slots__ = ("started_at", "tokens")

    def __init__(self, started_at: float, tokens: int) -> None:
        self.started_at = started_at
        self.tokens = tokens


class ModelQuota:
    """Counts the calls and tokens of the last 60 seconds.

    AWS does not document how it measures a minute. In this one, no 60 seconds have more than the quota, wherever they
    start.
    """

    def __init__(self, quota: Quota) -> None:
        self._quota = quota
        self._is_limited = quota.requests_per_minute is not None or quota.tokens_per_minute is not None
        self._calls: deque[_Call] = deque()
        self._tokens = 0

    def admit(self, now: float) -> _Call | None:
        """Start a call; None if the model rejects it."""
        if not self._is_limited:
            return _Call(now, 0)
        self._forget(now)
        quota, reserved = self._quota, self._quota.reserved_tokens
        if quota.requests_per_minute is not None and len(self._calls) + 1 > quota.requests_per_minute:
            return None
        if quota.tokens_per_minute is not None and self._tokens + reserved > quota.tokens_per_minute:
            return None
        call = _Call(now, reserved)
        self._calls.append(call)
        self._tokens += reserved
        return call

    def settle(self, call: _Call, now: float) -> None:
        """End a call: from now on, what it used counts, and not what it had reserved."""
        self._forget(now)
        if call.tokens:
            self._tokens += self._quota.used_tokens - call.tokens
            call.tokens = self._quota.used_tokens

    def _forget(self, now: float) -> None:
        while self._calls and self._calls[0].started_at <= now - _WINDOW_SECONDS:
            call = self._calls.popleft()
            self._tokens -= call.tokens
            call.tokens = 0
