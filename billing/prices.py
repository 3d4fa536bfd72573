"""Prices: how one thing is charged, and the eight models of rating.md, section "Price", one function each.

A model turns billable units into charges whose amounts add up to the price result, exact and unrounded. The order of
the steps around it (conversion, free units, rounding, maximum ...) is billing.rating's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from fractions import Fraction

from billing.money import is_currency

ZERO = Fraction(0)


class Model(StrEnum):
    """How units become an amount."""

    FLAT = "flat"
    PER_UNIT = "per_unit"
    GRADUATED = "graduated"
    VOLUME = "volume"
    PACKAGE = "package"
    PERCENTAGE = "percentage"
    GRADUATED_PERCENTAGE = "graduated_percentage"
    DYNAMIC = "dynamic"


TIERED = frozenset({Model.GRADUATED, Model.VOLUME, Model.GRADUATED_PERCENTAGE})


class Problem(StrEnum):
    """Why a line cannot be rated. It becomes a finding; nothing is guessed in its place."""

    MISSING_PRICE = "missing_price"  # the line names no price, or one that the books do not hold
    MISSING_AMOUNT = "missing_amount"  # the price, or one of its tiers, lacks the amount that its model needs
    UNKNOWN_MODEL = "unknown_model"
    UNKNOWN_CURRENCY = "unknown_currency"
    NO_TIERS = "no_tiers"
    TIERS_GAP = "tiers_gap"  # the tiers are not numbered 1, 2, 3 ..., or one before the last has no upper bound
    TIERS_NOT_INCREASING = "tiers_not_increasing"
    TIERS_NO_OPEN_END = "tiers_no_open_end"
    PACKAGE_SIZE = "package_size"  # missing, zero or negative
    CONVERT_FACTOR = "convert_factor"  # missing, zero or negative
    MISSING_QUANTITY = "missing_quantity"
    NEGATIVE_QUANTITY = "negative_quantity"
    MISSING_EVENTS = "missing_events"  # a fee per event, and nobody says how many events there were
    ZERO_LENGTH_PERIOD = "zero_length_period"


@dataclass(frozen=True, slots=True)
class Tier:
    """One tier; `up_to` is its inclusive upper bound in units, None for the open end."""

    number: int
    up_to: Decimal | None
    unit_amount: Decimal | None = None
    flat_amount: Decimal | None = None
    percent_rate: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Price:
    """How one thing is charged: the columns of books `prices` that rating reads, with the tiers in order.

    Amounts are in major units of `currency`. `metered` says that the quantity is usage, not a subscribed number.
    """

    model: str
    currency: str
    unit_amount: Decimal | None = None
    flat_amount: Decimal | None = None
    percent_rate: Decimal | None = None
    package_size: Decimal | None = None
    free_units: Decimal | None = None
    convert: str | None = None
    convert_factor: Decimal | None = None
    convert_rounding: str | None = None
    minimum_amount: Decimal | None = None
    maximum_amount: Decimal | None = None
    proration: str | None = None
    tiers: tuple[Tier, ...] = ()
    metered: bool = True


@dataclass(frozen=True, slots=True)
class Override:
    """Negotiated terms of one customer: what is not None replaces the catalog value (books `price_overrides`)."""

    unit_amount: Decimal | None = None
    flat_amount: Decimal | None = None
    minimum_amount: Decimal | None = None
    maximum_amount: Decimal | None = None
    tiers: tuple[Tier, ...] | None = None


def overridden(price: Price, override: Override | None) -> Price:
    """The price with the values that the override names (rating.md, "Price")."""
    if override is None:
        return price
    named = {name: getattr(override, name) for name in Override.__slots__ if getattr(override, name) is not None}
    return replace(price, **named)


def tiers_from(rows: Iterable[Mapping[str, object]]) -> tuple[Tier, ...]:
    """Tiers from rows in the shape of books `price_tiers`, decimals as Decimal or text, in the order of their numbers.

    A row without `tier` takes its place in the list. Raises ValueError where a number does not parse.
    """
    tiers = [
        Tier(
            int(str(row.get("tier") or place)),
            *(_decimal(row.get(name)) for name in ("up_to", "unit_amount", "flat_amount", "percent_rate")),
        )
        for place, row in enumerate(rows, start=1)
    ]
    return tuple(sorted(tiers, key=lambda tier: tier.number))


def _decimal(value: object) -> Decimal | None:
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, Decimal | int | str):
        raise ValueError(f'{value!r} is no exact number; write decimals as text, as in "0.30"')
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise ValueError(f"{value!r} is not a number") from None
    if not number.is_finite():
        raise ValueError(f"{value!r} is not a finite number")
    return number


@dataclass(frozen=True, slots=True)
class Charge:
    """One addend of a price result: `counted × unit_amount + flat_amount`, for `units` units of one tier.

    `counted` is what the unit amount multiplies: the units, or the packages that hold them.
    """

    units: Fraction
    counted: Fraction
    unit_amount: Fraction
    flat_amount: Fraction = ZERO
    tier: Tier | None = None
    above: Fraction = ZERO  # the bound before the tier: its units are those past this one

    @property
    def amount(self) -> Fraction:
        """The exact amount in major units."""
        return self.counted * self.unit_amount + self.flat_amount


Charges = tuple[Charge, ...]


def flat(price: Price, units: Fraction, events: int) -> Charges:
    """The flat amount, once per subscribed unit; usage does not multiply it."""
    count = Fraction(1) if price.metered else units
    return (Charge(units, count, _exact(price.flat_amount)),)


def per_unit(price: Price, units: Fraction, events: int) -> Charges:
    """Every unit at the unit amount."""
    return (Charge(units, units, _exact(price.unit_amount)),)


def graduated(price: Price, units: Fraction, events: int) -> Charges:
    """The units inside each tier at that tier's unit amount, plus the flat amount of every tier reached."""
    return tuple(
        Charge(inside, inside, _exact(tier.unit_amount), _exact(tier.flat_amount), tier, above)
        for tier, inside, above in _tiers_reached(price, units)
    )


