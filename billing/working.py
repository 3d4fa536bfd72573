"""The working of a rating: every value on the way, and how the arithmetic reads to someone who has no price table.

Owns what is shown, not what is right: the values come from billing.rating.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from billing.discounts import Deduction
from billing.money import Number, Rounding, as_decimal, minor_digits
from billing.prices import ZERO, Charge, Charges, Model, Price

UNITS = "units"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a rating: what went in, what came out, and the arithmetic in words."""

    name: str
    text: str
    inputs: Mapping[str, Decimal]
    result: Decimal
    unit: str  # "units", or the currency


@dataclass(frozen=True, slots=True)
class TierAmount:
    """One row of the price's working: `counted × unit_amount + flat_amount = amount`, for `units` units.

    `tier` is None for a price without tiers; the tier holds the units past `above` up to and with `up_to` (None: no
    end). `counted` differs from `units` for packages only. With earlier lines in the period, it is what this line adds.
    """

    tier: int | None
    above: Decimal
    up_to: Decimal | None
    units: Decimal
    counted: Decimal
    unit_amount: Decimal
    flat_amount: Decimal
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Charged:
    """The usage since the period's start, taken through steps 2 to 5 of rating.md."""

    raw: Fraction = ZERO
    events: int = 0
    converted: Fraction = ZERO
    billable: Fraction = ZERO
    charges: Charges = ()
    priced: Fraction = ZERO
    prorated: Fraction = ZERO
    rounded: Decimal = Decimal(0)
    capped: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Working:
    """Everything that a rating came from; `earlier` is None on the first line of a period."""

    price: Price
    earlier: Charged | None
    total: Charged
    share: Fraction
    rounding: Rounding
    amount: Decimal
    closes_period: bool
    commitment: Decimal
    deductions: tuple[Deduction, ...]


def steps(working: Working) -> tuple[Step, ...]:
    """The steps that apply, in the order of rating.md."""
    return (*_quantity_steps(working), *_amount_steps(working), *_line_steps(working))


def tier_amounts(working: Working) -> tuple[TierAmount, ...]:
    """What the line adds to each tier: all charges of the period so far, less those of the lines before."""
    earlier = working.earlier.charges if working.earlier else ()
    before = {_tier_number(charge): charge for charge in earlier}
    now = {_tier_number(charge): charge for charge in working.total.charges}
    rows = [
        _tier_amount(before.get(number), now.get(number)) for number in sorted({*before, *now}, key=lambda n: n or 0)
    ]
    return tuple(row for row in rows if not earlier or row.units or row.amount)


def _tier_number(charge: Charge) -> int | None:
    return charge.tier.number if charge.tier else None


def _tier_amount(before: Charge | None, now: Charge | None) -> TierAmount:
    known = now or before or Charge(ZERO, ZERO, ZERO)
    nothing = Charge(ZERO, ZERO, known.unit_amount)
    then, here = before or nothing, now or nothing
    return TierAmount(
        tier=_tier_number(known),
        above=as_decimal(known.above),
        up_to=known.tier.up_to if known.tier else None,
        units=as_decimal(here.units - then.units),
        counted=as_decimal(here.counted - then.counted),
        unit_amount=as_decimal(known.unit_amount),
        flat_amount=as_decimal(here.flat_amount - then.flat_amount),
        amount=as_decimal(here.amount - then.amount),
    )


def _quantity_steps(working: Working) -> Iterator[Step]:
    price, earlier, total = working.price, working.earlier, working.total
    kind = "metered" if price.metered else "subscribed"
    quantity = total.raw - (earlier.raw if earlier else ZERO)
    if price.model != Model.FLAT or quantity != 1:
        yield _step("quantity", f"{plain(quantity)} units {kind}", quantity, UNITS)
    if earlier:
        text = f"carries on from {plain(earlier.raw)} units on earlier lines of the period: {plain(total.raw)} so far"
        yield _step("carried", text, total.raw, UNITS, earlier=earlier.raw)
    if price.model == Model.FLAT:
        return
    if price.convert:
        yield _step("conversion", _conversion(price, total), total.converted, UNITS, raw=total.raw)
    if price.free_units:
        text = f"{plain(total.converted)} less {plain(price.free_units)} free = {plain(total.billable)}"
        yield _step("free_units", text, total.billable, UNITS, free_units=price.free_units)


