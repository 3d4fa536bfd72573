"""TU-05, zero usage on an active paid subscription: a customer's integration broke, and its events stopped."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

import numpy as np

from billing.money import round_money
from billing.periods import Period
from integrations.example.candidates import spread, summed_items, whole_periods
from integrations.example.catalogue import MONTHLY
from integrations.example.company import Company
from integrations.example.records import Customer, Item
from integrations.example.stages import Stage
from integrations.example.terms import amount_of, charge, stretches, usage_amount
from integrations.example.truth import Fault

CODE = "TU-05"
STAGE = Stage.USAGE
ANYWHERE = True


def plant(company: Company, rng: np.random.Generator) -> Sequence[Fault]:
    """Drop all events of an item from the start of the period that ended last."""
    return spread(company, rng, CODE, _plant_on)


def _plant_on(company: Company, customer: Customer, place: int, rng: np.random.Generator) -> Fault | None:
    if company.told.get(customer.customer_id) not in {None, "second_product", "retry_succeeded", "goodwill"}:
        return None
    for item in summed_items(company, customer):
        whole = whole_periods(company, item)
        subscription, stream = company.subscription_of(item), company.stream_of(item)
        if len(whole) < 5 or subscription.cadence != MONTHLY or not _others_use(company, stream.meter_id, customer):
            continue
        period = whole[-1]
        stream.drop(np.arange(stream.within(period.start, company.as_of).start, len(stream.events)))
        fault = Fault(
            CODE,
            ("customer", customer.customer_id),
            customer.customer_id,
            customer.currency,
            f"no {company.price_of(item).name} since {period.start:%d %b %Y}, after usage in every period before",
            period.start,
            period.end,
            exposure=_fees(company, item, period) + _usual_charge(company, item, whole[-4:-1]),
        )
        fault.affects("item", [item.item_id])
        fault.affects("subscription", [subscription.subscription_id])
        fault.windows.append((item.item_id, period.start, period.end))
        return fault
    return None


def _others_use(company: Company, meter_id: str, customer: Customer) -> bool:
    return any(
        stream.meter_id == meter_id and stream.customer_id != customer.customer_id
        for stream in company.streams.values()
    )


def _fees(company: Company, item: Item, period: Period) -> Decimal:
    """What the subscription's flat and seat items cost for the period."""
    total = Decimal(0)
    for other in company.items_of(item.subscription_id):
        if company.price_of(other).meter_id is None:
            due = [stretch for stretch in stretches(company, other) if stretch[0] == period]
            total += sum((amount_of(charge(company, other, stretch)) for stretch in due), Decimal(0))
    return total


def _usual_charge(company: Company, item: Item, periods: list[Period]) -> Decimal:
    """The mean of what the item's usage cost in the periods before."""
    stream = company.stream_of(item)
    amounts = [usage_amount(company, item, each.start, stream.quantity(each.start, each.end)) for each in periods]
    return round_money(Fraction(sum(amounts, Decimal(0))) / len(amounts), company.price_of(item).currency)
