"""A large customer that keeps growing: several times its first usage after a year, and never by leaps."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import numpy as np

from integrations.example.changes import first_subscription
from integrations.example.company import Company
from integrations.example.picking import some, untold
from integrations.example.records import Customer
from integrations.example.stages import Stage
from integrations.example.truth import Lookalike

STAGE = Stage.CONTRACTS


def plant(company: Company, rng: np.random.Generator) -> Sequence[Lookalike]:
    """Let a few of the older customers grow by an eighth every month."""

    def suitable(customer: Customer) -> bool:
        return first_subscription(company, customer).started_at < company.as_of - timedelta(days=240)

    found = []
    for customer in untold(company, rng, some(company, 0.01), suitable):
        habits = company.habits[customer.customer_id]
        habits.size, habits.growth = 1.5, 1.125
        company.told[customer.customer_id] = "gradual_growth"
        found.append(
            Lookalike(
                "large but gradual growth",
                customer.customer_id,
                ("TU-06",),
                (("customer", customer.customer_id),),
                "usage has become a multiple of what it was, slowly",
            )
        )
    return found
