"""A customer with a second product in another currency: each subscription has its own, and so have its invoices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import numpy as np

from integrations.example.catalogue import offer_of
from integrations.example.changes import first_subscription, has_months, months, on_plan
from integrations.example.company import Company
from integrations.example.founding import subscribe
from integrations.example.picking import some, untold
from integrations.example.records import Customer
from integrations.example.stages import Stage
from integrations.example.truth import Lookalike

STAGE = Stage.CONTRACTS

_OTHER = {"USD": "EUR", "EUR": "GBP", "GBP": "USD"}


def plant(company: Company, rng: np.random.Generator) -> Sequence[Lookalike]:
    """Sell messaging in another currency to a few customers of the main product."""

    def suitable(customer: Customer) -> bool:
        main = on_plan(company, customer, "starter", "growth", "scale") and has_months(company, customer, 4)
        return main and customer.currency in _OTHER

    found = []
    for customer in untold(company, rng, some(company, 0.005), suitable):
        first = first_subscription(company, customer)
        second = subscribe(
            company,
            replace(customer, currency=_OTHER[customer.currency]),
            offer_of("messaging"),
            start=months(company, first)[1].start + timedelta(days=3, seconds=977),
            timezone=first.timezone,
            collection=first.collection_method,
            rng=rng,
        )
        company.told[customer.customer_id] = "second_currency"
        found.append(
            Lookalike(
                "second subscription in another currency",
                customer.customer_id,
                ("TU-36", "TU-40", "TU-41"),
                (("subscription", first.subscription_id), ("subscription", second.subscription_id)),
                "every invoice is in the currency of its subscription",
            )
        )
    return found
