"""A legitimate upgrade where one period ends and the next begins: no proration, from then on other prices."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from integrations.example.catalogue import offer_of
from integrations.example.changes import first_subscription, has_months, months, on_plan, switch_plan
from integrations.example.company import Company
from integrations.example.picking import some, untold
from integrations.example.records import Customer
from integrations.example.stages import Stage
from integrations.example.truth import Lookalike

STAGE = Stage.CONTRACTS


def plant(company: Company, rng: np.random.Generator) -> Sequence[Lookalike]:
    """Upgrade a few customers from starter to growth."""

    def suitable(customer: Customer) -> bool:
        return on_plan(company, customer, "starter") and has_months(company, customer, 5)

    found = []
    for customer in untold(company, rng, some(company, 0.02), suitable):
        subscription = first_subscription(company, customer)
        at = months(company, subscription)[-1 - int(rng.integers(1, 4))].end
        new = switch_plan(company, subscription, offer_of("growth"), at, rng)
        company.told[customer.customer_id] = "upgraded_at_period_end"
        found.append(
            Lookalike(
                "upgrade at a period's end",
                customer.customer_id,
                ("TU-06", "TU-22", "TU-30", "TU-38", "TU-39"),
                (("subscription", subscription.subscription_id), *(("item", item.item_id) for item in new)),
                "the same usage costs something else from the new period on, under the new plan's prices",
            )
        )
    return found
