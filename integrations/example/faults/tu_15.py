"""TU-15, usage without a subscription: it was cancelled, and the product went on serving the customer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np

from billing.periods import add, parse_duration
from integrations.example.candidates import spread, summed_items, whole_periods
from integrations.example.changes import end, first_subscription, on_plan
from integrations.example.company import Company
from integrations.example.records import Customer, Item
from integrations.example.stages import Stage
from integrations.example.terms import usage_amount
from integrations.example.truth import Fault

CODE = "TU-15"
STAGE = Stage.USAGE
ANYWHERE = True

_MONTH = parse_duration("P1M")
_GRACE = timedelta(hours=1)


def plant(company: Company, rng: np.random.Generator) -> Sequence[Fault]:
    """End a subscription with one of its last periods, while the customer's events come in as before."""
    return spread(company, rng, CODE, _plant_on)


def _plant_on(company: Company, customer: Customer, place: int, rng: np.random.Generator) -> Fault | None:
    subscription = first_subscription(company, customer)
    plain = company.told.get(customer.customer_id) is None and on_plan(company, customer, "starter", "growth")
    items = summed_items(company, customer) if plain else []
    whole = whole_periods(company, items[0]) if items else []
    if len(whole) < 3 or not all(company.price_of(item).cadence == "P1M" for item in items):
        return None
    at = whole[-1 - place % 2].end
    metered = [each for each in company.items_of(subscription.subscription_id) if company.price_of(each).meter_id]
    used = [(item, *month) for item in metered for month in _months_since(company, item, at)]
    if at + 2 * _GRACE > company.as_of or not used:
        return None
    end(company, subscription, at, at - timedelta(days=int(rng.integers(2, 20))))
    fault = Fault(
        CODE,
        ("subscription", subscription.subscription_id),
        customer.customer_id,
        customer.currency,
        f"the subscription ended on {at:%d %b %Y}, the usage did not",
        at,
        company.as_of,
        under=sum((amount for *_, amount in used), Decimal(0)),
    )
    for item, start, until, _ in used:
        stream = company.stream_of(item)
        fault.affects("item", [item.item_id])
        fault.affects("usage_event", stream.event_ids(stream.accepted_within(start, until)))
    return fault


def _months_since(company: Company, item: Item, at: datetime) -> list[tuple[datetime, datetime, Decimal]]:
    """The months from an hour after `at` on in which the item's usage would cost something, with how much."""
    found, number = [], 0
    while (start := add(at, _MONTH, "UTC", number)) < company.as_of:
        first, until = start + (_GRACE if number == 0 else timedelta(0)), add(at, _MONTH, "UTC", number + 1)
        quantity = company.stream_of(item).quantity(first, until)
        amount = usage_amount(company, item, _last_start(company, item, at), quantity)
        if amount:
            found.append((first, until, amount))
        number += 1
    return found


def _last_start(company: Company, item: Item, at: datetime) -> datetime:
    """The start of the item's last period before `at`, whose price still holds."""
    return next(each.start for each in whole_periods(company, item) if each.end == at)
