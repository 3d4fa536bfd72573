"""A customer whose producer stamps events with the full hour: many are alike, on every day, and all are genuine."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from integrations.example.changes import first_subscription, has_months, on_plan
from integrations.example.company import Company
from integrations.example.picking import some, untold
from integrations.example.records import Customer
from integrations.example.stages import Stage
from integrations.example.truth import Lookalike

STAGE = Stage.CONTRACTS


def plant(company: Company, rng: np.random.Generator) -> Sequence[Lookalike]:
    """Let a customer or two report documents by the hour, without anything that tells them apart."""

    def suitable(customer: Customer) -> bool:
        return on_plan(company, customer, "starter") and has_months(company, customer, 3)

    found = []
    for customer in untold(company, rng, some(company, 0.005), suitable):
        company.habits[customer.customer_id].coarse = True
        company.habits[customer.customer_id].size = 2.5
        company.told[customer.customer_id] = "coarse_timestamps"
        subscription = first_subscription(company, customer)
        found.append(
            Lookalike(
                "events that are alike because their times are coarse",
                customer.customer_id,
                ("TU-01",),
                (("subscription", subscription.subscription_id),),
                "each is a document of its own; so many are alike on every day",
            )
        )
    return found
