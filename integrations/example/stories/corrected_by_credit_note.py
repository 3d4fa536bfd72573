"""A line that was billed at the wrong unit price, found out, and set right by a credit note for the difference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import numpy as np

from integrations.example.company import Company
from integrations.example.picking import some, untold
from integrations.example.rebilling import age, amount_under, contract_price, credit, set_amount
from integrations.example.records import Customer, Line
from integrations.example.stages import Stage
from integrations.example.truth import Lookalike

STAGE = Stage.LINES


def plant(company: Company, rng: np.random.Generator) -> Sequence[Lookalike]:
    """Overcharge a line of a few untaxed customers by a quarter, and credit that quarter."""

    def lines(customer: Customer) -> list[Line]:
        """The customer's lines at a unit price that are old enough to have been corrected."""
        if company.habits[customer.customer_id].tax_rate:
            return []
        old = [i for i in company.invoices_of(customer.customer_id) if age(company, i) > timedelta(days=25)]
        found = [line for invoice in old for line in company.lines_of(invoice.invoice_id)]
        return [line for line in found if line.unit_amount and line.amount > 20 and not line.proration]

    found = []
    for customer in untold(company, rng, some(company, 0.01), lambda customer: bool(lines(customer))):
        line = lines(customer)[-1]
        right, price = line.amount, contract_price(company, line)
        line.unit_amount = (line.unit_amount or Decimal(0)) * Decimal("1.25")
        set_amount(company, line, amount_under(company, line, replace(price, unit_amount=line.unit_amount)))
        invoice = company.invoices[line.invoice_id]
        note = credit(company, invoice, line, line.amount - right, "billing error", timedelta(days=6, hours=5))
        company.told[customer.customer_id] = "corrected_by_credit_note"
        found.append(
            Lookalike(
                "overcharge set right by a credit note",
                customer.customer_id,
                ("TU-13", "TU-19", "TU-20", "TU-22", "TU-34", "TU-40"),
                (("invoice_line", line.line_id), ("credit_note", note.credit_note_id)),
                "the line less its credit note is what the contract says",
            )
        )
    return found
