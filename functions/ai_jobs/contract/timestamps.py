"""Time as the contract writes it: ISO 8601 in UTC with milliseconds, so that text order is time order."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """The current time in UTC."""
    return datetime.now(UTC)


def to_text(moment: datetime) -> str:
    """`2026-11-24T05:47:28.123Z` for an aware datetime."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def from_text(text: str) -> datetime:
    """The datetime of an ISO 8601 text with an offset.

    Raises:
        ValueError: when the text is not an ISO 8601 date and time with an offset.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("The timestamp has no offset. End it with Z.")
    return moment.astimezone(UTC)


def from_epoch_milliseconds(milliseconds: int | str) -> datetime:
    """The datetime of SQS's `SentTimestamp` (milliseconds since 1970)."""
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC)
