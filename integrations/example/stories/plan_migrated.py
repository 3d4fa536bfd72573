"""A customer moved to the plan's next version, as agreed: other prices for the same things from a period's start on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np

from integrations.example.catalogue import offer_of, plan_id
from integrations.example.changes import first_subscription, months, switch_plan
from integrations.example.company import Company
from integrations.example.picking import some, untold
from integrations.example.records import Customer, PlanMigration
from integrations.example.stages import Stage
from integrations.example.truth import Lookalike

STAGE = Stage.CONTRACTS


def plant(company: Company, rng: np.random.Generator) -> Sequence[Lookalike]:
    """Migrate a few customers from the first version of growth to the second; the others stay where they are."""

    def renewals(customer: Customer) -> list[datetime]:
        """The customer's period ends at which the new version is on sale."""
        subscription = first_subscription(company, customer)
        on_sale = company.plans[plan_id(offer_of("growth", version=2), customer.currency)].effective_from
        if subscription.plan_id != plan_id(offer_of("growth"), customer.currency) or on_sale is None:
            return []
        ends = [period.end for period in months(company, subscription)]
        return [at for at in ends if on_sale + timedelta(days=10) < at < company.as_of - timedelta(days=35)]

    found = []
    for customer in untold(company, rng, some(company, 0.01), lambda customer: bool(renewals(customer))):
        subscription, at = first_subscription(company, customer), renewals(customer)[0]
        new = switch_plan(company, subscription, offer_of("growth", version=2), at, rng)
        company.migrations.append(PlanMigration(company.new_id("pm"), "growth", 1, 2, customer.customer_id, at))
        company.told[customer.customer_id] = "plan_migrated"
        found.append(
            Lookalike(
                "migration to the plan's next version",
                customer.customer_id,
                ("TU-06", "TU-22", "TU-24", "TU-25", "TU-39"),
                (("subscription", subscription.subscription_id), *(("item", item.item_id) for item in new)),
                "agreed, and in force from the start of a period",
            )
        )
    return found
