"""A customer whose works close for a little over two weeks: its usage stops, and comes back as it was."""

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
    """Close a few customers for sixteen days, at least three months before `as_of`."""

    def suitable(customer: Customer) -> bool:
        started_at = first_subscription(company, customer).started_at
        return on_plan(company, customer, "starter", "growth", "scale") and started_at < company.as_of - timedelta(
            days=220
        )

    found = []
    for customer in untold(company, rng, some(company, 0.01), suitable):
        started_at = first_subscription(company, customer).started_at
        closes = company.as_of - timedelta(days=int(rng.integers(100, 150)))
        opens = closes + timedelta(days=16)
        company.habits[customer.customer_id].active = [(started_at, closes), (opens, company.as_of)]
        company.told[customer.customer_id] = "shutdown"
        found.append(
            Lookalike(
                "holiday dip",
                customer.customer_id,
                ("TU-05", "TU-06"),
                (("customer", customer.customer_id),),
                "no usage for sixteen days, on both sides of it the usual",
            )
        )
    return found
