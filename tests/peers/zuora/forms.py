"""Zuora's forms of instants and days; the tenant is in Berlin."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Europe/Berlin")


def stamp(at: datetime | None) -> str | None:
    """An instant."""
    return None if at is None else f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def day(at: datetime | None) -> str | None:
    """A day that begins at the instant."""
    return None if at is None else at.astimezone(ZONE).date().isoformat()


def last_day(end: datetime | None) -> str | None:
    """The last day of what ends at the instant."""
    return None if end is None else (end.astimezone(ZONE).date() - timedelta(days=1)).isoformat()
