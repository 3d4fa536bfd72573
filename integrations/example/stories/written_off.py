"""An invoice of a customer that left, charged in vain and given up: uncollectible, and decided to be."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import numpy as np

from integrations.example.company import Company
from integrations.example.picking import some
from integrations.example.rebilling import age
from integrations.example.records import Customer, Invoice
from integrations.example.settlement import recharge
from integrations.example.stages import Stage
from integrations.example.truth import Lookalike

STAGE = Stage.BOOKS


def plant(company: Company, rng: np.random.Generator) -> Sequence[Lookalike]:
    """Write off the last invoice of a customer or two who cancelled."""
    gone = [
        each for each in company.customers.values() if company.told.get(each.customer_id, "").startswith("cancelled")
    ]
    with_invoice = [(each, invoice) for each in gone if (invoice := _last_charged(company, each))]
    found = []
    for position in rng.permutation(len(with_invoice))[: some(company, 0.005)]:
        customer, invoice = with_invoice[position]
        payments = recharge(company, invoice, 4, "expired_card")
        invoice.status = "uncollectible"
        found.append(
            Lookalike(
                "invoice written off",
                customer.customer_id,
                ("TU-42", "TU-59"),
                (("invoice", invoice.invoice_id), *(("payment", payment.payment_id) for payment in payments)),
                "it is uncollectible by decision, no longer open",
            )
        )
    return found


def _last_charged(company: Company, customer: Customer) -> Invoice | None:
    invoices = company.invoices_of(customer.customer_id)
    last = invoices[-1] if invoices else None
    if last is None or last.status != "paid" or last.attempt_count != 1 or customer.customer_id in company.faulty:
        return None
    return last if age(company, last) > timedelta(days=20) else None
