"""Bill cycles: the dated stretches that a plan with a bill cycle day is charged for, and how many cycles each holds.

Kill Bill's way (killbill, BillingIntervalDetail and FixedAndRecurringInvoiceItemGenerator): dates instead of instants;
a leading part is measured against the cycle that ends at the first bill date, a trailing one against the cycle that
starts at the last; each number of cycles is rounded before it is multiplied.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction

from billing.dialects import Dialect
from billing.money import round_to
from billing.periods import Duration
from billing.proration import days_between


@dataclass(frozen=True, slots=True)
class Cycle:
    """A stretch `[start, end)` and the part of a full cycle that it is charged as: 1 for a whole one."""

    start: date
    end: date
    share: Fraction


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan in service from `start` to `end` (exclusive, None: open), billed on `day` of the month every `cadence`."""

    start: date
    end: date | None
    day: int
    cadence: Duration
    in_advance: bool = True

    def first_bill_date(self) -> date:
        """The first bill date on or after the start; once this month's has passed, a whole cadence later."""
        if not self.cadence.months:
            return self.start
        found = _clamped(self.start.year, self.start.month, self.day)
        while found < self.start:
            found = self._aligned(move(found, self.cadence))
        return found

    def bill_dates(self) -> Iterator[date]:
        """The first bill date and those after it, without end."""
        first, number = self.first_bill_date(), 0
        while True:
            yield self._aligned(move(first, self.cadence, number))
            number += 1

    def _aligned(self, found: date) -> date:
        return _clamped(found.year, found.month, self.day) if self.cadence.months else found


def cycles(plan: Plan, through: date, dialect: Dialect) -> list[Cycle]:
    """What is charged by an invoice that bills through that date, from the plan's start on."""
    first = plan.first_bill_date()
    until = _billed_until(plan, first, through)
    if until is None or until <= plan.start or through < plan.start:
        return []
    if plan.end is not None and plan.end <= first:
        return [Cycle(plan.start, plan.end, share_before(plan.start, plan.end, plan.cadence, dialect))]
    found: list[Cycle] = []
    if first > plan.start:
        found.append(Cycle(plan.start, first, share_before(plan.start, first, plan.cadence, dialect)))
    dates = plan.bill_dates()
    begins = next(dates)
    for ends in dates:
        if ends > until:
            break
        found.append(Cycle(begins, ends, Fraction(1)))
        begins = ends
    if until > begins:
        found.append(Cycle(begins, until, share_after(begins, until, plan.cadence, dialect)))
    return found


def share_before(start: date, bill_date: date, cadence: Duration, dialect: Dialect) -> Fraction:
    """The part of the cycle ending at `bill_date` that is left from `start` on."""
    return _share(start, bill_date, move(bill_date, cadence, -1), bill_date, dialect)


def share_after(bill_date: date, end: date, cadence: Duration, dialect: Dialect) -> Fraction:
    """The part of the cycle starting at `bill_date` that has passed at `end`."""
    return _share(bill_date, end, bill_date, move(bill_date, cadence), dialect)


def move(day: date, cadence: Duration, times: int = 1) -> date:
    """The date moved by whole cadences, clamped to the month's last day."""
    year, month = divmod(day.year * 12 + day.month - 1 + cadence.months * times, 12)
    return _clamped(year, month + 1, day.day) + timedelta(days=cadence.days * times)


def _billed_until(plan: Plan, first: date, through: date) -> date | None:
    """Where the invoice's last stretch ends; None where nothing is due yet."""
    if plan.end is not None and through >= plan.end:
        return plan.end
    if plan.in_advance:
        following = next(found for found in plan.bill_dates() if found > through)
        return following if plan.end is None else min(following, plan.end)
    if through < first:
        return None
    last = first
    for found in plan.bill_dates():
        if found > through:
            break
        last = found
    return last


def _share(start: date, end: date, full_start: date, full_end: date, dialect: Dialect) -> Fraction:
    month_30 = dialect.days == "month_30"
    share = Fraction(days_between(start, end, month_30=month_30), days_between(full_start, full_end, month_30=month_30))
    return share if dialect.share_places is None else Fraction(round_to(share, dialect.share_places))


def _clamped(year: int, month: int, day: int) -> date:
    return date(year, month, min(day, calendar.monthrange(year, month)[1]))
