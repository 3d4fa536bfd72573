"""A customer that has just begun to roll the product out: its usage doubles every two to three months."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import numpy as np

from integrations.example.changes import first_subscription, has_months
from integrations.example.company import Company
from integrations.example.picking import some, untold
from integrations.example.records import Customer
from integrations.example.stages import Stage
from integrations.example.truth import Lookalike

STAGE = Stage.CONTRACTS


def plant(company: Company, rng: np.random.Generator) -> Sequence[Lookalike]:
    """Let a few of the younger customers start small and grow by a third every month."""

    def suitable(customer: Customer) -> bool:
        started_at = first_subscription(company, customer).started_at
        return has_months(company, customer, 2) and started_at > company.as_of - timedelta(days=220)

    found = []
    for customer in untold(company, rng, some(company, 0.01), suitable):
        habits = company.habits[customer.customer_id]
        habits.size, habits.growth = 0.4, 1.33
        company.told[customer.customer_id] = "ramping"
        found.append(
            Lookalike(
                "ramping customer",
                customer.customer_id,
                ("TU-06",),
                (("customer", customer.customer_id),),
                "every week is a little above the one before; no day stands out",
            )
        )
    return found
