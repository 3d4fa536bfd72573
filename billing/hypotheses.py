"""Hypotheses: which other way of computing gives the amount that was billed.

Each is the same rating with one thing changed, as a billing system that is set up wrongly would do it. Only those are
named that give the billed amount exactly while the right way does not: a match is evidence, not proof.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction

from billing.money import Rounding, as_decimal, minor_digits, round_to
from billing.prices import Model, Price, Tier
from billing.rating import Before, Rating, rate
from billing.working import plain

_POWERS_OF_TEN = frozenset(Fraction(10) ** power for power in (-3, -2, -1, 1, 2, 3))
_OTHER_MODE: dict[str, Model] = {Model.GRADUATED: Model.VOLUME, Model.VOLUME: Model.GRADUATED}


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What else went into the line, as billing.rating.rate takes it, and what a wrong setup might have used instead.

    shares: the part of the period by other proration bases, by how to say it ("by calendar days"); prices: other
    prices, such as another plan version's, by how to say it; line_quantity: the quantity that the line itself states,
    in metered units, and line_before what the period's earlier lines state. rounding: the billing system's own.
    """

    before: Before | None = None
    events: int | None = None
    share: Fraction = Fraction(1)
    shares: Mapping[str, Fraction] = field(default_factory=dict)
    prices: Mapping[str, Price] = field(default_factory=dict)
    line_quantity: Decimal | None = None
    line_before: Before | None = None
    rounding: Rounding = Rounding.HALF_UP


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """Another way of computing that gives the billed amount; `rating` is its working, where it has one of its own."""

    name: str
    text: str
    rating: Rating | None = None


def hypotheses(
    price: Price, quantity: Decimal, billed: Decimal, circumstances: Circumstances | None = None
) -> tuple[Hypothesis, ...]:
    """The other ways that give `billed` (the line's amount before discount) for `quantity`; none when it is right.

    The likeliest come first: a wrong quantity, then a wrong tier mode, bounds, price, step left out, proration, digits.
    """
    known = circumstances or Circumstances()
    right = _rating(price, quantity, known)
    if right.amount is None or right.amount == billed:
        return ()
    ways = list(_other_ways(price, quantity, known))
    if known.line_quantity is not None and known.line_quantity != quantity:
        stated = replace(known, before=known.line_before or known.before)
        at_line = _rating(price, known.line_quantity, stated)
        text = f"the line's quantity of {plain(known.line_quantity)} in place of {plain(quantity)}"
        also = [
            replace(way, text=f"{text}, and {way.text}")
            for way in _other_ways(price, known.line_quantity, stated)
            if way.rating is not None and way.rating.amount != at_line.amount
        ]
        ways = [Hypothesis("line_quantity", text, at_line), *ways, *also]
    matching = [way for way in ways if way.rating is not None and way.rating.amount == billed]
    return (*matching, *_other_digits(right, billed))


def other_mode(price: Price) -> Price | None:
    """The price with graduated for volume tiers and the other way round; None where tiers have no mode."""
    mode = _OTHER_MODE.get(price.model)
    return None if mode is None else replace(price, model=mode)


def shifted(price: Price, by: int) -> Price | None:
    """The price with every tier bound moved by `by` units (-1: bounds read as exclusive); None without bounds."""
    if not any(tier.up_to is not None for tier in price.tiers):
        return None
    return replace(price, tiers=tuple(_shifted_tier(tier, by) for tier in price.tiers))


def _shifted_tier(tier: Tier, by: int) -> Tier:
    return tier if tier.up_to is None else replace(tier, up_to=tier.up_to + by)


def _rating(price: Price, quantity: Decimal, known: Circumstances) -> Rating:
    return rate(price, quantity, before=known.before, events=known.events, share=known.share, rounding=known.rounding)


def _other_ways(price: Price, quantity: Decimal, known: Circumstances) -> Iterator[Hypothesis]:
    for name, text, changed in _other_prices(price, known):
        yield Hypothesis(name, text, _rating(changed, quantity, known))
    if known.before is not None:
        text = "the period's earlier lines forgotten: tiers, free units and packages start anew"
        yield Hypothesis("starts_anew", text, _rating(price, quantity, replace(known, before=None)))
    for basis, share in known.shares.items():
        if share != known.share:
            text = f"prorated {basis}: {share} of the period in place of {known.share}"
            yield Hypothesis("proration_basis", text, _rating(price, quantity, replace(known, share=share)))


def _other_prices(price: Price, known: Circumstances) -> Iterator[tuple[str, str, Price]]:
    """The price with one thing wrong: (name, text, price)."""
    mode, exclusive, late = other_mode(price), shifted(price, -1), shifted(price, 1)
    if mode:
        yield "other_mode", f"the tiers taken as {mode.model} in place of {price.model}", mode
    if exclusive:
        yield "bounds_exclusive", "every tier ends one unit early: bounds taken as exclusive", exclusive
    if late:
        yield "bounds_late", "every tier ends one unit late", late
    yield from (("other_price", f"the {name} in place of this price", other) for name, other in known.prices.items())
    if price.free_units:
        yield "no_free_units", "the free units left out", replace(price, free_units=None)
    if price.convert:
        yield "no_conversion", "the unit conversion left out", replace(price, convert=None)
    if price.maximum_amount is not None:
        yield "no_maximum", "the maximum left out", replace(price, maximum_amount=None)
    if price.model == Model.PACKAGE and price.package_size and price.unit_amount is not None:
        text = "packages charged in part in place of whole ones"
        yield "part_packages", text, _per_unit_of_package(price, price.unit_amount, price.package_size)


def _per_unit_of_package(price: Price, amount: Decimal, size: Decimal) -> Price:
    unit_amount = as_decimal(Fraction(amount) / Fraction(size), places=12)
    return replace(price, model=Model.PER_UNIT, unit_amount=unit_amount, package_size=None)


def _other_digits(right: Rating, billed: Decimal) -> Iterator[Hypothesis]:
    """The right amount with the point elsewhere, or rounded by another rule."""
    if right.working is None or not right.amount:
        return
    factor = Fraction(billed) / Fraction(right.amount)
    if factor in _POWERS_OF_TEN:
        direction = f"{plain(factor)} times too much" if factor > 1 else f"{plain(1 / factor)} times too little"
        yield Hypothesis(
            "minor_units", f"the right amount, {direction}: minor units taken for another number of digits"
        )
    total = right.working.total
    if total.capped < total.rounded:
        return
    exact = Fraction(right.amount) + total.prorated - Fraction(total.rounded)
    for digits in sorted({0, 2, 3, 4} - {minor_digits(right.currency)}):
        if round_to(exact, digits) == billed:
            yield Hypothesis("currency_digits", f"rounded to {digits} digits in place of the currency's")
            break
    for mode in Rounding:
        if mode != right.working.rounding and round_to(exact, minor_digits(right.currency), mode) == billed:
            yield Hypothesis("rounding_mode", f"rounded {_said(mode)} in place of {_said(right.working.rounding)}")
            break


def _said(mode: Rounding) -> str:
    return mode.replace("_", " ")
