"""The expected amount of one invoice line: its records put through billing.rating, as detector/derived does for all.

What cannot be rated has a named reason, by the names of expected_lines.reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

from billing.dialects import BOOKS, Dialect
from billing.discounts import DiscountedLine, amounts_left
from billing.periods import BadDurationError, Period, UnknownTimezoneError, period_containing
from billing.prices import Problem
from billing.proration import WHOLE
from billing.rating import Before, Rating
from billing.splits import rate_split
from detector.line_records import (
    Books,
    HeldPrice,
    Line,
    Terms,
    discounts_for,
    find_terms,
    held_price,
    lines_of_invoice,
    usage_lines_of_item,
)
from detector.line_usage import Report, Usage, reports_for, usage_of
from detector.other_terms import OtherTerms

_SECOND = timedelta(seconds=1)
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Earlier:
    """The usage on earlier lines of the same billing period: as metered, and as those lines state it."""

    metered: Before
    billed: Before
    parts: tuple[Decimal, ...] = ()  # metered line by line, where the dialect converts each by itself


@dataclass(frozen=True)
class Basis:
    """What a line is rated by: its item's terms, the price that holds, the quantity, the part of the period.

    `quantity` is in metered units, or the subscribed number. `full_period` is the billing period that holds the
    line's start, None where cadence or timezone cannot be read; `share` the part of it that is due, and `shares` what
    other bases of proration would give, by how to say them. `as_set`: the quantity is a what-if's.
    """

    terms: Terms
    price: HeldPrice
    dialect: Dialect
    full_period: Period | None
    quantity: Decimal | None
    usage: Usage | None = None
    reports: tuple[Report, ...] = ()
    earlier: Earlier | None = None
    share: Fraction | None = WHOLE
    shares: Mapping[str, Fraction] = field(default_factory=dict)
    as_set: bool = False


@dataclass(frozen=True)
class Expected:
    """What a line should be; `amount` None has a `reason`."""

    line: Line
    reason: str | None = None
    basis: Basis | None = None
    rating: Rating | None = None

    @property
    def amount(self) -> Decimal | None:
        """The expected amount before discount: negative for a credit of an unused part."""
        if self.rating is None or self.rating.amount is None:
            return None
        if self.line.kind == "commitment":
            return self.rating.commitment
        return -self.rating.amount if self.line.is_credit else self.rating.amount

    @property
    def discount(self) -> Decimal:
        """The expected discount: none on a minimum or a credit."""
        undiscounted = self.rating is None or self.line.kind == "commitment" or self.line.is_credit
        return Decimal(0) if self.rating is None or undiscounted else self.rating.discount

    @property
    def net(self) -> Decimal | None:
        """The expected amount after discount."""
        return None if self.amount is None else self.amount - self.discount


def expected_line(books: Books, line: Line, other: OtherTerms | None = None) -> Expected:
    """What a usage, recurring or commitment line should be, from the books as known at their instant.

    `other`: terms to rate it by in place of its own. Raises BadSettingError where the books do not hold them.
    """
    if line.kind not in ("usage", "recurring", "commitment"):
        return Expected(line, "not_rated")
    if line.period is None:
        return Expected(line, "missing_period")
    if line.period.is_empty:
        return Expected(line, Problem.ZERO_LENGTH_PERIOD)
    terms = find_terms(books, line)
    if terms is None:
        return Expected(line, "unknown_item")
    terms = other.terms(books, line, terms) if other else terms
    try:
        price = held_price(books, line, terms)
    except ValueError:
        return Expected(line, "unreadable_override")
    if price is None:
        return Expected(line, Problem.MISSING_PRICE)
    price = other.price(price) if other else price
    metered = price.price.metered
    basis = (
        _by_usage(books, line, line.period, terms, price)
        if metered
        else _by_number(line, line.period, terms, price, books.dialect(line.integration))
    )
    if other and other.quantity is not None:
        basis = replace(basis, quantity=other.quantity, as_set=True)
    if price.price.currency != line.currency:
        return Expected(line, "currency_mismatch", basis)
    if metered and basis.quantity is None:
        return Expected(line, "unknown_meter", basis)
    rating = _rating(books, line, line.period, basis)
    return Expected(line, rating.problem, basis, rating)


def _rating(books: Books, line: Line, period: Period, basis: Basis) -> Rating:
    discounts = discounts_for(books, line, basis.terms)
    spent = any(discount.kind == "amount" for discount in discounts)
    return rate_split(
        basis.price.price,
        basis.quantity,
        basis.dialect,
        before=basis.earlier.metered if basis.earlier else None,
        earlier=basis.earlier.parts if basis.earlier else (),
        events=basis.usage.events if basis.usage else None,
        share=basis.share,
        last=_closes_period(period, basis),
        discounts=discounts,
        discount_left=_left_by_earlier_lines(books, line) if spent else None,
    )


def _by_number(line: Line, period: Period, terms: Terms, price: HeldPrice, dialect: Dialect) -> Basis:
    """A flat or seat charge: the item's number, or on a line for a part of a period the number that it was for."""
    stated, subscribed = line.billed_quantity, terms.quantity
    first, second = (stated, subscribed) if line.proration else (subscribed, stated)
    quantity = second if first is None else first
    full = _full_period(period, terms)
    share = _share(period, full, price.price.proration, terms, dialect)
    return Basis(terms, price, dialect, full, quantity, share=share, shares=_other_shares(period, full, terms))


