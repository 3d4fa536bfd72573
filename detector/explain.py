"""One invoice line explained: how its expected amount comes about, beside what was billed, and where the two part.

    metered   what the product's events add up to
    recorded  what the billing system recorded as used
    billed    what the line says, net of discounts and credit notes
    expected  what the line should be

Reads the records of one line only, builds nothing, changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

import duckdb

from billing.dialects import NAMED, Dialects
from billing.hypotheses import Circumstances, Hypothesis, hypotheses
from billing.prices import Model, Price
from billing.proration import WHOLE
from billing.working import Step, TierAmount, plain
from detector import explain_json, explain_text
from detector.line_credits import credited
from detector.line_rating import Basis, Expected, expected_line
from detector.line_records import Books, Line, UnknownLineError, find_line
from detector.line_terms import Around, other_prices
from store import near
from store.held import EVENTS

__all__ = ["ComparedStep", "ComparedTier", "Explanation", "FourNumbers", "UnknownLineError", "explain"]

_UNIT_PRICED = frozenset({Model.PER_UNIT, Model.PACKAGE, Model.DYNAMIC})
_OWN_ROWS = frozenset({"discount", "minimum"})


@dataclass(frozen=True)
class ComparedStep:
    """One step of the expected amount, with what the line itself says there (None: it does not say)."""

    name: str
    text: str
    expected: Decimal | None
    billed: Decimal | None
    unit: str  # "units", or the currency

    @property
    def differs(self) -> bool:
        """Whether the line says something else than expected."""
        return self.expected is not None and self.billed is not None and self.expected != self.billed


@dataclass(frozen=True)
class ComparedTier:
    """What one tier adds as expected, and as billed where the way it was billed is known."""

    tier: int | None
    above: Decimal
    up_to: Decimal | None
    units: Decimal
    unit_amount: Decimal
    flat_amount: Decimal
    expected: Decimal
    billed: Decimal | None

    @property
    def difference(self) -> Decimal | None:
        """Expected less billed."""
        return None if self.billed is None else self.expected - self.billed


@dataclass(frozen=True)
class FourNumbers:
    """The three-way match of the line: quantities in metered units, amounts after discount and credit notes."""

    metered: Decimal | None
    recorded: Decimal | None
    billed_quantity: Decimal | None
    billed: Decimal
    expected: Decimal | None


@dataclass(frozen=True)
class Explanation:
    """How a line's expected amount comes about, beside what was billed.

    `credited`: what credit notes take back of it; `others`: the prices that may have been charged in place of its own,
    by how to say them. What is made of these is worked out when it is asked for.
    """

    expectation: Expected
    credited: Decimal
    others: Mapping[str, Price]

    @cached_property
    def numbers(self) -> FourNumbers:
        """The three-way match."""
        return _numbers(self.expectation, self.credited)

    @cached_property
    def steps(self) -> tuple[ComparedStep, ...]:
        """The steps of the expected amount, with what the line says at each."""
        return tuple(_steps(self.expectation, self.credited))

    @cached_property
    def hypotheses(self) -> tuple[Hypothesis, ...]:
        """The other ways of computing that give the billed amount, where it is not the expected one."""
        return _hypotheses(self.expectation, self.others) if _is_wrong(self.expectation) else ()

    @cached_property
    def tiers(self) -> tuple[ComparedTier, ...]:
        """Tier by tier: as expected, and as billed where that is known."""
        return _tiers(self.expectation, self.hypotheses)

    @property
    def line(self) -> Line:
        """The line as billed."""
        return self.expectation.line

    @property
    def difference(self) -> Decimal | None:
        """Expected less billed, net of discounts and credit notes: positive is underbilled (rating.md, Difference)."""
        return None if self.numbers.expected is None else self.numbers.expected - self.numbers.billed

    @property
    def parts_at(self) -> ComparedStep | None:
        """The first step at which billed and expected part; None while they agree."""
        return next((step for step in self.steps if step.differs), None)

    def as_text(self) -> str:
        """The explanation as plain text, for someone who has never seen the price."""
        return explain_text.as_text(self)

    def as_json(self) -> dict[str, Any]:
        """The explanation as JSON values: numbers as decimal strings, instants as RFC 3339."""
        return explain_json.as_json(self)


def explain(
    con: duckdb.DuckDBPyConnection,
    line_id: str,
    as_of: datetime,
    integration: str | None = None,
    dialects: Dialects = NAMED,
) -> Explanation:
    """How the expected amount of an invoice line comes about, from the books as known at `as_of` (aware).

    `con` is a connection on which `books.<table>` resolves. Raises UnknownLineError when no line has the id, or when
    lines of several integrations have it and `integration` names none.
    """
    with at_one_state(con, as_of, dialects) as books:
        return explain_line(books, find_line(books, line_id, integration))


def explain_line(books: Books, line: Line) -> Explanation:
    """The explanation of a line of these books."""
    around = Around(books, [line])
    expected = expected_line(around, line)
    return explained(around, [(expected, credited(around, expected))])[0]


@contextmanager
def at_one_state(con: duckdb.DuckDBPyConnection, as_of: datetime, dialects: Dialects = NAMED) -> Iterator[Books]:
    """One state of the books for all reads of the block; nothing is written, and leaving lets go of it."""
    with closing(con.cursor()) as own:
        own.begin()
        keyed = any(row[0] == near.KEY for row in own.execute(f"DESCRIBE books.{EVENTS}").fetchall())
        yield Books(own, as_of, dialects, keyed)


def explained(around: Around, lines: Sequence[tuple[Expected, Decimal]]) -> list[Explanation]:
    """The explanations of lines whose expected amount, and what credit notes take back of it, are known."""
    wrong = [(each.line, each.basis.terms) for each, _ in lines if each.basis and _is_wrong(each)]
    others = iter(other_prices(around, wrong) if wrong else ())
    return [Explanation(each, taken_back, next(others) if _is_wrong(each) else {}) for each, taken_back in lines]


def _numbers(expected: Expected, taken_back: Decimal) -> FourNumbers:
    line, basis = expected.line, expected.basis
    reports = basis.reports if basis else ()
    return FourNumbers(
        metered=basis.quantity if basis else None,
        recorded=sum((report.quantity for report in reports), Decimal(0)) if reports else None,
        billed_quantity=line.billed_quantity,
        billed=line.amount - line.discount_amount - taken_back,
        expected=expected.net,
    )


def _steps(expected: Expected, taken_back: Decimal) -> Iterator[ComparedStep]:
    line, currency, basis, rating = expected.line, expected.line.currency, expected.basis, expected.rating
    steps = rating.steps if rating else ()
    for step in steps:
        if basis and step.name == "price":
            yield from _unit_price(line, basis)
        if step.name not in _OWN_ROWS:
            yield ComparedStep(step.name, _text(step, basis), step.result, _stated(line, basis, step), step.unit)
    yield ComparedStep("amount", _amount_text(expected), expected.amount, line.amount, currency)
    if expected.discount or line.discount_amount:
        text = "; ".join(step.text for step in steps if step.name == "discount") or "no discount is due"
        off = expected.discount if expected.amount is not None else None
        yield ComparedStep("discount", text, off, line.discount_amount, currency)
    if taken_back:
        yield ComparedStep("credit_notes", "taken back by credit notes", None, taken_back, currency)
    billed = line.amount - line.discount_amount - taken_back
    yield ComparedStep("total", "after discounts and credit notes", expected.net, billed, currency)
    for step in steps:
        if step.name == "minimum" and line.kind != "commitment":
            yield ComparedStep(step.name, step.text, step.result, None, currency)


def _stated(line: Line, basis: Basis | None, step: Step) -> Decimal | None:
    """What the line itself says about a step."""
    converts = basis is not None and basis.price.price.convert is not None
    if step.name == "quantity":
        return line.raw_quantity if converts else line.billed_quantity
    if step.name == "conversion" and basis is not None and basis.earlier is None:
        return line.quantity
    return None


def _text(step: Step, basis: Basis | None) -> str:
    """The step in words; a metered quantity with the events behind it."""
    usage = basis.usage if basis else None
    if step.name == "quantity" and basis is not None and basis.as_set:
        return f"{plain(basis.quantity or 0)} units, as set"
    if step.name != "quantity" or usage is None or basis is None:
        return step.text
    late = f", {plain(usage.late_events)} of them received after it was billed" if usage.late_events else ""
    return f"{step.text}: {basis.terms.aggregation} of {plain(usage.events)} events{late}"


def _unit_price(line: Line, basis: Basis) -> Iterator[ComparedStep]:
    price = basis.price.price
    if price.model in _UNIT_PRICED and price.unit_amount is not None:
        per = f"package of {plain(price.package_size or 0)}" if price.model == Model.PACKAGE else "unit"
        text = f"{plain(price.unit_amount)} per {per}, {_source(basis)}"
        yield ComparedStep("unit_amount", text, price.unit_amount, line.unit_amount, line.currency)


def _source(basis: Basis) -> str:
    """Where the unit amount comes from."""
    if "unit_amount" in basis.price.as_set:
        return "as set"
    return f"by override {basis.price.override_id}" if basis.price.override_id else f"by price {basis.terms.price_id}"


def _amount_text(expected: Expected) -> str:
    if expected.amount is None:
        return explain_text.reason_text(expected)
    if expected.line.kind == "commitment":
        return "what the period's charges fall short of the minimum"
    if expected.line.is_credit:
        return "given back for the unused part, before discount"
    return "the line before discount"


def _is_wrong(expected: Expected) -> bool:
    """Whether the billed amount may have come about in another way: it is a price's, and not the expected one."""
    line = expected.line
    return expected.basis is not None and expected.amount not in (None, line.amount) and line.kind != "commitment"


