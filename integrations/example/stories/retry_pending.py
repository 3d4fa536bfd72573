"""A card that was refused and will be tried again: nothing to do yet."""

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
        """The customer's invoices that were charged to its card 4 to 7 days ago, but after an end."""
        invoices = company.invoices_of(customer.customer_id)
        days = [(invoice, age(company, invoice) / timedelta(days=1)) for invoice in invoices]
        charged = [i for i, old in days if 4 < old < 7 and i.status == "paid" and i.attempt_count == 1]
        return [i for i in charged if company.subscriptions[i.subscription_id].ended_at is None]

    found = []
    for customer in untold(company, rng, some(company, 0.01), lambda customer: bool(charged(customer))):
        invoice = charged(customer)[-1]
        payments = recharge(company, invoice, 2, "insufficient_funds")
        company.told[customer.customer_id] = "retry_pending"
        found.append(
            Lookalike(
                "open invoice with a retry ahead",
                customer.customer_id,
                ("TU-59",),
                (("invoice", invoice.invoice_id), *(("payment", payment.payment_id) for payment in payments)),
                "the next attempt has a date",
            )
        )
    return found
