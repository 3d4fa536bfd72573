"""An invoice that somebody has to release, and that waits for it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from integrations.example.candidates import is_draft
from integrations.example.company import Company
from integrations.example.picking import anyone, some
from integrations.example.records import Customer, Invoice
from integrations.example.stages import Stage
from integrations.example.truth import Lookalike

STAGE = Stage.BOOKS


def plant(company: Company, rng: np.random.Generator) -> Sequence[Lookalike]:
    """Switch the automatic release off for some drafts."""

    def drafts(customer: Customer) -> list[Invoice]:
        return [each for each in company.invoices_of(customer.customer_id) if is_draft(company, each)]

    found = []
    for customer in anyone(company, rng, some(company, 0.005), lambda customer: bool(drafts(customer))):
        invoice = drafts(customer)[-1]
        invoice.auto_advance = False
        found.append(
            Lookalike(
                "draft that waits for its release",
                customer.customer_id,
                ("TU-48",),
                (("invoice", invoice.invoice_id),),
                "a person looks at it first, and has some days",
            )
        )
    return found
