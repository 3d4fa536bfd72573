"""A customer with its own tiers: same bounds, lower prices."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import numpy as np

from integrations.example.changes import first_subscription, has_months, on_plan
from integrations.example.company import Company
from integrations.example.picking import some, untold
from integrations.example.records import Customer, Override, PriceTier
from integrations.example.stages import Stage
from integrations.example.truth import Lookalike

STAGE = Stage.CONTRACTS


def plant(company: Company, rng: np.random.Generator) -> Sequence[Lookalike]:
    """Give a few customers tiers of their own for API requests, a fifth below the catalog's."""

    def suitable(customer: Customer) -> bool:
        return on_plan(company, customer, "growth", "scale") and has_months(company, customer, 3)

    found = []
    for customer in untold(company, rng, some(company, 0.01), suitable):
        subscription = first_subscription(company, customer)
        items = company.items_of(subscription.subscription_id)
        item = next(each for each in items if company.price_of(each).meter_id == "meter_api")
        tiers = [_lower(tier) for tier in company.price_of(item).tiers]
        company.add_override(
            Override(company.new_id("po"), customer.customer_id, item.price_id, subscription.started_at, tiers=tiers)
        )
        company.told[customer.customer_id] = "negotiated_tiers"
        found.append(
            Lookalike(
                "negotiated tiers",
                customer.customer_id,
                ("TU-19", "TU-20", "TU-22"),
                (("item", item.item_id), ("price", item.price_id)),
                "the contract's tiers replace the catalog's",
            )
        )
    return found


def _lower(tier: PriceTier) -> dict[str, object]:
    unit_amount = tier.unit_amount * Decimal("0.8")
    return {
        "tier": tier.tier,
        "up_to": None if tier.up_to is None else str(tier.up_to),
        "unit_amount": f"{unit_amount.normalize():f}",
    }
