"""A customer on a yearly plan: fees once a year in advance, usage every month."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from integrations.example.catalogue import YEARLY
from integrations.example.changes import first_subscription, has_months, on_plan
from integrations.example.company import Company
from integrations.example.picking import some, untold
from integrations.example.records import Customer
from integrations.example.stages import Stage
from integrations.example.truth import Lookalike

STAGE = Stage.CONTRACTS


def plant(company: Company, rng: np.random.Generator) -> Sequence[Lookalike]:
    """Name some of the yearly subscriptions; they are nothing special."""

    def suitable(customer: Customer) -> bool:
        yearly = on_plan(company, customer, "growth", "enterprise", cadence=YEARLY)
        return yearly and has_months(company, customer, 2)

    found = []
    for customer in untold(company, rng, some(company, 0.02), suitable):
        subscription = first_subscription(company, customer)
        company.told[customer.customer_id] = "yearly_plan"
        found.append(
            Lookalike(
                "yearly plan",
                customer.customer_id,
                ("TU-39", "TU-05"),
                (("subscription", subscription.subscription_id),),
                "the fee of a year is on one invoice, the others hold usage only",
            )
        )
    return found
