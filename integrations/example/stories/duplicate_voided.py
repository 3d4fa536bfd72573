"""An invoice that was made twice and noticed: the second one is void."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import numpy as np

from integrations.example.company import Company
from integrations.example.picking import some, untold
from integrations.example.rebilling import age, copy_invoice
from integrations.example.records import Customer, Invoice
from integrations.example.stages import Stage
from integrations.example.truth import Lookalike

STAGE = Stage.LINES


def plant(company: Company, rng: np.random.Generator) -> Sequence[Lookalike]:
    """Make a second invoice of an older one for a few customers, voided some hours after it was issued."""

    def old_invoices(customer: Customer) -> list[Invoice]:
        return [i for i in company.invoices_of(customer.customer_id) if age(company, i) > timedelta(days=10)]

    found = []
    for customer in untold(company, rng, some(company, 0.01), lambda customer: bool(old_invoices(customer))):
        first = old_invoices(customer)[-1]
        second = copy_invoice(company, first, first.created_at + timedelta(minutes=7))
        second.voided_at = (second.finalizes_at or second.created_at) + timedelta(hours=5)
        company.told[customer.customer_id] = "duplicate_voided"
        found.append(
            Lookalike(
                "duplicate invoice that was voided",
                customer.customer_id,
                ("TU-40",),
                (("invoice", first.invoice_id), ("invoice", second.invoice_id)),
                "a void invoice charges nothing",
            )
        )
    return found
