"""Splits: a line of a period that is split over several, in the dialect of the system that wrote it.

billing.rating says what a line should be by rating.md; here are the few ways in which systems split differently.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from functools import partial

from billing.dialects import Dialect, Moment
from billing.discounts import Discount
from billing.money import Rounding, round_money, round_to
from billing.prices import Model, Price
from billing.proration import WHOLE
from billing.rating import QUANTITY_PLACES, Before, Rating, rate

_WHOLE = {"ceiling": Rounding.CEILING, "floor": Rounding.FLOOR, "half_up": Rounding.HALF_UP}


def rate_split(
    price: Price,
    quantity: Decimal | None,
    dialect: Dialect,
    *,
    before: Before | None = None,
    earlier: Sequence[Decimal] = (),
    last: bool = True,
    events: int | None = None,
    share: Fraction | None = WHOLE,
    discounts: Iterable[Discount] = (),
    discount_left: Mapping[str, Decimal] | None = None,
) -> Rating:
    """The expected line for `quantity`, as billing.rating.rate, in the way in which `dialect` splits a period.

    before: what the period's earlier lines hold, None on the first. earlier: their quantities one by one, which only a
        dialect that converts every line by itself asks for.
    last: the line closes the period. A volume price that the dialect charges on that line has a line of nothing before.
    """
    rating = partial(
        rate,
        closes_period=last,
        discounts=discounts,
        discount_left=discount_left,
        rounding=dialect.rounding,
        share=share if dialect.prorates_minimum or not price.metered or share is None else WHOLE,
    )
    if price.model == Model.VOLUME and dialect.volume_on_last_line and price.metered:
        if last and before is not None and quantity is not None:
            return rating(price, quantity + before.quantity, events=_sum(events, before.events))
        found = rating(price, quantity, before=before, events=events)
        return found if last or found.amount is None else replace(found, amount=Decimal(0), deductions=(), working=None)
    convertible = price.convert is not None and (price.convert_factor or 0) > 0
    if convertible and dialect.converts_parts and before is not None and quantity is not None:
        units, prior = converted(price, quantity), sum((converted(price, each) for each in earlier), Decimal(0))
        return rating(replace(price, convert=None), units, before=Before(prior, before.events), events=events)
    return rating(price, quantity, before=before, events=events)


def _sum(events: int | None, more: int | None) -> int | None:
    return None if events is None or more is None else events + more


def converted(price: Price, quantity: Decimal, places: int = 0) -> Decimal:
    """The quantity in the price's charged units, rounded to `places` digits (rating.md, "Quantity", step 2).

    A conversion that is not rounded keeps the nine digits of a quantity in the books. The price's factor is above zero.
    """
    factor = Fraction(price.convert_factor or 1)
    exact = Fraction(quantity) * factor if price.convert == "multiply" else Fraction(quantity) / factor
    mode = _WHOLE.get(price.convert_rounding or "none")
    return round_to(exact, QUANTITY_PLACES) if mode is None else round_to(exact, places, mode)


def rate_in_advance(price: Price, events: Sequence[Decimal], dialect: Dialect) -> list[Decimal | None]:
    """What each event costs when it is charged at once: what it adds to the highest number of units so far.

    Fewer units give nothing back, and are not charged again on the way up (lago-api, pay_in_advance_charges_spec.rb).
    """
    amounts: list[Decimal | None] = []
    units = Decimal(0)
    charged: Decimal | None = None
    for event in events:
        units += event
        more = max(units - (charged or Decimal(0)), Decimal(0))
        if more or charged is None:
            amounts.append(_added(_more(price, more, charged, dialect), dialect))
        else:
            amounts.append(Decimal(0))
        charged = (charged or Decimal(0)) + more
    return amounts


def _more(price: Price, more: Decimal, charged: Decimal | None, dialect: Dialect) -> Rating:
    before = None if charged is None else Before(charged)
    return rate_split(price, more, dialect, before=before, earlier=() if charged is None else (charged,), last=False)


def _added(rating: Rating, dialect: Dialect) -> Decimal | None:
    """What a line adds to the period: the difference of rounded charges, or of exact ones where rounding comes late."""
    working = rating.working
    if working is None or dialect.moment is Moment.LINE:
        return rating.amount
    earlier = working.earlier.priced if working.earlier else Fraction(0)
    return round_money(working.total.priced - earlier, rating.currency, dialect.rounding)
