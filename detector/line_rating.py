"""The expected amounts of lines of an invoice: their records put through billing.rating, as detector/derived does.

What cannot be rated has a named reason, by the names of expected_lines.reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

from billing.dialects import BOOKS, Dialect
from billing.discounts import amounts_left
from billing.periods import BadDurationError, Period, UnknownTimezoneError, period_containing
from billing.prices import Problem
from billing.proration import WHOLE
from billing.rating import Before, Rating
from billing.splits import rate_split
from detector.line_records import Line
from detector.line_terms import Around, HeldPrice, Terms, discounts_for, find_terms, held_price
from detector.line_usage import Report, Stretch, Usage, reports_for, usages_of
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


@dataclass(frozen=True)
class _Held:
    """A line with the terms and the price that hold for it, and the billing period that holds its start."""

    line: Line
    period: Period
    terms: Terms
    price: HeldPrice
    full: Period | None
    dialect: Dialect


@dataclass(frozen=True)
class _Used:
    """What a metered line's item used: on the line, as reported, and before it in its billing period."""

    usage: Usage | None
    reports: tuple[Report, ...]
    earlier: Earlier | None


def expected_line(around: Around, line: Line, other: OtherTerms | None = None) -> Expected:
    """What one of the lines should be; see `expected_lines`.

    `other`: terms to rate it by in place of its own. Raises BadSettingError where the books do not hold them.
    """
    return expected_lines(around, [line], other)[0]


def expected_lines(around: Around, lines: Sequence[Line], other: OtherTerms | None = None) -> list[Expected]:
    """What usage, recurring and commitment lines should be, from the books as known at their instant."""
    held = [_held(around, line, other) for line in lines]
    metered = [each for each in held if isinstance(each, _Held) and each.price.price.metered]
    used = dict(zip((each.line.line_id for each in metered), _used(around, metered), strict=True))
    return [
        _expected(around, each, used.get(each.line.line_id), other) if isinstance(each, _Held) else each
        for each in held
    ]


def _held(around: Around, line: Line, other: OtherTerms | None) -> _Held | Expected:
    """The terms and the price of a line, or why it has none."""
    if line.kind not in ("usage", "recurring", "commitment"):
        return Expected(line, "not_rated")
    if line.period is None:
        return Expected(line, "missing_period")
    if line.period.is_empty:
        return Expected(line, Problem.ZERO_LENGTH_PERIOD)
    terms = find_terms(around, line)
    if terms is None:
        return Expected(line, "unknown_item")
    terms = other.terms(around, terms) if other else terms
    try:
        price = held_price(around, line, terms)
    except ValueError:
        return Expected(line, "unreadable_override")
    if price is None:
        return Expected(line, Problem.MISSING_PRICE)
    price = other.price(price) if other else price
    dialect = around.books.dialect(line.integration)
    return _Held(line, line.period, terms, price, _full_period(line.period, terms), dialect)


def _expected(around: Around, held: _Held, used: _Used | None, other: OtherTerms | None) -> Expected:
    basis = _by_usage(held, used) if used else _by_number(held)
    if other and other.quantity is not None:
        basis = replace(basis, quantity=other.quantity, as_set=True)
    if held.price.price.currency != held.line.currency:
        return Expected(held.line, "currency_mismatch", basis)
    if used and basis.quantity is None:
        return Expected(held.line, "unknown_meter", basis)
    rating = _rating(around, held, basis)
    return Expected(held.line, rating.problem, basis, rating)


def _rating(around: Around, held: _Held, basis: Basis) -> Rating:
    discounts = discounts_for(around, held.line, basis.terms)
    spent = any(discount.kind == "amount" for discount in discounts)
    return rate_split(
        basis.price.price,
        basis.quantity,
        basis.dialect,
        before=basis.earlier.metered if basis.earlier else None,
        earlier=basis.earlier.parts if basis.earlier else (),
        events=basis.usage.events if basis.usage else None,
        share=basis.share,
        last=_closes_period(held.period, basis),
        discounts=discounts,
        discount_left=_left_by_earlier_lines(around, held.line) if spent else None,
    )


