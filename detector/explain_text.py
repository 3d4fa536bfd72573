"""An explanation as plain text in aligned columns, for someone who has never seen the price."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from billing.money import MINOR_DIGITS, as_decimal
from billing.periods import UnknownTimezoneError, timezone_named
from billing.working import UNITS, plain

if TYPE_CHECKING:
    from detector.explain import ComparedStep, ComparedTier, Explanation
    from detector.line_rating import Expected

REASONS = {
    "not_rated": "this kind of line has no price of its own",
    "missing_period": "neither the line nor its invoice names a period",
    "zero_length_period": "the line's period has no length",
    "unknown_item": "the books hold no subscription item that the line belongs to",
    "missing_price": "the books do not hold the item's price",
    "unreadable_override": "the tiers of the customer's price override cannot be read",
    "currency_mismatch": "the price is in another currency than the invoice",
    "unknown_meter": "the books do not hold the price's meter",
    "missing_amount": "the price lacks an amount that its model needs",
    "unknown_model": "the price's model is not known",
    "unknown_currency": "the price's currency is not an ISO 4217 currency",
    "no_tiers": "the price has no tiers",
    "tiers_gap": "the price's tiers have a gap",
    "tiers_not_increasing": "the bounds of the price's tiers do not increase",
    "tiers_no_open_end": "the price's last tier has an end, so larger quantities have no price",
    "package_size": "the price has no package size",
    "convert_factor": "the price's unit conversion has no factor",
    "missing_quantity": "nobody says how many units there were",
    "negative_quantity": "the quantity is negative",
    "missing_events": "the price has a fee per event, and the number of events is not known",
}
"""Why a line has no expected amount, by its reason, as half a sentence."""


def reason_text(expected: Expected) -> str:
    """Why there is no expected amount, as half a sentence."""
    return REASONS.get(expected.reason or "", expected.reason or "")


def as_text(explanation: Explanation) -> str:
    """The explanation as plain text: what the line is, the steps, the tiers, the verdict, the four numbers."""
    parts = [heading(explanation), _step_table(explanation), _tier_table(explanation), _verdict(explanation)]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def heading(explanation: Explanation) -> list[str]:
    """What the line is, whose, on which invoice, for which period, by which price."""
    line, basis = explanation.line, explanation.expectation.basis
    about = f": {line.description}" if line.description else ""
    number = f"{line.invoice_number} " if line.invoice_number else ""
    lines = [
        f"Invoice line {line.line_id} ({line.kind}{', prorated' if line.proration else ''}){about}",
        f"{'Customer':<10}{named(line.customer_name, line.customer_id)}",
        f"{'Invoice':<10}{number}({line.invoice_id}), {line.invoice_status}, {line.currency}",
    ]
    zone = basis.terms.timezone if basis else "UTC"
    if line.period:
        lines.append(f"{'Period':<10}{stretch(line.period.start, line.period.end, zone)}")
    if basis:
        override = f", override {basis.price.override_id}" if basis.price.override_id else ""
        price = named(basis.terms.price_name, basis.terms.price_id)
        lines.append(f"{'Price':<10}{price}, {basis.price.price.model}{override}")
        if basis.full_period and basis.share != 1:
            full = stretch(basis.full_period.start, basis.full_period.end, zone)
            lines.append(f"{'Due':<10}{basis.share} of {full}, by the {basis.price.price.proration}")
    return lines


def _step_table(explanation: Explanation) -> list[str]:
    rows = [("", "expected", "billed", "", "")]
    for step in explanation.steps:
        mark = "≠" if step.differs else ""
        rows.append(
            (step.name.replace("_", " "), shown(step, step.expected), shown(step, step.billed), mark, step.text)
        )
    return table(rows, right=(1, 2))


def shown(step: ComparedStep, value: Decimal | None) -> str:
    """A value of a step in its unit: amounts with the currency's digits, others exact."""
    if value is None:
        return "-"
    exact = step.unit == UNITS or step.name in ("unit_amount", "price", "proration")
    return plain(value) if exact else money(value, step.unit)


