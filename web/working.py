"""How a line's amount comes about, tier by tier: what is expected beside what was billed, and where they part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from markupsafe import Markup

from billing.hypotheses import Hypothesis
from billing.prices import Model
from billing.working import TierAmount
from detector.explain import ComparedStep, ComparedTier, Explanation
from web.charts import percent
from web.figures import gap, money, quantity

STEPS_OF_THE_LINE = ("proration", "maximum", "carried_charge", "discount", "minimum", "credit_notes")
"""Steps after the price that change the amount and so have a row of their own."""

MODELS = {
    "flat": "a flat fee",
    "per_unit": "a price per unit",
    "graduated": "graduated tiers, each unit in its own tier",
    "volume": "volume tiers, all units in the tier that the total reaches",
    "package": "whole packages",
    "percentage": "a percentage",
    "graduated_percentage": "graduated percentages",
    "dynamic": "a multiple of the metered value",
}


@dataclass(frozen=True)
class DifferenceBar:
    """The difference of a row as a bar from a zero line; `look` says which way it is off."""

    zero: str
    x: str
    width: str
    look: str


@dataclass(frozen=True)
class WorkingRow:
    """One tier, one further step, or the sum."""

    name: str
    units: str
    expected: Markup
    expected_rate: str
    billed: Markup
    billed_rate: str
    difference: Markup
    off: bool = False
    bar: DifferenceBar | None = None


@dataclass(frozen=True)
class WorkingTable:
    """The comparison as a table: its rows, the sum, and the steps in words."""

    title: str
    note: str
    first: str
    rows: tuple[WorkingRow, ...]
    total: WorkingRow
    steps: tuple[str, ...]
    guess: str
    under: bool
    over: bool


def working(explanation: Explanation) -> WorkingTable | None:
    """The table of a line's explanation; None where the line cannot be rated."""
    basis = explanation.expectation.basis
    if explanation.expectation.amount is None or basis is None or not explanation.tiers:
        return None
    currency = explanation.line.currency
    guess = next((way for way in explanation.hypotheses if way.rating), None)
    billed = {row.tier: row for row in guess.rating.tiers} if guess and guess.rating else {}
    gaps = [tier.difference for tier in explanation.tiers if tier.difference]
    tiered = len(explanation.tiers) > 1 or explanation.tiers[0].tier is not None
    return WorkingTable(
        title="Expected and billed, tier by tier" if tiered else "Expected and billed",
        note=f"{basis.terms.price_name or basis.terms.price_id}: {MODELS.get(basis.price.price.model, '')}",
        first="Tier" if tiered else "Price",
        rows=(*_rows(explanation, billed, gaps), *_step_rows(explanation, currency)),
        total=_total(explanation, currency),
        steps=tuple(step.text for step in explanation.steps if step.text),
        guess=_guess(explanation.hypotheses),
        under=any(one > 0 for one in gaps),
        over=any(one < 0 for one in gaps),
    )


def _guess(found: Sequence[Hypothesis]) -> str:
    """Which other way of computing gives the billed amount."""
    return f"The billed amount is exactly what this gives: {found[0].text}." if found else ""


def _rows(
    explanation: Explanation, billed: Mapping[int | None, TierAmount], gaps: Sequence[Decimal]
) -> list[WorkingRow]:
    """A row for each tier; a price without tiers has one, which is the line's own amount and rate."""
    line, basis = explanation.line, explanation.expectation.basis
    model = basis.price.price.model if basis else ""
    first = explanation.tiers[0]
    if len(explanation.tiers) == 1 and first.billed is None:
        apart = first.expected - line.amount
        rate = f"\u00d7 {quantity(line.unit_amount)}" if line.unit_amount is not None else ""
        return [_row(first, model, line.currency, billed=line.amount, billed_rate=rate, apart=apart, gaps=[apart])]
    return [_tier_row(tier, model, line.currency, billed.get(tier.tier), gaps) for tier in explanation.tiers]


def _tier_row(
    tier: ComparedTier, model: str, currency: str, charged: TierAmount | None, gaps: Sequence[Decimal]
) -> WorkingRow:
    units = charged.units if charged and charged.units != tier.units else None
    rate = _rate(charged.unit_amount, charged.flat_amount, units) if charged and tier.billed else ""
    return _row(tier, model, currency, billed=tier.billed, billed_rate=rate, apart=tier.difference, gaps=gaps)


def _row(
    tier: ComparedTier,
    model: str,
    currency: str,
    *,
    billed: Decimal | None,
    billed_rate: str,
    apart: Decimal | None,
    gaps: Sequence[Decimal],
) -> WorkingRow:
    flat = model == Model.FLAT
    return WorkingRow(
        name="Fee" if flat else _tier_name(tier),
        units=quantity(tier.units),
        expected=money(tier.expected, currency),
        expected_rate="" if flat else _rate(tier.unit_amount, tier.flat_amount, None),
        billed=money(billed, currency),
        billed_rate="" if flat else billed_rate,
        difference=gap(apart, currency),
        off=bool(apart),
        bar=_bar(apart, gaps),
    )


def _step_rows(explanation: Explanation, currency: str) -> list[WorkingRow]:
    """The steps behind the price that take something off or cut it, where either side has them."""
    return [
        WorkingRow(
            name=step.name.replace("_", " ").capitalize(),
            units="",
            expected=money(step.expected, currency),
            expected_rate="",
            billed=money(step.billed, currency),
            billed_rate="",
            difference=gap(_apart(step), currency) if step.differs else Markup(""),
            off=step.differs,
        )
        for step in explanation.steps
        if step.name in STEPS_OF_THE_LINE and not step.text.startswith("within")
    ]


def _apart(step: ComparedStep) -> Decimal:
    return (step.expected or Decimal(0)) - (step.billed or Decimal(0))


def _total(explanation: Explanation, currency: str) -> WorkingRow:
    numbers = explanation.numbers
    return WorkingRow(
        name="Line",
        units=quantity(sum((tier.units for tier in explanation.tiers), Decimal(0))),
        expected=money(numbers.expected, currency),
        expected_rate="",
        billed=money(numbers.billed, currency),
        billed_rate="",
        difference=gap(explanation.difference, currency),
    )


def _tier_name(tier: ComparedTier) -> str:
    if tier.tier is None:
        return "All units"
    if tier.up_to is None:
        return f"over {quantity(tier.above)}"
    return f"{quantity(tier.above)} \u2013 {quantity(tier.up_to)}"


def _rate(unit_amount: Decimal, flat_amount: Decimal, units: Decimal | None) -> str:
    """`× 0.0050`, with the units in front where they are other than the row says, and the flat amount behind."""
    counted = f"{quantity(units)} " if units is not None else ""
    flat = f" + {quantity(flat_amount)}" if flat_amount else ""
    return f"{counted}\u00d7 {quantity(unit_amount)}{flat}"


def _bar(difference: Decimal | None, gaps: Sequence[Decimal]) -> DifferenceBar | None:
    """A bar from the zero line: to the right what is missing, to the left what is too much."""
    if not difference:
        return None
    most, least = max([*gaps, Decimal(0)]), min([*gaps, Decimal(0)])
    scale = most - least
    zero = -least / scale
    width = abs(difference) / scale
    start = zero if difference > 0 else zero - width
    return DifferenceBar(percent(zero), percent(start), percent(width), "under" if difference > 0 else "over")