def _by_number(held: _Held) -> Basis:
    """A flat or seat charge: the item's number, or on a line for a part of a period the number that it was for."""
    line, terms, full = held.line, held.terms, held.full
    stated, subscribed = line.billed_quantity, terms.quantity
    first, second = (stated, subscribed) if line.proration else (subscribed, stated)
    quantity = second if first is None else first
    share = _share(held.period, full, held.price.price.proration, terms, held.dialect)
    shares = _other_shares(held.period, full, terms)
    return Basis(terms, held.price, held.dialect, full, quantity, share=share, shares=shares)


def _by_usage(held: _Held, used: _Used) -> Basis:
    """A usage charge: what the meter adds up to, and what the period's earlier lines hold."""
    terms, full = held.terms, held.full
    active = full.clip(terms.service_start, terms.service_end) if full else None
    share: Fraction | None = WHOLE
    if active and not active.is_empty:
        share = _share(active, full, held.price.price.proration, terms, held.dialect)
    share = WHOLE if share is None else share  # a period within one day has no days to take a part of: all is due
    quantity = used.usage.quantity if used.usage else None
    return Basis(terms, held.price, held.dialect, full, quantity, used.usage, used.reports, used.earlier, share)


def _used(around: Around, held: Sequence[_Held]) -> list[_Used]:
    """What each metered line's item used; the usage of all of them is read at once."""
    reports = reports_for(around, [(each.terms, each.period) for each in held])
    before = [_lines_before(around, each) for each in held]
    wanted = [_stretches(*each) for each in zip(held, reports, before, strict=True)]
    measured = iter(usages_of(around, [stretch for each in wanted for stretch in each]))
    found = []
    for said, lines, stretches in zip(reports, before, wanted, strict=True):
        usage, *rest = [next(measured) for _ in stretches]
        found.append(_Used(usage, said, _earlier(lines, rest)))
    return found


def _stretches(held: _Held, reports: tuple[Report, ...], before: Sequence[Line]) -> list[Stretch]:
    """When usage counts for a line: in its period, in all that was billed before, and where that is known by itself
    also line by line.
    """
    terms, period, cutoff = held.terms, held.period, held.line.invoice_created_at
    wanted = [Stretch(terms, period, cutoff, reports)]
    periods = [line.period for line in before if line.period]
    if periods:
        wanted.append(Stretch(terms, Period(min(each.start for each in periods), period.start), cutoff))
        if held.price.price.convert and held.dialect.converts_parts:
            wanted += [Stretch(terms, each, cutoff) for each in periods]
    return wanted


def _earlier(before: Sequence[Line], measured: Sequence[Usage | None]) -> Earlier | None:
    """The usage on earlier lines, as measured in all and line by line."""
    usage, *parts = measured or [None]
    if usage is None:
        return None
    billed = sum((line.billed_quantity or Decimal(0) for line in before), Decimal(0))
    quantities = tuple(part.quantity for part in parts if part)
    return Earlier(Before(usage.quantity, usage.events), Before(billed, usage.events), quantities)


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


def _lines_before(around: Around, held: _Held) -> list[Line]:
    """The item's earlier usage lines of the same billing period under the same price, one of each start."""
    full, price, period = held.full, held.price, held.period
    if full is None or held.line.kind != "usage" or not Stretch(held.terms, period, period.start).is_metered:
        return []
    part_start = max(full.start, price.since) if price.since else full.start
    if period.start <= part_start:
        return []
    earlier = {
        each.period_start: each
        for each in reversed(around.billed(held.terms))
        if each.kind == "usage"
        and each.period
        and part_start <= each.period.start < period.start
        and each.period.end <= period.start
    }
    return list(earlier.values())


def _closes_period(period: Period, basis: Basis) -> bool:
    """The line is the last of its billing period, or of the item's service in it."""
    if basis.full_period is None:
        return False
    served = basis.full_period.clip(basis.terms.service_start, basis.terms.service_end)
    return period.end >= served.end


def _left_by_earlier_lines(around: Around, line: Line) -> dict[str, Decimal]:
    """What the invoice's lines before this one leave of its fixed discounts."""
    before = [each for each in around.invoice.discounted if each.line_id < line.line_id]
    return amounts_left(before, line.currency, rounding=around.books.dialect(line.integration).rounding)
