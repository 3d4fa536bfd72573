"""A customer that used its trial and stayed: charged from the trial's end on, not for the usage before it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import numpy as np

from integrations.example.changes import first_subscription, has_months, on_plan, start_with_trial
from integrations.example.company import Company
from integrations.example.picking import some, untold
from integrations.example.records import Customer
from integrations.example.stages import Stage
from integrations.example.truth import Lookalike

STAGE = Stage.CONTRACTS


def plant(company: Company, rng: np.random.Generator) -> Sequence[Lookalike]:
    """Put two weeks of trial before the first period of a few customers."""

    def suitable(customer: Customer) -> bool:
        return on_plan(company, customer, "starter", "growth", "scale") and has_months(company, customer, 3)

    found = []
    for customer in untold(company, rng, some(company, 0.02), suitable):
        subscription = first_subscription(company, customer)
        trial_end = subscription.started_at
        start_with_trial(company, subscription, trial_end - timedelta(days=14), trial_end)
        company.told[customer.customer_id] = "trial_converted"
        found.append(
            Lookalike(
                "trial with usage, then a subscription",
                customer.customer_id,
                ("TU-39", "TU-02", "TU-13"),
                (("subscription", subscription.subscription_id),),
                "usage before the trial's end is not charged",
            )
        )
    return found
