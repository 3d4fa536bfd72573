"""A customer that tries the product and has not used it yet: nothing is charged for, so nothing is missing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import numpy as np

from integrations.example.changes import first_subscription, on_plan, start_with_trial
from integrations.example.company import Company
from integrations.example.picking import some, untold
from integrations.example.records import Customer
from integrations.example.stages import Stage
from integrations.example.truth import Lookalike

STAGE = Stage.CONTRACTS


def plant(company: Company, rng: np.random.Generator) -> Sequence[Lookalike]:
    """Let a few customers have begun a month's trial not long ago."""

    def suitable(customer: Customer) -> bool:
        return on_plan(company, customer, "starter", "growth", "scale")

    found = []
    for customer in untold(company, rng, some(company, 0.01), suitable):
        subscription = first_subscription(company, customer)
        started_at = (company.as_of - timedelta(days=int(rng.integers(9, 25)), hours=3)).replace(microsecond=0)
        customer.created_at = started_at - timedelta(hours=2)
        start_with_trial(company, subscription, started_at, started_at + timedelta(days=30))
        subscription.status = "trialing"
        company.habits[customer.customer_id].active = []
        company.told[customer.customer_id] = "trial_without_usage"
        found.append(
            Lookalike(
                "trial without usage",
                customer.customer_id,
                ("TU-05", "TU-38", "TU-39"),
                (("subscription", subscription.subscription_id),),
                "a trial costs nothing, used or not",
            )
        )
    return found
