"""Periods: ISO 8601 durations, and billing periods anchored at an instant in an IANA timezone (rating.md, "Periods").

A boundary is counted from the anchor, never from the boundary before it, so an anchor on the 31st comes back to the
31st after a shorter month. Calendar parts (years to days) move the local clock, time parts (hours to seconds) move
the instant. A local time that occurs twice means the earlier instant, one that is skipped is read with the offset
before the jump: both are Python's fold=0. All instants going in and coming out are aware and in UTC.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

_DURATION = re.compile(
    r"P(?=\d|T\d)(?:(?P<years>\d+)Y)?(?:(?P<months>\d+)M)?(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?=\d)(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+)S)?)?"
)
_MEAN_MONTH = 2_629_746  # seconds: a twelfth of the Gregorian mean year
_DAY = 86_400
_LONGEST = 12 * 1000 * _MEAN_MONTH  # a thousand years: what lies beyond is a slip, and leaves the calendar


class BadDurationError(ValueError):
    """A text that is no positive ISO 8601 duration in whole numbers."""

    def __init__(self, text: str) -> None:
        super().__init__(f"{text!r} is not an ISO 8601 duration; write P1M, P1Y, P7D, P2W or PT1H")


class UnknownTimezoneError(ValueError):
    """A name that the IANA time zone database does not hold."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name!r} is not an IANA timezone; write UTC, Europe/Berlin or America/New_York")


@dataclass(frozen=True, slots=True)
class Duration:
    """Calendar months and days, and exact seconds; years and weeks are folded into them."""

    months: int = 0
    days: int = 0
    seconds: int = 0

    @property
    def mean_seconds(self) -> int:
        """About how long it is: for estimates, never for money."""
        return self.months * _MEAN_MONTH + self.days * _DAY + self.seconds


@dataclass(frozen=True, slots=True)
class Period:
    """A half-open stretch of time: `start` belongs to it, `end` does not."""

    start: datetime
    end: datetime

    def __contains__(self, instant: datetime) -> bool:
        return self.start <= instant < self.end

    @property
    def is_empty(self) -> bool:
        """Whether it holds no instant."""
        return self.end <= self.start

    def clip(self, start: datetime | None, end: datetime | None) -> Period:
        """The part within [start, end); an open side is None. Empty when they do not touch."""
        begins = self.start if start is None else max(self.start, start)
        ends = self.end if end is None else min(self.end, end)
        return Period(begins, max(begins, ends))


@lru_cache(maxsize=256)
def parse_duration(text: str) -> Duration:
    """The duration that an ISO 8601 text names. Raises BadDurationError, also for one of no length."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise BadDurationError(text)
    part = {name: int(value or 0) for name, value in match.groupdict().items()}
    duration = Duration(
        months=part["years"] * 12 + part["months"],
        days=part["weeks"] * 7 + part["days"],
        seconds=part["hours"] * 3600 + part["minutes"] * 60 + part["seconds"],
    )
    if not 0 < duration.mean_seconds <= _LONGEST:
        raise BadDurationError(text)
    return duration


@lru_cache(maxsize=1024)
def timezone_named(name: str) -> tzinfo:
    """The timezone of an IANA name. Raises UnknownTimezoneError."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:  # unknown, malformed, or the name of a folder of zones
        raise UnknownTimezoneError(name) from error


def add(instant: datetime, duration: Duration, timezone: str, times: int = 1) -> datetime:
    """The instant moved by `times` durations, the months counted at once and clamped to the month's last day."""
    zone = timezone_named(timezone)
    local = _add_months(instant.astimezone(zone), duration.months * times)
    if duration.days:
        local += timedelta(days=duration.days * times)
    moved = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    return moved + timedelta(seconds=duration.seconds * times) if duration.seconds else moved


def _add_months(local: datetime, months: int) -> datetime:
    if not months:
        return local
    year, month = divmod(local.year * 12 + local.month - 1 + months, 12)
    last_day = calendar.monthrange(year, month + 1)[1]
    return local.replace(year=year, month=month + 1, day=min(local.day, last_day))


@dataclass(frozen=True, slots=True)
class Schedule:
    """The endless row of periods that an anchor, a cadence and a timezone define; period 0 starts at the anchor."""

    anchor: datetime
    cadence: Duration
    timezone: str

    def boundary(self, index: int) -> datetime:
        """Where period `index` starts and the one before it ends."""
        return add(self.anchor, self.cadence, self.timezone, index)

    def period(self, index: int) -> Period:
        """The period of that number; those before the anchor have negative numbers."""
        return Period(self.boundary(index), self.boundary(index + 1))

    def at(self, instant: datetime) -> tuple[int, Period]:
        """The period that holds the instant, with its number."""
        index = (instant - self.anchor) // timedelta(seconds=self.cadence.mean_seconds)
        start, end = self.boundary(index), self.boundary(index + 1)
        while start > instant:
            index, start, end = index - 1, self.boundary(index - 1), start
        while end <= instant:
            index, start, end = index + 1, end, self.boundary(index + 2)
        return index, Period(start, end)


def period_containing(anchor: datetime, cadence: str, timezone: str, instant: datetime) -> Period:
    """The full billing period that holds `instant`. Raises BadDurationError, UnknownTimezoneError."""
    return Schedule(anchor, parse_duration(cadence), timezone).at(instant)[1]


def periods_between(anchor: datetime, cadence: str, timezone: str, start: datetime, end: datetime) -> Iterator[Period]:
    """The full billing periods that touch [start, end), in order: none overlaps, none is missing, none is empty.

    Raises BadDurationError, UnknownTimezoneError.
    """
    schedule = Schedule(anchor, parse_duration(cadence), timezone)
    index, period = schedule.at(start)
    while period.start < end:
        if not period.is_empty:
            yield period
        index += 1
        period = Period(period.end, schedule.boundary(index + 1))
