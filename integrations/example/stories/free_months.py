"""A customer that has its plan for nothing for some months, as promised: the full discount has an end."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

import numpy as np

from integrations.example.changes import first_subscription, has_months, months, on_plan
from integrations.example.company import Company
from integrations.example.picking import some, untold
from integrations.example.records import Customer, Discount
from integrations.example.stages import Stage
from integrations.example.truth import Lookalike

STAGE = Stage.CONTRACTS


def plant(company: Company, rng: np.random.Generator) -> Sequence[Lookalike]:
    """Give a few customers all they use for nothing since two periods, for half a year."""

    def suitable(customer: Customer) -> bool:
        return on_plan(company, customer, "starter", "growth", "scale") and has_months(company, customer, 4)

    found = []
    for customer in untold(company, rng, some(company, 0.005), suitable):
        subscription = first_subscription(company, customer)
        since = months(company, subscription)[-2].start
        given = Discount(
            company.new_id("di"),
            "percent",
            Decimal(100),
            since,
            since + timedelta(days=183),
            subscription_id=subscription.subscription_id,
        )
        company.add_discount(given)
        company.told[customer.customer_id] = "free_months"
        found.append(
            Lookalike(
                "full discount for half a year",
                customer.customer_id,
                ("TU-39", "TU-45", "TU-61"),
                (("discount", given.discount_id), ("subscription", subscription.subscription_id)),
                "it was promised, and it ends",
            )
        )
    return found
