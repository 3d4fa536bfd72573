"""Proration: which part of a period a flat or seat charge, or a minimum, is due for (rating.md, "Proration").

The bases that rating.md names are `second`, `day` and `none`. `day_inclusive` and `month_30` are those of other billing
systems (billing/dialects.py says whose).
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

from billing.money import round_to
from billing.periods import Period, timezone_named

WHOLE = Fraction(1)
_TICK = timedelta(microseconds=1)
_MONTH = 30


def share_of_period(
    active: Period, full: Period, basis: str | None, timezone: str, places: int | None = None
) -> Fraction | None:
    """The part of `full` that `active` (inside it) makes up; None where the period has no length, or no days to part.

    `second` counts exact time, `day` local calendar dates with the end date exclusive, `day_inclusive` every local date
    that the period touches, `month_30` local dates in months of 30 days; `none` or None is the whole. `places`: digits
    that the share is rounded to, half up; None keeps it exact. Raises UnknownTimezoneError.
    """
    if full.is_empty:
        return None
    if active == full:
        return WHOLE
    match basis:
        case "second":
            share = Fraction((active.end - active.start) // _TICK, (full.end - full.start) // _TICK)
        case "day" | "day_inclusive" | "month_30":
            days = _days(full, basis, timezone)
            if not days:
                return None
            share = Fraction(_days(active, basis, timezone), days)
        case _:
            return WHOLE
    return share if places is None else Fraction(round_to(share, places))


def days_between(start: date, end: date, *, month_30: bool = False) -> int:
    """The days from `start` to `end` (exclusive); with `month_30` every month counts 30 of them.

    Months of 30 days: (docs.zuora.com, "When prorating a month", Strict 30/360; Kill Bill, InvoiceDateUtils).
    """
    if not month_30:
        return (end - start).days
    months = (end.year - start.year) * 12 + end.month - start.month
    return months * _MONTH + end.day - start.day


def start_of_day(instant: datetime, timezone: str) -> datetime:
    """The instant at which the local date of `instant` begins, in UTC."""
    local = instant.astimezone(timezone_named(timezone))
    return local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0).astimezone(UTC)


def end_of_day(instant: datetime, timezone: str) -> datetime:
    """The instant at which the last local date before `instant` ends: itself where a date begins, in UTC."""
    begins = start_of_day(instant, timezone)
    if begins == instant:
        return begins
    local = begins.astimezone(timezone_named(timezone)) + timedelta(days=1)
    return local.replace(fold=0).astimezone(UTC)


def _days(period: Period, basis: str, timezone: str) -> int:
    end = end_of_day(period.end, timezone) if basis == "day_inclusive" else period.end
    return days_between(_local_date(period.start, timezone), _local_date(end, timezone), month_30=basis == "month_30")


def _local_date(instant: datetime, timezone: str) -> date:
    """The date of the instant on the zone's calendar."""
    return instant.astimezone(UTC).astimezone(timezone_named(timezone)).date()
