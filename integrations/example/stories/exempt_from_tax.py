"""A customer that bears no tax although others of its country do: it is exempt, and always was."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from integrations.example.changes import has_months
from integrations.example.company import Company
from integrations.example.picking import some, untold
from integrations.example.records import ZERO, Customer
from integrations.example.stages import Stage
from integrations.example.truth import Lookalike

STAGE = Stage.CONTRACTS


def plant(company: Company, rng: np.random.Generator) -> Sequence[Lookalike]:
    """Exempt a few customers that would be taxed."""

    def suitable(customer: Customer) -> bool:
        taxed = bool(company.habits[customer.customer_id].tax_rate)
        return taxed and has_months(company, customer, 5)

    found = []
    for customer in untold(company, rng, some(company, 0.005), suitable):
        company.habits[customer.customer_id].tax_rate = ZERO
        company.told[customer.customer_id] = "exempt_from_tax"
        found.append(
            Lookalike(
                "customer that is exempt from tax",
                customer.customer_id,
                ("TU-62", "TU-63"),
                (("customer", customer.customer_id),),
                "none of its invoices was ever taxed",
            )
        )
    return found
