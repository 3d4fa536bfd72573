"""An invoice that was charged twice and noticed: the second payment is refunded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import numpy as np

from integrations.example.company import Company
from integrations.example.picking import anyone, some
from integrations.example.rebilling import age
from integrations.example.records import Customer, Invoice
from integrations.example.stages import Stage
from integrations.example.truth import Lookalike

STAGE = Stage.BOOKS


def plant(company: Company, rng: np.random.Generator) -> Sequence[Lookalike]:
    """Charge an older invoice of a few customers once more, and give the money back the day after."""

    def charged(customer: Customer) -> list[Invoice]:
        invoices = company.invoices_of(customer.customer_id)
        plain = [each for each in invoices if each.attempt_count == 1 and not company.notes_on(each.invoice_id)]
        return [each for each in plain if each.status == "paid" and age(company, each) > timedelta(days=12)]

    found = []
    for customer in anyone(company, rng, some(company, 0.005), lambda customer: bool(charged(customer))):
        invoice = charged(customer)[-1]
        first = next(each for each in company.payments if each.invoice_id == invoice.invoice_id)
        again = replace(first, payment_id=company.new_id("py"), created_at=first.created_at + timedelta(seconds=50))
        again.status, again.amount_refunded = "refunded", again.amount
        again.idempotency_key = f"{first.idempotency_key}/again"
        company.payments.append(again)
        found.append(
            Lookalike(
                "second charge that was refunded",
                customer.customer_id,
                ("TU-61",),
                (("invoice", invoice.invoice_id), ("payment", first.payment_id), ("payment", again.payment_id)),
                "what was kept is what the invoice asks for",
            )
        )
    return found
