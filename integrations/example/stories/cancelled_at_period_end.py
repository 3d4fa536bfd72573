"""A customer cancels and leaves when the period that it has paid for is over; its last usage is billed afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import numpy as np

from integrations.example.changes import end, first_subscription, has_months, months, on_plan
from integrations.example.company import Company
from integrations.example.picking import some, untold
from integrations.example.records import Customer
from integrations.example.stages import Stage
from integrations.example.truth import Lookalike

STAGE = Stage.CONTRACTS


def plant(company: Company, rng: np.random.Generator) -> Sequence[Lookalike]:
    """End one subscription in twenty-five at a period's end, one to three months before `as_of`."""

    def suitable(customer: Customer) -> bool:
        return on_plan(company, customer, "starter", "growth", "scale") and has_months(company, customer, 6)

    found = []
    for customer in untold(company, rng, some(company, 0.03, least=3), suitable):
        subscription = first_subscription(company, customer)
        at = months(company, subscription)[-1 - int(rng.integers(1, 4))].end
        end(company, subscription, at, at - timedelta(days=int(rng.integers(3, 20)), seconds=int(rng.integers(80_000))))
        company.told[customer.customer_id] = "cancelled_at_period_end"
        found.append(
            Lookalike(
                "cancellation at period end",
                customer.customer_id,
                ("TU-30", "TU-39", "TU-05"),
                (("subscription", subscription.subscription_id),),
                "no period after the end is invoiced, and the usage of the last one is billed after it",
            )
        )
    return found