def volume(price: Price, units: Fraction, events: int) -> Charges:
    """All units at the one tier that holds them."""
    above = ZERO
    for tier in price.tiers:
        if tier.up_to is None or units <= Fraction(tier.up_to):
            return (Charge(units, units, _exact(tier.unit_amount), _exact(tier.flat_amount), tier, above),)
        above = Fraction(tier.up_to)
    return ()


def package(price: Price, units: Fraction, events: int) -> Charges:
    """Whole packages, the last one begun counting in full; none at 0 units."""
    packages = Fraction(-(-units // _exact(price.package_size)))
    return (Charge(units, packages, _exact(price.unit_amount)),)


def percentage(price: Price, units: Fraction, events: int) -> Charges:
    """A percentage of the units, which are money, plus a fixed fee per event where set."""
    return (Charge(units, units, _exact(price.percent_rate) / 100, events * _exact(price.flat_amount)),)


def graduated_percentage(price: Price, units: Fraction, events: int) -> Charges:
    """As graduated, each tier's percentage in place of its unit amount."""
    return tuple(
        Charge(inside, inside, _exact(tier.percent_rate) / 100, _exact(tier.flat_amount), tier, above)
        for tier, inside, above in _tiers_reached(price, units)
    )


def dynamic(price: Price, units: Fraction, events: int) -> Charges:
    """The units, which are money, times the multiplier."""
    return (Charge(units, units, _exact(price.unit_amount)),)


def _tiers_reached(price: Price, units: Fraction) -> Iterable[tuple[Tier, Fraction, Fraction]]:
    """The first tier, and each later one that the units pass the bound before: (tier, units inside, that bound)."""
    above = ZERO
    for place, tier in enumerate(price.tiers):
        if place and units <= above:
            return
        inside = units if tier.up_to is None else min(units, Fraction(tier.up_to))
        yield tier, max(inside - above, ZERO), above
        above = above if tier.up_to is None else Fraction(tier.up_to)


def _exact(amount: Decimal | None) -> Fraction:
    return ZERO if amount is None else Fraction(amount)


MODELS: dict[str, Callable[[Price, Fraction, int], Charges]] = {
    Model.FLAT: flat,
    Model.PER_UNIT: per_unit,
    Model.GRADUATED: graduated,
    Model.VOLUME: volume,
    Model.PACKAGE: package,
    Model.PERCENTAGE: percentage,
    Model.GRADUATED_PERCENTAGE: graduated_percentage,
    Model.DYNAMIC: dynamic,
}
"""The charges of a sound price for billable units (0 or more) and a number of events, by model."""


def price_problem(price: Price) -> Problem | None:
    """The first reason why nothing can be rated under this price, whatever the quantity; None when it is sound."""
    if not is_currency(price.currency):
        return Problem.UNKNOWN_CURRENCY
    if price.model not in MODELS:
        return Problem.UNKNOWN_MODEL
    if price.convert is not None and not _positive(price.convert_factor):
        return Problem.CONVERT_FACTOR
    if price.model in TIERED:
        return _tiers_problem(price)
    if price.model == Model.PACKAGE and not _positive(price.package_size):
        return Problem.PACKAGE_SIZE
    return Problem.MISSING_AMOUNT if _amount_needed(price) is None else None


def _amount_needed(price: Price) -> Decimal | None:
    match price.model:
        case Model.FLAT:
            return price.flat_amount
        case Model.PERCENTAGE:
            return price.percent_rate
        case _:
            return price.unit_amount


def _tiers_problem(price: Price) -> Problem | None:
    tiers = price.tiers
    if not tiers:
        return Problem.NO_TIERS
    bounds = [tier.up_to for tier in tiers[:-1]]
    if [tier.number for tier in tiers] != list(range(1, len(tiers) + 1)) or None in bounds:
        return Problem.TIERS_GAP
    rising = [Fraction(tier.up_to) for tier in tiers if tier.up_to is not None]
    if rising != sorted(set(rising)) or (rising and rising[0] < 0):
        return Problem.TIERS_NOT_INCREASING
    if tiers[-1].up_to is not None:
        return Problem.TIERS_NO_OPEN_END
    return Problem.MISSING_AMOUNT if any(_is_bare(tier, price.model) for tier in tiers) else None


def _is_bare(tier: Tier, model: str) -> bool:
    rate = tier.percent_rate if model == Model.GRADUATED_PERCENTAGE else tier.unit_amount
    return rate is None and tier.flat_amount is None


def _positive(value: Decimal | None) -> bool:
    return value is not None and value > 0
