"""An invoice to be paid by transfer that is a few days late: it happens, and nobody has to act yet."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import numpy as np

from integrations.example.company import Company
from integrations.example.picking import anyone, some
from integrations.example.records import ZERO, Customer, Invoice
from integrations.example.stages import Stage
from integrations.example.truth import Lookalike

STAGE = Stage.BOOKS


def plant(company: Company, rng: np.random.Generator) -> Sequence[Lookalike]:
    """Leave an invoice of a few customers unpaid that was due up to ten days ago."""

    def due_lately(customer: Customer) -> list[Invoice]:
        invoices = company.invoices_of(customer.customer_id)
        late = [each for each in invoices if each.due_at and timedelta(0) < company.as_of - each.due_at < timedelta(10)]
        return [each for each in late if each.status == "paid" and not company.notes_on(each.invoice_id)]

    found = []
    for customer in anyone(company, rng, some(company, 0.005), lambda customer: bool(due_lately(customer))):
        invoice = due_lately(customer)[-1]
        company.payments = [each for each in company.payments if each.invoice_id != invoice.invoice_id]
        invoice.status, invoice.paid_at = "open", None
        invoice.amount_due, invoice.amount_paid = invoice.amount_paid, ZERO
        found.append(
            Lookalike(
                "transfer that is some days late",
                customer.customer_id,
                ("TU-45", "TU-59", "TU-60", "TU-61"),
                (("invoice", invoice.invoice_id),),
                "ten days late is not yet a matter for collection",
            )
        )
    return found
