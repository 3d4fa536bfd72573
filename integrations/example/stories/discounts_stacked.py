"""A customer with two discounts at once: the more specific one first, the other on what is left."""

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
    """Give a few customers a discount on one item and another one on everything."""

    def suitable(customer: Customer) -> bool:
        return on_plan(company, customer, "starter", "growth", "scale") and has_months(company, customer, 4)

    found = []
    for customer in untold(company, rng, some(company, 0.015), suitable):
        subscription = first_subscription(company, customer)
        item = company.items_of(subscription.subscription_id)[1]
        wide = Discount(
            company.new_id("di"), "percent", Decimal(5), subscription.started_at, customer_id=customer.customer_id
        )
        starts_at = months(company, subscription)[1].start
        narrow = Discount(company.new_id("di"), "percent", Decimal("12.5"), starts_at, item_id=item.item_id)
        company.add_discount(wide)
        company.add_discount(narrow)
        company.told[customer.customer_id] = "discounts_stacked"
        found.append(
            Lookalike(
                "two discounts on one line",
                customer.customer_id,
                ("TU-22", "TU-31", "TU-32", "TU-34"),
                (("discount", wide.discount_id), ("discount", narrow.discount_id), ("item", item.item_id)),
                "each is taken off what the one before left, rounded alone",
            )
        )
    return found
