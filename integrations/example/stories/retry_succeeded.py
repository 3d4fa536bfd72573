"""A card that was refused twice and then charged: the invoice is paid."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import numpy as np

from integrations.example.company import Company
from integrations.example.picking import some, untold
from integrations.example.rebilling import age
from integrations.example.records import Customer, Invoice
from integrations.example.settlement import recharge
from integrations.example.stages import Stage
from integrations.example.truth import Lookalike

STAGE = Stage.BOOKS


def plant(company: Company, rng: np.random.Generator) -> Sequence[Lookalike]:
    """Let the charges of one invoice of a few customers fail 2 times."""

    def charged(customer: Customer) -> list[Invoice]:
        """The customer's invoices that were charged to its card 15 to 400 days ago."""
        invoices = company.invoices_of(customer.customer_id)
        days = [(invoice, age(company, invoice) / timedelta(days=1)) for invoice in invoices]
        return [i for i, old in days if 15 < old < 400 and i.status == "paid" and i.attempt_count == 1]

    found = []
    for customer in untold(company, rng, some(company, 0.01), lambda customer: bool(charged(customer))):
        invoice = charged(customer)[-1]
        payments = recharge(company, invoice, 2, "insufficient_funds")
        company.told[customer.customer_id] = "retry_succeeded"
        found.append(
            Lookalike(
                "payment that succeeded on a retry",
                customer.customer_id,
                ("TU-59",),
                (("invoice", invoice.invoice_id), *(("payment", payment.payment_id) for payment in payments)),
                "a failed attempt is no loss once a later one has succeeded",
            )
        )
    return found
