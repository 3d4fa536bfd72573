"""A customer has cancelled, and is served and billed until the end that was agreed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import numpy as np

from integrations.example.changes import first_subscription, has_months, months, on_plan
from integrations.example.company import Company
from integrations.example.picking import some, untold
from integrations.example.records import Customer
from integrations.example.stages import Stage
from integrations.example.terms import stretches
from integrations.example.truth import Lookalike

STAGE = Stage.CONTRACTS


def plant(company: Company, rng: np.random.Generator) -> Sequence[Lookalike]:
    """Cancel a few subscriptions to the end of the period that is open."""

    def suitable(customer: Customer) -> bool:
        if not (on_plan(company, customer, "starter", "growth", "scale") and has_months(company, customer, 3)):
            return False
        return months(company, first_subscription(company, customer))[-1].end < company.as_of - timedelta(days=4)

    found = []
    for customer in untold(company, rng, some(company, 0.01), suitable):
        subscription = first_subscription(company, customer)
        item = company.items_of(subscription.subscription_id)[0]
        subscription.cancel_at = stretches(company, item)[-1][0].end
        subscription.canceled_at = (company.as_of - timedelta(days=2)).replace(microsecond=0)
        subscription.status = "canceled"
        company.told[customer.customer_id] = "cancellation_scheduled"
        found.append(
            Lookalike(
                "cancellation that is still ahead",
                customer.customer_id,
                ("TU-38", "TU-42"),
                (("subscription", subscription.subscription_id),),
                "the subscription serves until cancel_at, and has access until then",
            )
        )
    return found