def _amount_steps(working: Working) -> Iterator[Step]:
    price, total, currency = working.price, working.total, working.price.currency
    text = f"{price.model}: {_sum(price, total.charges)} = {plain(total.priced)}"
    yield _step("price", text, total.priced, currency, units=total.billable)
    if total.prorated != total.priced:
        text = f"{plain(total.priced)} × {working.share} of the period = {plain(total.prorated)}"
        yield _step("proration", text, total.prorated, currency, share=working.share)
    digits, mode = minor_digits(currency), working.rounding.replace("_", " ")
    text = f"rounded {mode} to {digits} digits = {plain(total.rounded)}"
    yield _step("rounding", text, total.rounded, currency, digits=digits)
    if price.maximum_amount is not None:
        verb = "cut to" if total.capped < total.rounded else "within"
        text = f"{verb} the period's maximum of {plain(price.maximum_amount)}"
        yield _step("maximum", text, total.capped, currency, maximum=price.maximum_amount)


def _line_steps(working: Working) -> Iterator[Step]:
    currency, earlier = working.price.currency, working.earlier
    if earlier:
        charged = f"{plain(working.total.capped)} less {plain(earlier.capped)} for the earlier lines"
        text = f"{charged} = {plain(working.amount)}"
        yield _step("carried_charge", text, working.amount, currency, charged=earlier.capped)
    remainder = working.amount
    for taken in working.deductions:
        remainder -= taken.amount
        yield _step("discount", _discount(taken, remainder), remainder, currency, off=taken.amount)
    if working.closes_period and working.price.minimum_amount is not None:
        yield _step("minimum", _minimum(working), working.commitment, currency, minimum=working.price.minimum_amount)


def _step(name: str, text: str, result: Number, unit: str, **inputs: Number) -> Step:
    return Step(name, text, {key: as_decimal(value) for key, value in inputs.items()}, as_decimal(result), unit)


def plain(value: Number) -> str:
    """The number with thousands separators and no idle zeros; digits that never end are cut with an ellipsis."""
    decimal = as_decimal(value)
    text = f"{decimal:,f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return text if Fraction(decimal) == Fraction(value) else f"{text}…"


def _conversion(price: Price, total: Charged) -> str:
    sign = "×" if price.convert == "multiply" else "÷"
    rounding = price.convert_rounding or "none"
    rounded = "" if rounding == "none" else f", rounded {rounding.replace('_', ' ')}"
    return f"{plain(total.raw)} {sign} {plain(price.convert_factor or 0)}{rounded} = {plain(total.converted)}"


def _sum(price: Price, charges: Charges) -> str:
    """The price result as a sum: `tier 1: 1,000 × 0.3; tier 2: 5,000 × 0.2`."""
    return "; ".join(f"{f'tier {c.tier.number}: ' if c.tier else ''}{_product(price, c)}" for c in charges)


def _product(price: Price, charge: Charge) -> str:
    match price.model:
        case Model.FLAT:
            amount = plain(charge.unit_amount)
            return amount if charge.counted == 1 else f"{plain(charge.counted)} × {amount}"
        case Model.PACKAGE:
            size = plain(price.package_size or 0)
            return f"{plain(charge.counted)} packages of {size} × {plain(charge.unit_amount)}"
        case Model.PERCENTAGE | Model.GRADUATED_PERCENTAGE:
            product = f"{plain(charge.units)} × {plain(charge.unit_amount * 100)} %"
        case _:
            product = f"{plain(charge.units)} × {plain(charge.unit_amount)}"
    return f"{product} + {plain(charge.flat_amount)} flat" if charge.flat_amount else product


def _discount(taken: Deduction, remainder: Decimal) -> str:
    discount = taken.discount
    size = f"{plain(discount.value)} %" if discount.kind == "percent" else plain(discount.value)
    name = f"{discount.discount_id} ({size} on the {discount.scope.name.lower()})"
    return f"{plain(taken.base)} less {plain(taken.amount)} by {name} = {plain(remainder)}"


def _minimum(working: Working) -> str:
    minimum, due = plain(working.price.minimum_amount or 0), plain(working.commitment)
    prorated = "" if working.share == 1 else f" × {working.share} of the period"
    charged = plain(working.total.capped)
    return f"the period's minimum of {minimum}{prorated}, {charged} charged: {due} more as a commitment line"
