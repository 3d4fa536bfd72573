"""TU-44, seat drift: the product gives another number of seats than the subscription charges."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import numpy as np

from billing.money import round_money
from integrations.example.candidates import spread
from integrations.example.catalogue import MONTHLY
from integrations.example.company import Company
from integrations.example.ending import involve, involve_line
from integrations.example.records import Customer, Item, Provisioned
from integrations.example.stages import Stage
from integrations.example.terms import Stretch, amount_of, charge, stretches
from integrations.example.truth import Fault

CODE = "TU-44"
STAGE = Stage.BOOKS

_SEATS = (Decimal(3), Decimal(-2), Decimal(5))


def plant(company: Company, rng: np.random.Generator) -> Sequence[Fault]:
    """Add or remove seats in the product, in the middle of a period or long before, without telling billing."""
    return spread(company, rng, CODE, _plant_on)


def _plant_on(company: Company, customer: Customer, place: int, rng: np.random.Generator) -> Fault | None:
    item = _seats(company, customer)
    if item is None:
        return None
    periods = stretches(company, item)
    told, more = _told(company, item), _SEATS[place % len(_SEATS)]
    whole = place % 2 == 0
    since = periods[-2][1].start if whole else periods[-2][1].start + timedelta(days=10, seconds=3600)
    number = (item.quantity or Decimal(0)) + more
    company.provisioned.append(_word(company, told, item.quantity, item.active_from + timedelta(minutes=2)))
    company.provisioned.append(_word(company, told, number, since))
    told.quantity = number
    fault = Fault(
        CODE,
        ("subscription", item.subscription_id),
        customer.customer_id,
        customer.currency,
        f"{abs(more)} seats {'added' if more > 0 else 'removed'} in the product on {since:%d %b %Y} only",
        periods[-2][0].start,
        periods[-1][0].end,
    )
    for stretch in periods[-2:]:
        delta = _delta(company, item, number, stretch, since)
        fault.under += max(delta, Decimal(0))
        fault.over += max(-delta, Decimal(0))
    involve(company, fault, item)
    fault.affects("item", [item.item_id])
    for line in company.lines.values():
        if line.item_id == item.item_id and line.period_start >= periods[-2][0].start and not line.proration:
            involve_line(company, fault, line)
    return fault


def _seats(company: Company, customer: Customer) -> Item | None:
    """A monthly item with a number of seats, in force for some periods, of which the open one is some days old."""
    if company.told.get(customer.customer_id) not in {None, "second_product"}:
        return None
    for item in company.customer_items(customer.customer_id):
        price, subscription = company.price_of(item), company.subscription_of(item)
        seats = item.quantity is not None and item.quantity > 2 and price.payment_term == "in_advance"
        periods = stretches(company, item)
        if seats and price.cadence == MONTHLY and item.active_to is None and subscription.status == "active":
            whole = len(periods) >= 3 and all(part == full for full, part in periods[-2:])
            if whole and company.as_of - periods[-1][0].start > timedelta(days=2):
                return item
    return None


def _told(company: Company, item: Item) -> Provisioned:
    return next(each for each in company.provisioned if each.item_id == item.item_id)


def _word(company: Company, told: Provisioned, quantity: Decimal | None, at: datetime) -> Provisioned:
    """What the product said of the item at another time."""
    return Provisioned(
        company.new_id("pv"),
        told.customer_id,
        told.subscription_id,
        at,
        item_id=told.item_id,
        feature=told.feature,
        quantity=quantity,
    )


def _delta(company: Company, item: Item, number: Decimal, stretch: Stretch, since: datetime) -> Decimal:
    """What the other number costs more for the period, for the part of it from `since` on."""
    full, _ = stretch
    other = Item(item.item_id, item.subscription_id, item.price_id, number, item.active_from)
    whole = amount_of(charge(company, other, stretch)) - amount_of(charge(company, item, stretch))
    left, length = full.end - max(since, full.start), full.end - full.start
    part = Fraction(left // timedelta(microseconds=1), length // timedelta(microseconds=1))
    return round_money(Fraction(whole) * part, company.price_of(item).currency)
