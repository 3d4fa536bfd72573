"""TU-47, an entitlement that is not the plan's: too much included, a reset that was missed, access that was lost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from decimal import Decimal

import numpy as np

from billing.periods import add, parse_duration
from integrations.example.candidates import spread
from integrations.example.catalogue import MONTHLY
from integrations.example.changes import first_subscription
from integrations.example.company import Company
from integrations.example.fees import fees
from integrations.example.picking import planned
from integrations.example.records import Customer, Entitlement, Item, Subscription
from integrations.example.stages import Stage
from integrations.example.terms import usage_amount
from integrations.example.truth import Fault

CODE = "TU-47"
STAGE = Stage.BOOKS

_PEERS = 5
"""Subscriptions of a plan version by which one can see what the plan gives."""


def plant(company: Company, rng: np.random.Generator) -> Sequence[Fault]:
    """Miss a reset, include three times as much, or take access away from single customers."""
    count = planned(company)
    more = spread(company, rng, CODE, _include_more, count // 3)
    lost = spread(company, rng, CODE, _lose_access, count // 3)
    return [*more, *lost, *spread(company, rng, CODE, _miss_reset, count - len(more) - len(lost))]


def _miss_reset(company: Company, customer: Customer, place: int, rng: np.random.Generator) -> Fault | None:
    return _on_allowance(company, customer, _keep_old_period)


def _include_more(company: Company, customer: Customer, place: int, rng: np.random.Generator) -> Fault | None:
    return _on_allowance(company, customer, _triple) if _has_peers(company, customer) else None


def _lose_access(company: Company, customer: Customer, place: int, rng: np.random.Generator) -> Fault | None:
    subscription = first_subscription(company, customer)
    found = [each for each in _entitlements(company, subscription) if each.kind == "boolean"]
    if not found or not _plain(company, customer) or not _has_peers(company, customer):
        return None
    found[0].access = False
    fault = _fault(company, found[0], customer, "access to what the plan gives was lost")
    fault.exposure = fees(company, subscription, company.as_of)
    return fault


def _on_allowance(
    company: Company, customer: Customer, spoil: Callable[[Company, Fault, Entitlement, Item], None]
) -> Fault | None:
    if not _plain(company, customer):
        return None
    for item in company.items_of(first_subscription(company, customer).subscription_id):
        price = company.price_of(item)
        for entitlement in _entitlements(company, company.subscription_of(item)):
            included = entitlement.meter_id == price.meter_id and price.convert is None and bool(price.free_units)
            if included and entitlement.allowance and entitlement.last_reset_at:
                fault = _fault(company, entitlement, customer, "")
                fault.shows("item", [item.item_id])
                spoil(company, fault, entitlement, item)
                return fault if fault.under or fault.exposure else None
    return None


def _keep_old_period(company: Company, fault: Fault, entitlement: Entitlement, item: Item) -> None:
    subscription, reset_at = company.subscription_of(item), entitlement.last_reset_at
    assert reset_at is not None, f"{entitlement.entitlement_id} was never reset"
    if company.as_of - reset_at < timedelta(days=3) or reset_at - item.active_from < timedelta(days=40):
        return
    fault.note = f"the reset of {reset_at:%d %b %Y} was missed"
    entitlement.last_reset_at = add(reset_at, parse_duration(MONTHLY), subscription.timezone, -1)
    fault.exposure = _worth(company, item, entitlement.allowance or Decimal(0))


def _triple(company: Company, fault: Fault, entitlement: Entitlement, item: Item) -> None:
    given = entitlement.allowance or Decimal(0)
    fault.note = f"three times the plan's {given} are included"
    entitlement.allowance = 3 * given
    fault.under = _worth(company, item, 2 * given)


def _worth(company: Company, item: Item, quantity: Decimal) -> Decimal:
    """What so much usage costs beyond what is free."""
    return usage_amount(company, item, company.as_of, quantity + (company.price_of(item).free_units or Decimal(0)))


def _plain(company: Company, customer: Customer) -> bool:
    subscription = first_subscription(company, customer)
    told = company.told.get(customer.customer_id)
    return told is None and subscription.status == "active" and subscription.cadence == MONTHLY


def _has_peers(company: Company, customer: Customer) -> bool:
    plan_id = first_subscription(company, customer).plan_id
    serving = [each for each in company.subscriptions.values() if each.plan_id == plan_id and each.ended_at is None]
    return len(serving) >= _PEERS


def _entitlements(company: Company, subscription: Subscription) -> list[Entitlement]:
    return [each for each in company.entitlements if each.subscription_id == subscription.subscription_id]


def _fault(company: Company, entitlement: Entitlement, customer: Customer, note: str) -> Fault:
    fault = Fault(CODE, ("entitlement", entitlement.entitlement_id), customer.customer_id, customer.currency, note)
    fault.shows("customer", [customer.customer_id])
    fault.shows("subscription", [entitlement.subscription_id])
    return fault
