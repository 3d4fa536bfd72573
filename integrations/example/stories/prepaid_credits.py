"""Customers who pay ahead: packages of credit, with a bonus on large ones, consumed, topped up and expired in order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from integrations.example.changes import has_months
from integrations.example.company import Company
from integrations.example.picking import planned, some, untold
from integrations.example.records import Customer
from integrations.example.stages import Stage
from integrations.example.truth import Lookalike

STAGE = Stage.CONTRACTS


def plant(company: Company, rng: np.random.Generator) -> Sequence[Lookalike]:
    """Let some customers prepay, and as many more as there are faults of their credit to plant.

    The ledger itself is kept by `integrations.example.wallet`.
    """
    needed = len(company.kept_for.get("prepaid_credits", ())) * (planned(company) + 2)

    def suitable(customer: Customer) -> bool:
        return has_months(company, customer, 4)

    found = []
    for customer in untold(company, rng, max(some(company, 0.04, least=2), needed), suitable):
        company.habits[customer.customer_id].prepays = True
        company.told[customer.customer_id] = "prepaid_credits"
        found.append(
            Lookalike(
                "prepaid credit",
                customer.customer_id,
                ("TU-59",),
                (("customer", customer.customer_id),),
                "invoices are covered by credit: nothing is due, and no payment is missing",
            )
        )
    return found
