"""A customer with its own unit price, from the start or from a renewal on: not the catalog's, and right."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import numpy as np

from integrations.example.changes import first_subscription, has_months, months, on_plan
from integrations.example.company import Company
from integrations.example.picking import some, untold
from integrations.example.records import Customer, Override
from integrations.example.stages import Stage
from integrations.example.truth import Lookalike

STAGE = Stage.CONTRACTS


def plant(company: Company, rng: np.random.Generator) -> Sequence[Lookalike]:
    """Give a few customers an eighth to a quarter off the unit price of something they use."""

    def suitable(customer: Customer) -> bool:
        return on_plan(company, customer, "starter", "growth", "scale") and has_months(company, customer, 3)

    found = []
    for customer in untold(company, rng, some(company, 0.02), suitable):
        subscription = first_subscription(company, customer)
        items = company.items_of(subscription.subscription_id)
        item = next(each for each in items if company.price_of(each).unit_amount is not None)
        since = subscription.started_at if rng.random() < 0.5 else months(company, subscription)[1].start
        factor = Decimal(str(rng.choice(["0.75", "0.8", "0.875"])))
        agreed = (company.price_of(item).unit_amount or Decimal(0)) * factor
        company.add_override(
            Override(company.new_id("po"), customer.customer_id, item.price_id, since, unit_amount=agreed)
        )
        company.told[customer.customer_id] = "negotiated_price"
        found.append(
            Lookalike(
                "negotiated unit price",
                customer.customer_id,
                ("TU-22", "TU-24", "TU-25", "TU-33"),
                (("item", item.item_id), ("price", item.price_id)),
                f"the contract says {agreed.normalize():f} in place of the catalog's price",
            )
        )
    return found