def _hypotheses(expected: Expected, others: Mapping[str, Price]) -> tuple[Hypothesis, ...]:
    """The other ways of computing that give the billed amount."""
    line, basis = expected.line, expected.basis
    if basis is None:
        return ()
    earlier = basis.earlier
    known = Circumstances(
        before=earlier.metered if earlier else None,
        events=basis.usage.events if basis.usage else None,
        share=basis.share or WHOLE,
        shares=basis.shares,
        prices=_prices_by_mistake(line, basis, others),
        line_quantity=_line_quantity(line, basis),
        line_before=earlier.billed if earlier else None,
        rounding=basis.dialect.rounding,
    )
    quantity = Decimal(1) if basis.quantity is None else basis.quantity  # a flat fee without a number is due once
    return hypotheses(basis.price.price, quantity, abs(line.amount) if line.is_credit else line.amount, known)


def _prices_by_mistake(line: Line, basis: Basis, others: Mapping[str, Price]) -> dict[str, Price]:
    """The prices that may have been charged in place of the right one, by how to say them."""
    prices = dict(others)
    if basis.price.override_id and basis.terms.catalog:
        prices["catalog price"] = basis.terms.catalog
    price, stated = basis.price.price, line.unit_amount
    named = {price.unit_amount, *(other.unit_amount for other in prices.values())}
    if stated is not None and price.unit_amount is not None and stated not in named:
        prices[f"unit amount of {plain(stated)} that the line states"] = replace(price, unit_amount=stated)
    return prices


