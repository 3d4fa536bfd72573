"""Cron expressions as crontab(5) means them: Sunday is 0 or 7, and a day matches by date or by weekday.

Where the clock is put forward, what is named in the hour that is left out happens an hour later by the clock, once;
where it is put back, a named hour counts once, and an expression for every hour goes on through both.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from billing.periods import timezone_named

LONGEST = 366 * 8 + 2
"""Days after which an expression that named no instant names none: the 29th of February is found within eight years."""

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_PART = re.compile(r"(?P<first>\*|\d{1,2}|[a-z]{3})(-(?P<last>\d{1,2}|[a-z]{3}))?(/(?P<step>[1-9]\d?))?")


@dataclass(frozen=True)
class Cron:
    """An expression, read: the clock times of a day in order, and the days that have them."""

    times: tuple[tuple[int, int], ...]
    dates: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]  # Sunday is 0
    by_either: bool  # both dates and weekdays are named: a day matches by one of them
    every_hour: bool

    def has(self, day: date) -> bool:
        """Whether the day is one of its days."""
        on_date, on_weekday = day.day in self.dates, day.isoweekday() % 7 in self.weekdays
        return day.month in self.months and (on_date or on_weekday if self.by_either else on_date and on_weekday)

    def instants(self, day: date, timezone: str) -> list[datetime]:
        """The instants of the day in UTC, in order."""
        zone = timezone_named(timezone)
        folds = (0, 1) if self.every_hour else (0,)
        clock = (datetime(day.year, day.month, day.day, *time, tzinfo=zone) for time in self.times)
        return sorted({local.replace(fold=fold).astimezone(UTC) for local in clock for fold in folds})


@lru_cache
def parse(expression: str) -> Cron:
    """The expression, read. Raises ValueError, saying which field cannot be read."""
    fields = expression.lower().split()
    if len(fields) != 5:
        raise ValueError(f"{expression!r} is no cron expression; write minute, hour, day, month, weekday: 0 6 * * 1")
    minute, hour, day, month, weekday = fields
    minutes, hours = _numbers(minute, "minute", 0, 59), _numbers(hour, "hour", 0, 23)
    return Cron(
        times=tuple((each, other) for each in sorted(hours) for other in sorted(minutes)),
        dates=_numbers(day, "day of the month", 1, 31),
        months=_numbers(month, "month", 1, 12, _MONTHS),
        weekdays=frozenset(number % 7 for number in _numbers(weekday, "day of the week", 0, 7, _DAYS)),
        by_either=day[0] != "*" and weekday[0] != "*",
        every_hour=hour[0] == "*",
    )


def latest(expression: str, timezone: str, now: datetime) -> datetime | None:
    """The latest instant at or before `now` that the expression names, in UTC; None when there never was one.

    Raises ValueError for what is no cron expression, UnknownTimezoneError.
    """
    cron, today = parse(expression), now.astimezone(timezone_named(timezone)).date()
    for back in range(-1, LONGEST):
        day = today - timedelta(days=back)
        if cron.has(day) and (found := [each for each in cron.instants(day, timezone) if each <= now]):
            return found[-1]
    return None


def between(expression: str, timezone: str, after: datetime, until: datetime) -> Iterator[datetime]:
    """The instants later than `after` and not later than `until`, in order and each once."""
    cron, zone = parse(expression), timezone_named(timezone)
    day, end = after.astimezone(zone).date() - timedelta(days=1), until.astimezone(zone).date() + timedelta(days=1)
    while day <= end:
        for instant in cron.instants(day, timezone) if cron.has(day) else ():
            if after < instant <= until:
                yield instant
                after = instant
        day += timedelta(days=1)


def _numbers(field: str, what: str, least: int, most: int, names: Sequence[str] = ()) -> frozenset[int]:
    return frozenset(number for part in field.split(",") for number in _part(part, what, least, most, names))


def _part(part: str, what: str, least: int, most: int, names: Sequence[str]) -> Iterator[int]:
    found = _PART.fullmatch(part)
    if found is None:
        raise ValueError(f"{part!r} is no {what}; write {least}, {least}-{most} or */2")
    step = int(found["step"] or 1)
    if found["first"] == "*" and not found["last"]:
        yield from range(least, most + 1, step)
        return
    first = _number(found["first"], what, least, most, names)
    last = _number(found["last"], what, least, most, names) if found["last"] else most if found["step"] else first
    if last < first and names is _DAYS:
        last += 7
    if last < first:
        raise ValueError(f"{part!r} is no {what}: {last} comes before {first}")
    yield from range(first, last + 1, step)


def _number(text: str, what: str, least: int, most: int, names: Sequence[str]) -> int:
    number = int(text) if text.isdigit() else names.index(text) + (names is _MONTHS) if text in names else -1
    if not least <= number <= most:
        raise ValueError(f"{text!r} is no {what}; it goes from {least} to {most}")
    return number
