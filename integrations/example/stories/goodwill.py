"""A correct invoice that was reduced all the same, out of courtesy after an outage."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

import numpy as np

from billing.money import round_money
from integrations.example.company import Company
from integrations.example.picking import some, untold
from integrations.example.rebilling import age, credit
from integrations.example.records import Customer, Invoice
from integrations.example.stages import Stage
from integrations.example.truth import Lookalike

STAGE = Stage.LINES


def plant(company: Company, rng: np.random.Generator) -> Sequence[Lookalike]:
    """Credit a tenth of an older invoice to a few untaxed customers, on the invoice and not on a line."""

    def old_invoices(customer: Customer) -> list[Invoice]:
        if company.habits[customer.customer_id].tax_rate:
            return []
        return [i for i in company.invoices_of(customer.customer_id) if age(company, i) > timedelta(days=40)]

    found = []
    for customer in untold(company, rng, some(company, 0.01), lambda customer: bool(old_invoices(customer))):
        invoice = old_invoices(customer)[-1]
        net = sum((line.net for line in company.lines_of(invoice.invoice_id)), Decimal(0))
        tenth = round_money(net / 10, invoice.currency)
        note = credit(company, invoice, None, tenth, "goodwill", timedelta(days=2, hours=3))
        company.told[customer.customer_id] = "goodwill"
        found.append(
            Lookalike(
                "goodwill credit note",
                customer.customer_id,
                ("TU-13", "TU-19", "TU-20", "TU-22", "TU-34", "TU-40"),
                (("invoice", invoice.invoice_id), ("credit_note", note.credit_note_id)),
                "a courtesy: the lines are right, and nothing was forgotten",
            )
        )
    return found
