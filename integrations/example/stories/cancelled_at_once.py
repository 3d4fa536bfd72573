"""A customer cancels and leaves at once: what it paid ahead and did not use is credited, its usage so far billed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import numpy as np

from integrations.example.changes import end, first_subscription, has_months, middle_of, months, on_plan
from integrations.example.company import Company
from integrations.example.picking import some, untold
from integrations.example.records import Customer
from integrations.example.stages import Stage
from integrations.example.truth import Lookalike

STAGE = Stage.CONTRACTS


def plant(company: Company, rng: np.random.Generator) -> Sequence[Lookalike]:
    """End a few subscriptions in the middle of a period."""

    def suitable(customer: Customer) -> bool:
        return on_plan(company, customer, "growth", "scale") and has_months(company, customer, 5)

    found = []
    for customer in untold(company, rng, some(company, 0.015), suitable):
        subscription = first_subscription(company, customer)
        at = middle_of(months(company, subscription)[-1 - int(rng.integers(1, 3))], rng)
        end(company, subscription, at, at - timedelta(minutes=2))
        company.told[customer.customer_id] = "cancelled_at_once"
        found.append(
            Lookalike(
                "cancellation at once",
                customer.customer_id,
                ("TU-22", "TU-29", "TU-30", "TU-39", "TU-42", "TU-05"),
                (("subscription", subscription.subscription_id),),
                "the unused part of the fees is credited on the last invoice, prorated by each price's basis",
            )
        )
    return found
