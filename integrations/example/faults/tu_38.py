"""TU-38, subscription state drift: product and billing system disagree on whether, or to what, there is access."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np

from integrations.example.candidates import spread
from integrations.example.catalogue import MONTHLY
from integrations.example.changes import first_subscription
from integrations.example.company import Company
from integrations.example.ending import involve
from integrations.example.fees import fees, fees_since
from integrations.example.picking import planned
from integrations.example.records import Customer, Provisioned, Subscription
from integrations.example.stages import Stage
from integrations.example.truth import Fault

CODE = "TU-38"
STAGE = Stage.BOOKS
NEEDS = ("cancelled_at_period_end",)

_LOST = timedelta(days=6, hours=5)


def plant(company: Company, rng: np.random.Generator) -> Sequence[Fault]:
    """Leave access on after an end, take it away from a customer that pays, or provision another plan."""
    count = planned(company)
    ended = spread(company, rng, CODE, _access_after_end, -(-count // 3))
    lost = spread(company, rng, CODE, _access_lost, (count - len(ended)) // 2)
    return [*ended, *lost, *spread(company, rng, CODE, _other_plan, count - len(ended) - len(lost))]


def _access_after_end(company: Company, customer: Customer, place: int, rng: np.random.Generator) -> Fault | None:
    subscription = first_subscription(company, customer)
    ended_at = subscription.ended_at
    if ended_at is None or company.told.get(customer.customer_id) != "cancelled_at_period_end":
        return None
    state = _latest(company, subscription)
    state.access, state.as_of = True, company.as_of - timedelta(minutes=9)
    fault = _fault(company, subscription, "access was never taken away after the end", ended_at)
    fault.under = fees_since(company, subscription, ended_at - timedelta(seconds=1), ended_at)
    return fault


def _access_lost(company: Company, customer: Customer, place: int, rng: np.random.Generator) -> Fault | None:
    subscription = first_subscription(company, customer)
    if not _serves_monthly(company, subscription):
        return None
    state = _latest(company, subscription)
    state.access, state.as_of = False, company.as_of - _LOST
    fault = _fault(company, subscription, "a customer that pays has had no access", state.as_of)
    fault.exposure = fees_since(company, subscription, state.as_of, state.as_of)
    return fault


def _other_plan(company: Company, customer: Customer, place: int, rng: np.random.Generator) -> Fault | None:
    subscription = first_subscription(company, customer)
    if not _serves_monthly(company, subscription):
        return None
    state = _latest(company, subscription)
    state.plan_key = "scale" if state.plan_key != "scale" else "growth"
    state.as_of = company.as_of - _LOST
    fault = _fault(company, subscription, f"the product serves the plan {state.plan_key}", state.as_of)
    fault.exposure = fees(company, subscription, company.as_of)
    return fault


def _serves_monthly(company: Company, subscription: Subscription) -> bool:
    plain = company.told.get(subscription.customer_id) in {None, "second_product"}
    return plain and subscription.status == "active" and subscription.cadence == MONTHLY


def _latest(company: Company, subscription: Subscription) -> Provisioned:
    states = [
        state
        for state in company.provisioned
        if state.subscription_id == subscription.subscription_id and state.item_id is None
    ]
    return max(states, key=lambda state: state.as_of)


def _fault(company: Company, subscription: Subscription, note: str, since: datetime) -> Fault:
    fault = Fault(
        CODE,
        ("subscription", subscription.subscription_id),
        subscription.customer_id,
        subscription.currency,
        note,
        since,
        company.as_of,
    )
    for item in company.items_of(subscription.subscription_id):
        if company.price_of(item).meter_id is None:
            involve(company, fault, item)
    return fault
