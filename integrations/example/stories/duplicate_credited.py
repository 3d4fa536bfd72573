"""A line that was billed twice and noticed: the second one is credited in full."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import numpy as np

from integrations.example.company import Company
from integrations.example.picking import some, untold
from integrations.example.rebilling import age, copy_line, credit
from integrations.example.records import Customer, Line
from integrations.example.stages import Stage
from integrations.example.truth import Lookalike

STAGE = Stage.LINES


def plant(company: Company, rng: np.random.Generator) -> Sequence[Lookalike]:
    """Bill a usage line of an older invoice twice to a customer or two without tax, and credit the second."""

    def lines(customer: Customer) -> list[Line]:
        """The usage lines of the customer's older invoices; none where there is tax."""
        if company.habits[customer.customer_id].tax_rate:
            return []
        old = [i for i in company.invoices_of(customer.customer_id) if age(company, i) > timedelta(days=20)]
        return [
            line for i in old for line in company.lines_of(i.invoice_id) if line.kind == "usage" and line.amount > 1
        ]

    found = []
    for customer in untold(company, rng, some(company, 0.005), lambda customer: bool(lines(customer))):
        first = lines(customer)[-1]
        invoice = company.invoices[first.invoice_id]
        second = copy_line(company, first, invoice)
        note = credit(company, invoice, second, second.net, "duplicate", timedelta(days=3, hours=1))
        company.told[customer.customer_id] = "duplicate_credited"
        found.append(
            Lookalike(
                "duplicate line credited in full",
                customer.customer_id,
                ("TU-13", "TU-19", "TU-20", "TU-22", "TU-34", "TU-40"),
                (
                    ("invoice_line", first.line_id),
                    ("invoice_line", second.line_id),
                    ("credit_note", note.credit_note_id),
                ),
                "the credit note takes the whole second line back",
            )
        )
    return found
