"""A customer that uses the product in two short seasons a year and not at all in between."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import numpy as np

from integrations.example.changes import first_subscription, on_plan
from integrations.example.company import Company
from integrations.example.picking import some, untold
from integrations.example.records import Customer
from integrations.example.stages import Stage
from integrations.example.truth import Lookalike

STAGE = Stage.CONTRACTS


def plant(company: Company, rng: np.random.Generator) -> Sequence[Lookalike]:
    """Confine the usage of a few customers to two stretches of less than three weeks."""

    def suitable(customer: Customer) -> bool:
        started_at = first_subscription(company, customer).started_at
        return on_plan(company, customer, "starter", "growth") and started_at < company.as_of - timedelta(days=280)

    found = []
    for customer in untold(company, rng, some(company, 0.01), suitable):
        subscription = first_subscription(company, customer)
        seasons = [subscription.started_at + timedelta(days=days) for days in (2, 150)]
        company.habits[customer.customer_id].active = [(start, start + timedelta(days=18)) for start in seasons]
        company.told[customer.customer_id] = "seasonal"
        found.append(
            Lookalike(
                "quiet customer with seasonal usage",
                customer.customer_id,
                ("TU-05", "TU-06", "TU-01", "TU-02", "TU-13"),
                (("subscription", subscription.subscription_id),),
                "most of its periods have no usage, and always had none",
            )
        )
    return found
