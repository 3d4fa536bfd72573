"""A customer whose introductory discount is over: its invoices rise, by contract."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import numpy as np

from integrations.example.changes import first_subscription, has_months, middle_of, months, on_plan
from integrations.example.company import Company
from integrations.example.picking import some, untold
from integrations.example.records import Customer, Discount
from integrations.example.stages import Stage
from integrations.example.truth import Lookalike

STAGE = Stage.CONTRACTS


def plant(company: Company, rng: np.random.Generator) -> Sequence[Lookalike]:
    """Give a few customers a fifth off for their first months, ended one to four months before `as_of`."""

    def suitable(customer: Customer) -> bool:
        return on_plan(company, customer, "starter", "growth", "scale") and has_months(company, customer, 6)

    found = []
    for customer in untold(company, rng, some(company, 0.02), suitable):
        subscription = first_subscription(company, customer)
        period = months(company, subscription)[-1 - int(rng.integers(1, 4))]
        discount = Discount(
            company.new_id("di"),
            "percent",
            Decimal(20),
            subscription.started_at,
            period.end if rng.random() < 0.5 else middle_of(period, rng),
            subscription_id=subscription.subscription_id,
        )
        company.add_discount(discount)
        company.told[customer.customer_id] = "discount_ended"
        found.append(
            Lookalike(
                "discount that has ended",
                customer.customer_id,
                ("TU-22", "TU-31", "TU-32", "TU-39"),
                (("discount", discount.discount_id), ("subscription", subscription.subscription_id)),
                "lines whose period starts after the end are not discounted",
            )
        )
    return found
