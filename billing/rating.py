"""Rating: what an invoice line should be, in the order of the specification's rating.md.

The one reference for "expected". Exact throughout: `Fraction` inside, `Decimal` at the edges, rounded only in the
steps that say so. What cannot be rated has a named problem in place of an amount; nothing raises, nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from billing.discounts import Deduction, Discount, deductions
from billing.money import Rounding, as_decimal, round_money, round_to
from billing.prices import MODELS, ZERO, Model, Price, Problem, price_problem
from billing.working import Charged, Step, TierAmount, Working, steps, tier_amounts

QUANTITY_PLACES = 9
"""Digits of a quantity in the books, DECIMAL(27,9). A converted quantity that is not rounded to whole units keeps
these many, half up, so that this reference and the warehouse's SQL hold the same number."""

_WHOLE_UNITS = {"ceiling": Rounding.CEILING, "floor": Rounding.FLOOR, "half_up": Rounding.HALF_UP}


@dataclass(frozen=True, slots=True)
class Before:
    """What earlier lines of the same billing period hold; the line carries on from there (rating.md, step 3)."""

    quantity: Decimal
    events: int | None = None


@dataclass(frozen=True, slots=True)
class Rating:
    """The expected line: `amount` before discount (None with a `problem`); `commitment` is due as a line of its own."""

    currency: str
    amount: Decimal | None
    quantity: Decimal | None = None  # after conversion, before free units: what the line's quantity should be
    commitment: Decimal = Decimal(0)
    deductions: tuple[Deduction, ...] = ()
    problem: Problem | None = None
    working: Working | None = None

    @property
    def steps(self) -> tuple[Step, ...]:
        """How the amount comes about, step by step; none with a problem."""
        return steps(self.working) if self.working else ()

    @property
    def tiers(self) -> tuple[TierAmount, ...]:
        """What each tier adds to the amount, before rounding; one row for a price without tiers."""
        return tier_amounts(self.working) if self.working else ()

    @property
    def discount(self) -> Decimal:
        """What all discounts take off, 0 or more."""
        return sum((deduction.amount for deduction in self.deductions), Decimal(0))

    @property
    def net(self) -> Decimal | None:
        """The amount after discounts."""
        return None if self.amount is None else self.amount - self.discount


def rate(
    price: Price,
    quantity: Decimal | None,
    *,
    before: Before | None = None,
    events: int | None = None,
    share: Fraction | None = Fraction(1),
    closes_period: bool = False,
    discounts: Iterable[Discount] = (),
    discount_left: Mapping[str, Decimal] | None = None,
    rounding: Rounding = Rounding.HALF_UP,
) -> Rating:
    """The expected line for `quantity` (the meter's aggregate, or the item's subscribed number) under `price`.

    before: usage on earlier lines of the same billing period; None where this line is the period's first. A line
        after one of no usage has Before(Decimal(0)): the first tier's flat amount is charged already.
    events: how many events made the quantity; only a percentage with a fee per event needs it.
    share: the part of the period that is due (billing.proration), None where the period has no length. It scales a
        flat or seat charge and the minimum, never usage.
    closes_period: the line is the period's last, so that the minimum is due.
    discounts, discount_left: those that count for this line, as billing.discounts.deductions takes them.
    """
    if quantity is None and price.model == Model.FLAT:
        quantity = Decimal(1)
    problem = price_problem(price) or _line_problem(price, quantity, before, events, share)
    if problem or quantity is None or share is None:
        return Rating(price.currency, None, problem=problem)

    earlier = _charge(price, Fraction(before.quantity), before.events, share, rounding) if before else Charged()
    so_far = Fraction(quantity) + earlier.raw
    total = _charge(price, so_far, (events or 0) + earlier.events, share, rounding)
    amount = total.capped - earlier.capped
    commitment = _commitment(price, total.capped, share, rounding) if closes_period else Decimal(0)
    taken = deductions(amount, price.currency, discounts, left=discount_left, rounding=rounding)
    carried = earlier if before else None
    working = Working(price, carried, total, share, rounding, amount, closes_period, commitment, taken)
    converted = as_decimal(total.converted - earlier.converted)
    return Rating(price.currency, amount, converted, commitment, taken, working=working)


def _charge(price: Price, raw: Fraction, events: int | None, share: Fraction, rounding: Rounding) -> Charged:
    """All that is due from the period's start for `raw` units: steps 2 to 5."""
    converted = _convert(price, raw)
    billable = _less_free_units(price, converted)
    charges = MODELS[price.model](price, billable, events or 0)
    priced = sum((charge.amount for charge in charges), ZERO)
    prorated = priced if price.metered else priced * share
    rounded = round_money(prorated, price.currency, rounding)
    capped = rounded if price.maximum_amount is None else min(rounded, price.maximum_amount)
    return Charged(raw, events or 0, converted, billable, charges, priced, prorated, rounded, capped)


def _convert(price: Price, raw: Fraction) -> Fraction:
    """Step 2: the metered quantity in the units that are charged."""
    if price.convert is None or price.convert_factor is None or price.model == Model.FLAT:
        return raw
    factor = Fraction(price.convert_factor)
    converted = raw * factor if price.convert == "multiply" else raw / factor
    whole = _WHOLE_UNITS.get(price.convert_rounding or "none")
    return Fraction(round_to(converted, QUANTITY_PLACES) if whole is None else round_to(converted, 0, whole))


def _less_free_units(price: Price, units: Fraction) -> Fraction:
    """Step 3: the usage discount. A flat charge has no usage to discount."""
    if price.free_units is None or price.model == Model.FLAT:
        return units
    return max(units - Fraction(price.free_units), ZERO)


def _commitment(price: Price, charged: Decimal, share: Fraction, rounding: Rounding) -> Decimal:
    """Step 6: what the period's charge falls short of the minimum, which is due for the active part of the period."""
    if price.minimum_amount is None:
        return Decimal(0)
    minimum = round_money(Fraction(price.minimum_amount) * share, price.currency, rounding)
    return max(minimum - charged, Decimal(0))


def _line_problem(
    price: Price, quantity: Decimal | None, before: Before | None, events: int | None, share: Fraction | None
) -> Problem | None:
    if share is None:
        return Problem.ZERO_LENGTH_PERIOD
    if quantity is None:
        return Problem.MISSING_QUANTITY
    if quantity < 0 or (before is not None and before.quantity < 0):
        return Problem.NEGATIVE_QUANTITY
    if price.model == Model.PERCENTAGE and price.flat_amount and (events is None or (before and before.events is None)):
        return Problem.MISSING_EVENTS
    return None
