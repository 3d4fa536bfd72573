"""TU-41, duplicate active subscriptions: the checkout went through twice, and both subscriptions are billed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import numpy as np

from integrations.example.candidates import spread
from integrations.example.catalogue import YEARLY, offer_of
from integrations.example.changes import first_subscription, months
from integrations.example.company import Company
from integrations.example.founding import subscribe
from integrations.example.records import Customer
from integrations.example.stages import Stage
from integrations.example.truth import Fault

CODE = "TU-41"
STAGE = Stage.CONTRACTS
ANYWHERE = True


def plant(company: Company, rng: np.random.Generator) -> Sequence[Fault]:
    """Subscribe a customer once more to its plan, or to its yearly version without cancelling the monthly one."""
    return spread(company, rng, CODE, _plant_on)


def _plant_on(company: Company, customer: Customer, place: int, rng: np.random.Generator) -> Fault | None:
    first = first_subscription(company, customer)
    plan, past = company.plans[first.plan_id], months(company, first)
    if customer.customer_id in company.told or first.cadence == YEARLY or len(past) < 4:
        return None
    yearly = place % 2 == 1 and plan.plan_key == "growth"
    offer = offer_of("growth", YEARLY) if yearly else offer_of(plan.plan_key, plan.cadence, plan.version)
    start = past[-3].start + timedelta(days=6, seconds=3907)
    second = subscribe(
        company,
        customer,
        offer,
        start=start,
        timezone=first.timezone,
        collection=first.collection_method,
        rng=rng,
    )
    fault = Fault(
        CODE,
        ("subscription", second.subscription_id),
        customer.customer_id,
        customer.currency,
        f"a second subscription to {plan.plan_key}, {'yearly' if yearly else 'as the first'}, since {start:%d %b %Y}",
        start,
        company.as_of,
    )
    fault.shows("subscription", [first.subscription_id])
    fault.overbilled.append(second.subscription_id)
    return fault
