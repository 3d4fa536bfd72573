"""A legitimate upgrade in the middle of a period: the old plan's rest is credited, the new plan's rest charged."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from integrations.example.catalogue import offer_of
from integrations.example.changes import first_subscription, has_months, middle_of, months, on_plan, switch_plan
from integrations.example.company import Company
from integrations.example.picking import some, untold
from integrations.example.records import Customer
from integrations.example.stages import Stage
from integrations.example.truth import Lookalike

STAGE = Stage.CONTRACTS


def plant(company: Company, rng: np.random.Generator) -> Sequence[Lookalike]:
    """Upgrade a few customers from growth to scale, half of them billed at once and half on the next invoice."""

    def suitable(customer: Customer) -> bool:
        return on_plan(company, customer, "growth") and has_months(company, customer, 5)

    found = []
    for customer in untold(company, rng, some(company, 0.02), suitable):
        subscription = first_subscription(company, customer)
        if rng.random() < 0.5:
            company.bills_changes_at_once.add(subscription.subscription_id)
        period = months(company, subscription)[-1 - int(rng.integers(1, 4))]
        new = switch_plan(company, subscription, offer_of("scale"), middle_of(period, rng), rng)
        company.told[customer.customer_id] = "upgraded_mid_period"
        found.append(
            Lookalike(
                "upgrade in the middle of a period",
                customer.customer_id,
                ("TU-06", "TU-22", "TU-29", "TU-30", "TU-38", "TU-39", "TU-40"),
                (("subscription", subscription.subscription_id), *(("item", item.item_id) for item in new)),
                "two items of one thing in one period, each rated for its own part, with prorated credit and charge",
            )
        )
    return found