def _line_quantity(line: Line, basis: Basis) -> Decimal | None:
    """The line's own quantity in metered units; None where it states converted units only."""
    return line.raw_quantity if basis.price.price.convert else line.billed_quantity


def _tiers(expected: Expected, found: tuple[Hypothesis, ...]) -> tuple[ComparedTier, ...]:
    """Tier by tier: as expected, and as billed where the amount is right or a hypothesis gives it."""
    if expected.rating is None:
        return ()
    right = expected.amount == expected.line.amount
    way = expected.rating if right else next((each.rating for each in found if each.rating), None)
    billed = {row.tier: row for row in way.tiers} if way else {}
    due = {row.tier: row for row in expected.rating.tiers}
    tiers = sorted({*due, *billed}, key=lambda tier: tier or 0)
    return tuple(
        _compared(due.get(tier) or _nothing_of(billed[tier]), billed.get(tier), way is not None) for tier in tiers
    )


def _nothing_of(row: TierAmount) -> TierAmount:
    return replace(row, units=Decimal(0), counted=Decimal(0), flat_amount=Decimal(0), amount=Decimal(0))


def _compared(due: TierAmount, billed: TierAmount | None, known: bool) -> ComparedTier:
    return ComparedTier(
        tier=due.tier,
        above=due.above,
        up_to=due.up_to,
        units=due.units,
        unit_amount=due.unit_amount,
        flat_amount=due.flat_amount,
        expected=due.amount,
        billed=(billed.amount if billed else Decimal(0)) if known else None,
    )
