"""A customer billed by calendar months that joined in the middle of one: its first fees are for a part of a month."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from billing.periods import add, parse_duration, timezone_named
from integrations.example.changes import first_subscription, has_months, on_plan
from integrations.example.company import Company
from integrations.example.picking import some, untold
from integrations.example.records import Customer
from integrations.example.stages import Stage
from integrations.example.truth import Lookalike

STAGE = Stage.CONTRACTS


def plant(company: Company, rng: np.random.Generator) -> Sequence[Lookalike]:
    """Anchor a few subscriptions on the first of the month after their start."""

    def suitable(customer: Customer) -> bool:
        if not (on_plan(company, customer, "starter", "growth", "scale") and has_months(company, customer, 3)):
            return False
        subscription = first_subscription(company, customer)
        return 2 < subscription.started_at.astimezone(timezone_named(subscription.timezone)).day < 27

    found = []
    for customer in untold(company, rng, some(company, 0.01), suitable):
        subscription = first_subscription(company, customer)
        local = subscription.started_at.astimezone(timezone_named(subscription.timezone))
        first = local.replace(day=1, hour=0, minute=0, second=0)
        subscription.billing_anchor = add(first, parse_duration("P1M"), subscription.timezone)
        company.told[customer.customer_id] = "first_of_month"
        found.append(
            Lookalike(
                "first period shorter than a month",
                customer.customer_id,
                ("TU-22", "TU-39"),
                (("subscription", subscription.subscription_id),),
                "periods are anchored on the first; the fees before it are prorated",
            )
        )
    return found
