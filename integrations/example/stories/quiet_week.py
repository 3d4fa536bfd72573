"""A customer that was away for a week not long ago: hardly any usage, and all of it back afterwards."""

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
    """Let a few customers rest for six days within the last weeks."""

    def suitable(customer: Customer) -> bool:
        started_at = first_subscription(company, customer).started_at
        return on_plan(company, customer, "growth", "scale") and started_at < company.as_of - timedelta(days=150)

    found = []
    for customer in untold(company, rng, some(company, 0.01), suitable):
        started_at = first_subscription(company, customer).started_at
        leaves = company.as_of - timedelta(days=int(rng.integers(14, 40)))
        back = leaves + timedelta(days=6)
        company.habits[customer.customer_id].active = [(started_at, leaves), (back, company.as_of)]
        company.told[customer.customer_id] = "quiet_week"
        found.append(
            Lookalike(
                "a week of holidays",
                customer.customer_id,
                ("TU-04", "TU-05", "TU-07", "TU-06", "TU-12"),
                (("customer", customer.customer_id),),
                "no usage for six days, then the usual again; all other customers went on",
            )
        )
    return found
