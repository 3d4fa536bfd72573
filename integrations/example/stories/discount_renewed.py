"""A customer whose discount was renewed at another rate the moment that it ended."""

from __future__ import annotations

from collections.abc import Sequence
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
    """Renew a few customers' discount the very moment that it ends, at another rate."""

    def suitable(customer: Customer) -> bool:
        return on_plan(company, customer, "starter", "growth", "scale") and has_months(company, customer, 5)

    found = []
    for customer in untold(company, rng, some(company, 0.01), suitable):
        subscription = first_subscription(company, customer)
        renewed_at = months(company, subscription)[-2].start
        name = subscription.subscription_id
        first = Discount(
            company.new_id("di"), "percent", Decimal(15), subscription.started_at, renewed_at, subscription_id=name
        )
        second = Discount(company.new_id("di"), "percent", Decimal(10), renewed_at, subscription_id=name)
        company.add_discount(first)
        company.add_discount(second)
        company.told[customer.customer_id] = "discount_renewed"
        found.append(
            Lookalike(
                "discount renewed at another rate",
                customer.customer_id,
                ("TU-22", "TU-31", "TU-32"),
                (("discount", first.discount_id), ("discount", second.discount_id)),
                "the first one ended when the second one began: each period has one of them",
            )
        )
    return found
