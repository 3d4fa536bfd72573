"""How instants, durations and periods are written. Instants are UTC; the page's `now` is passed in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Any, overload

from markupsafe import Markup

DASH = "\u2013"


@overload
def aware(at: datetime) -> datetime: ...
@overload
def aware(at: None) -> None: ...
def aware(at: datetime | None) -> datetime | None:
    """The instant with its zone; the warehouse hands out UTC without one."""
    return at if at is None or at.tzinfo else at.replace(tzinfo=UTC)


def instant(at: datetime | None) -> str:
    """`1 Oct 2026 14:05`, or `1 Oct 2026` at midnight; a dash when unknown."""
    at = aware(at)
    if at is None:
        return DASH
    day = f"{at.day} {at:%b %Y}"
    return day if (at.hour, at.minute, at.second) == (0, 0, 0) else f"{day} {at:%H:%M}"


def duration(span: timedelta) -> str:
    """The two largest units at most: `6 h 12 min`, `3 d`, `0 min`."""
    minutes = int(abs(span).total_seconds()) // 60
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    if days:
        return f"{days} d {hours} h" if hours and days < 3 else f"{days} d"
    if hours:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{minutes} min"


def ago(at: datetime | None, now: datetime) -> Markup:
    """`4 min ago` or `in 6 h`, with the exact instant for machines and on hover."""
    at = aware(at)
    if at is None:
        return Markup(DASH)
    exactly = f"{at:%Y-%m-%dT%H:%M:%SZ}"
    return Markup('<time datetime="{}" title="{} UTC">{}</time>').format(exactly, instant(at), since(at, now))


def since(at: datetime, now: datetime) -> str:
    """`4 min ago`, or `in 6 h` for what is still to come."""
    span = now - at
    if abs(span) < timedelta(minutes=1):
        return "just now"
    return f"{duration(span)} ago" if span >= timedelta(0) else f"in {duration(span)}"


def roughly(at: datetime | None, now: datetime) -> str:
    """As `since`, with the largest unit only: for lists."""
    at = aware(at)
    if at is None:
        return DASH
    return re.sub(r"( [a-z]+) \d+ [a-z]+", r"\1", since(at, now))


def period(start: datetime | None, end: datetime | None) -> Markup:
    """A half-open period by its days, exact on hover: `1-31 Oct 2026` where it begins and ends at midnight UTC,
    `15 Jul - 15 Aug 2026` where it does so elsewhere, else by its instants.
    """
    start, end = aware(start), aware(end)
    if start is None or end is None:
        return Markup(instant(start or end))
    exactly = f"{instant(start)} {DASH} {instant(end)} UTC"
    return Markup('<span title="{}">{}</span>').format(exactly, _days(start, end) or exactly)


def _days(start: datetime, end: datetime) -> str:
    """The period by its days; empty where it begins and ends at different times of the day."""
    apart = (end - start) % timedelta(days=1)
    if min(apart, timedelta(days=1) - apart) > timedelta(hours=1):
        return ""
    at_midnight = start.time() == end.time() == time(0)
    last = end - timedelta(days=1) if at_midnight else end
    if last.date() <= start.date():
        return day(start)
    if (start.year, start.month) == (last.year, last.month):
        return f"{start.day}{DASH}{day(last)}"
    year = "" if start.year == last.year else f" {start.year}"
    return f"{start.day} {start:%b}{year} {DASH} {day(last)}"


def day(at: datetime | None) -> str:
    """`1 Oct 2026`; a dash when unknown."""
    at = aware(at)
    return DASH if at is None else f"{at.day} {at:%b %Y}"


def with_zone(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the books with every instant in UTC and aware."""
    return {name: aware(value) if isinstance(value, datetime) else value for name, value in row.items()}
