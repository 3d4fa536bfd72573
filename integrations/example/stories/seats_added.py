"""A customer adds seats in the middle of a period: the old number's rest is credited, the new number's rest charged."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import numpy as np

from integrations.example.changes import change_seats, first_subscription, has_months, middle_of, months, on_plan
from integrations.example.company import Company
from integrations.example.picking import some, untold
from integrations.example.records import Customer
from integrations.example.stages import Stage
from integrations.example.truth import Lookalike

STAGE = Stage.CONTRACTS


def plant(company: Company, rng: np.random.Generator) -> Sequence[Lookalike]:
    """Add two to eight seats to a few subscriptions, billed at once or on the next invoice."""

    def suitable(customer: Customer) -> bool:
        return on_plan(company, customer, "growth", "scale") and has_months(company, customer, 4)

    found = []
    for customer in untold(company, rng, some(company, 0.02), suitable):
        subscription = first_subscription(company, customer)
        if rng.random() < 0.5:
            company.bills_changes_at_once.add(subscription.subscription_id)
        items = company.items_of(subscription.subscription_id)
        old = next(item for item in items if item.quantity is not None)
        at = middle_of(months(company, subscription)[-1 - int(rng.integers(1, 3))], rng)
        new = change_seats(company, old, (old.quantity or Decimal(0)) + int(rng.integers(2, 9)), at)
        company.told[customer.customer_id] = "seats_added"
        found.append(
            Lookalike(
                "seats added in the middle of a period",
                customer.customer_id,
                ("TU-22", "TU-29", "TU-30", "TU-39", "TU-40"),
                (("item", old.item_id), ("item", new.item_id)),
                "the new number is charged from the change on, and the old one credited",
            )
        )
    return found