def _tier_table(explanation: Explanation) -> list[str]:
    if len(explanation.tiers) < 2 and not any(tier.tier for tier in explanation.tiers):
        return []
    rows: list[tuple[str, ...]] = [("Tier", "units", "unit amount", "flat", "expected", "billed", "difference")]
    for tier in explanation.tiers:
        amounts = (tier.expected, tier.billed, tier.difference)
        rows.append(
            (
                _tier_name(tier),
                plain(tier.units),
                plain(tier.unit_amount),
                plain(tier.flat_amount),
                *map(_or_dash, amounts),
            )
        )
    return table(rows, right=(1, 2, 3, 4, 5, 6))


def _tier_name(tier: ComparedTier) -> str:
    if tier.tier is None:
        return "all"
    end = "and more" if tier.up_to is None else f"to {plain(tier.up_to)}"
    return f"{tier.tier} (past {plain(tier.above)} {end})" if tier.above else f"{tier.tier} (from 0 {end})"


def _verdict(explanation: Explanation) -> list[str]:
    currency, numbers, parted = explanation.line.currency, explanation.numbers, explanation.parts_at
    lines = [_difference(explanation)]
    if parted:
        lines.append(f"Billed and expected first part at: {parted.name.replace('_', ' ')}.")
    lines += [f"The billed amount is what this gives: {each.text}." for each in explanation.hypotheses]
    quantities = (("metered", numbers.metered), ("recorded", numbers.recorded), ("billed", numbers.billed_quantity))
    said = [f"{name} {_or_dash(value)}" for name, value in quantities]
    expected = "-" if numbers.expected is None else money(numbers.expected, currency)
    amounts = f"billed {money(numbers.billed, currency)} {currency}, expected {expected} {currency}"
    return [*lines, f"Units: {', '.join(said)}. Amounts: {amounts}."]


def parted(step: ComparedStep) -> str:
    """What the line says at a step beside what is expected there: `billed 600.00, expected 1,200.00`."""
    return f"billed {shown(step, step.billed)}, expected {shown(step, step.expected)}"


def _difference(explanation: Explanation) -> str:
    difference, currency = explanation.difference, explanation.line.currency
    if difference is None:
        return f"No expected amount: {reason_text(explanation.expectation)}."
    if not difference:
        return "Billed as expected."
    direction = "too little" if difference > 0 else "too much"
    return f"Billed {money(abs(difference), currency)} {currency} {direction}."


def money(amount: Decimal, currency: str) -> str:
    """The amount with its currency's digits, or with all of its own where it has more: `1,234.50`."""
    digits = MINOR_DIGITS.get(currency, 2)
    exact = as_decimal(amount)
    return f"{exact:,.{max(digits, -int(exact.as_tuple().exponent))}f}"


def _or_dash(value: Decimal | None) -> str:
    return "-" if value is None else plain(value)


def named(name: str | None, identifier: str) -> str:
    """A record by its name with its id behind it, or by its id alone."""
    return f"{name} ({identifier})" if name else identifier


def stretch(start: datetime, end: datetime, zone: str) -> str:
    """A stretch of time on the clock of a timezone; in UTC where the zone is not known."""
    try:
        clock = timezone_named(zone)
    except UnknownTimezoneError:
        clock, zone = UTC, "UTC"
    return f"{start.astimezone(clock):%Y-%m-%d %H:%M} to {end.astimezone(clock):%Y-%m-%d %H:%M} {zone}"


def table(rows: Sequence[Sequence[str]], right: Iterable[int]) -> list[str]:
    """The rows with columns as wide as they need to be; the last one is as long as it is."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    aligned = set(right)
    return [
        "  ".join(
            cell.rjust(width) if place in aligned else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
