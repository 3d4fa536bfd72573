"""TU-46, an entitlement exceeded and not billed: an allowance was set up, and no price for what is beyond it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import numpy as np

from integrations.example.candidates import spread
from integrations.example.catalogue import MONTHLY
from integrations.example.changes import first_subscription
from integrations.example.company import Company
from integrations.example.records import ZERO, Customer, Entitlement, Item
from integrations.example.stages import Stage
from integrations.example.terms import stretches, usage_amount
from integrations.example.truth import Fault

CODE = "TU-46"
STAGE = Stage.LINES

_LOOKED_BACK = timedelta(days=100)


def plant(company: Company, rng: np.random.Generator) -> Sequence[Fault]:
    """Forget the item of a meter that is included up to an allowance: its usage is never charged."""
    return spread(company, rng, CODE, _plant_on)


def _plant_on(company: Company, customer: Customer, place: int, rng: np.random.Generator) -> Fault | None:
    item = _included(company, customer)
    if item is None:
        return None
    price, subscription = company.price_of(item), company.subscription_of(item)
    stream, allowance = company.stream_of(item), price.free_units or ZERO
    entitlement = Entitlement(
        company.new_id("ent"),
        customer.customer_id,
        subscription.subscription_id,
        price.name.split(" · ")[0],
        "metered",
        item.active_from,
        meter_id=price.meter_id,
        allowance=allowance,
        soft_limit=place % 2 == 0,
        usage_period=MONTHLY,
        last_reset_at=stretches(company, item)[-1][1].start,
    )
    fault = Fault(
        CODE,
        ("entitlement", entitlement.entitlement_id),
        customer.customer_id,
        customer.currency,
        f"{allowance} {entitlement.feature} are included, and no item charges more",
    )
    for full, active in stretches(company, item):
        used = stream.quantity(active.start, min(active.end, company.as_of))
        if full.end > company.as_of - _LOOKED_BACK and active == full and used > allowance + 1:
            fault.under += usage_amount(company, item, full.start, used)
            fault.period_start, fault.period_end = fault.period_start or full.start, full.end
    if not fault.under:
        return None
    for kind, name in (
        ("customer", customer.customer_id),
        ("subscription", subscription.subscription_id),
        ("price", price.price_id),
        ("meter", price.meter_id or ""),
    ):
        fault.shows(kind, [name])
    company.entitlements.append(entitlement)
    company.forget_item(item)
    return fault


def _included(company: Company, customer: Customer) -> Item | None:
    """The only item of a meter of which the customer's plan includes some units."""
    subscription = first_subscription(company, customer)
    if customer.customer_id in company.told or subscription.status != "active" or subscription.cadence != MONTHLY:
        return None
    for item in company.items_of(subscription.subscription_id):
        price = company.price_of(item)
        if price.meter_id == "meter_documents" and price.free_units and len(stretches(company, item)) > 3:
            return item
    return None
