"""A customer with two subscriptions: another product beside the first one, billed on its own invoices."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import numpy as np

from integrations.example.catalogue import SECOND_PRODUCTS, offer_of
from integrations.example.changes import first_subscription, has_months, months, on_plan
from integrations.example.company import Company
from integrations.example.founding import subscribe
from integrations.example.picking import some, untold
from integrations.example.records import Customer
from integrations.example.stages import Stage
from integrations.example.truth import Lookalike

STAGE = Stage.CONTRACTS


def plant(company: Company, rng: np.random.Generator) -> Sequence[Lookalike]:
    """Sell messaging or insights to some customers of the main product."""

    def suitable(customer: Customer) -> bool:
        return on_plan(company, customer, "starter", "growth", "scale") and has_months(company, customer, 4)

    found = []
    for place, customer in enumerate(untold(company, rng, some(company, 0.03, least=2), suitable)):
        first = first_subscription(company, customer)
        together = rng.random() < 0.5
        start = months(company, first)[1].start + timedelta(days=0 if together else 9, seconds=0 if together else 4711)
        second = subscribe(
            company,
            customer,
            offer_of(SECOND_PRODUCTS[place % 2]),
            start=start,
            timezone=first.timezone,
            collection=first.collection_method,
            rng=rng,
        )
        company.told[customer.customer_id] = "second_product"
        found.append(
            Lookalike(
                "second subscription for another product",
                customer.customer_id,
                ("TU-40",),
                (("subscription", first.subscription_id), ("subscription", second.subscription_id)),
                "two platform fees for the same days, of two products",
            )
        )
    return found
