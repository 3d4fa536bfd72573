"""A customer that cancelled, and came back some days later: two subscriptions to one plan, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import numpy as np

from integrations.example.catalogue import offer_of
from integrations.example.changes import end, first_subscription, has_months, months, on_plan
from integrations.example.company import Company
from integrations.example.founding import subscribe
from integrations.example.picking import some, untold
from integrations.example.records import Customer
from integrations.example.stages import Stage
from integrations.example.truth import Lookalike

STAGE = Stage.CONTRACTS


def plant(company: Company, rng: np.random.Generator) -> Sequence[Lookalike]:
    """End a few subscriptions at a period's end, and begin others to the same plan within a week."""

    def suitable(customer: Customer) -> bool:
        return on_plan(company, customer, "starter", "scale") and has_months(company, customer, 6)

    found = []
    for customer in untold(company, rng, some(company, 0.005), suitable):
        first = first_subscription(company, customer)
        at = months(company, first)[-3].end
        end(company, first, at, at - timedelta(days=6, seconds=5000))
        second = subscribe(
            company,
            customer,
            offer_of(company.plans[first.plan_id].plan_key),
            start=at + timedelta(days=5, seconds=2711),
            timezone=first.timezone,
            collection=first.collection_method,
            rng=rng,
        )
        company.habits[customer.customer_id].active = [(first.started_at, at), (second.started_at, company.as_of)]
        company.told[customer.customer_id] = "came_back"
        found.append(
            Lookalike(
                "second subscription to a plan that was left",
                customer.customer_id,
                ("TU-05", "TU-15", "TU-38", "TU-39", "TU-41", "TU-42"),
                (("subscription", first.subscription_id), ("subscription", second.subscription_id)),
                "the first one had ended before the second began, and nothing was used between them",
            )
        )
    return found