def _by_usage(books: Books, line: Line, period: Period, terms: Terms, price: HeldPrice) -> Basis:
    """A usage charge: what the meter adds up to, and what the period's earlier lines hold."""
    full = _full_period(period, terms)
    reports = reports_for(books, terms, period)
    usage = usage_of(books, line, terms, period, reports)
    earlier = _earlier(books, line, period, terms, price, full) if full and usage and line.kind == "usage" else None
    active = full.clip(terms.service_start, terms.service_end) if full else None
    dialect = books.dialect(line.integration)
    share = _share(active, full, price.price.proration, terms, dialect) if active and not active.is_empty else WHOLE
    share = (
        WHOLE if share is None else share
    )  # a period within one day has no days to take a part of: usage is due anyway
    quantity = usage.quantity if usage else None
    return Basis(terms, price, dialect, full, quantity, usage, reports, earlier, share)


def _full_period(period: Period, terms: Terms) -> Period | None:
    """The billing period that holds the line's start; None where there is none that the item is in service for."""
    if terms.cadence is None:
        return None
    try:
        full = period_containing(terms.billing_anchor, terms.cadence, terms.timezone, period.start)
    except (BadDurationError, UnknownTimezoneError, OverflowError):
        return None
    is_served = terms.service_start is not None and not full.clip(terms.service_start, terms.service_end).is_empty
    return full if is_served else None


def _share(
    part: Period, full: Period | None, basis: str | None, terms: Terms, dialect: Dialect = BOOKS
) -> Fraction | None:
    """The part of the full period that is due; the whole where there is no full period to compare with."""
    return WHOLE if full is None else dialect.share(part.clip(full.start, full.end), full, basis, terms.timezone)


def _other_shares(period: Period, full: Period | None, terms: Terms) -> dict[str, Fraction]:
    """The parts that other bases of proration give for a line of part of a period (faults.md, TU-29)."""
    if full is None or period.clip(full.start, full.end) == full:
        return {}
    seconds, days = (_share(period, full, basis, terms) for basis in ("second", "day"))
    shares = {"by the second": seconds, "by calendar days": days, "not at all": WHOLE}
    if days is not None:
        one_day = Fraction(_DAY // _SECOND, (full.end - full.start) // _SECOND)
        shares["by calendar days, the last one included"] = days + one_day
    if terms.cadence == "P1M":
        shares["by months of 30 days"] = Fraction((period.end - period.start) // _SECOND, 30 * _DAY // _SECOND)
    return {name: share for name, share in shares.items() if share is not None}


def _earlier(books: Books, line: Line, period: Period, terms: Terms, price: HeldPrice, full: Period) -> Earlier | None:
    """The usage on the item's earlier lines of the same billing period under the same price; None on its first line."""
    part_start = max(full.start, price.since) if price.since else full.start
    if period.start <= part_start:
        return None
    earlier = {
        each.period_start: each
        for each in reversed(usage_lines_of_item(books, line, terms))
        if each.period and part_start <= each.period.start < period.start and each.period.end <= period.start
    }
    if not earlier:
        return None
    start = min(each.period.start for each in earlier.values() if each.period)
    usage = usage_of(books, line, terms, Period(start, period.start))
    if usage is None:
        return None
    billed = sum((each.billed_quantity or Decimal(0) for each in earlier.values()), Decimal(0))
    parts: tuple[Decimal, ...] = ()
    if price.price.convert and books.dialect(line.integration).converts_parts:
        measured = [usage_of(books, line, terms, each.period) for each in earlier.values() if each.period]
        parts = tuple(part.quantity for part in measured if part)
    return Earlier(Before(usage.quantity, usage.events), Before(billed, usage.events), parts)


def _closes_period(period: Period, basis: Basis) -> bool:
    """The line is the last of its billing period, or of the item's service in it."""
    if basis.full_period is None:
        return False
    served = basis.full_period.clip(basis.terms.service_start, basis.terms.service_end)
    return period.end >= served.end


def _left_by_earlier_lines(books: Books, line: Line) -> dict[str, Decimal]:
    """What the invoice's lines before this one leave of its fixed discounts."""
    before = [each for each in lines_of_invoice(books, line) if each.line_id < line.line_id]
    discounted = [DiscountedLine(each.line_id, each.amount, discounts_for(books, each)) for each in before]
    return amounts_left(discounted, line.currency, rounding=books.dialect(line.integration).rounding)
