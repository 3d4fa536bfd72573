"""TU-34, invoice arithmetic: a total, subtotal or amount due that the invoice's own lines do not add up to."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import numpy as np

from billing.money import round_money
from integrations.example.candidates import plain_invoices, some_in_drafts
from integrations.example.company import Company
from integrations.example.ending import involve_line
from integrations.example.records import Customer, Invoice
from integrations.example.stages import Stage
from integrations.example.truth import Fault

CODE = "TU-34"
STAGE = Stage.BOOKS
ANYWHERE = True

_OFF = (Decimal("0.03"), Decimal("-0.04"), Decimal("0.02"))


def plant(company: Company, rng: np.random.Generator) -> Sequence[Fault]:
    """Misstate a draft's total, a subtotal with the total that follows from it, or what is due."""
    return some_in_drafts(company, rng, CODE, _plant_on)


def _plant_on(company: Company, customer: Customer, place: int, rng: np.random.Generator) -> Fault | None:
    invoices = [each for each in plain_invoices(company, customer) if not each.credits_applied and each.total > 50]
    chosen = [each for each in invoices if each.status in {"draft", "paid"}]
    if not chosen:
        return None
    invoice = chosen[-1]
    off = round_money(invoice.total * _OFF[place % 3], invoice.currency)
    what = _misstate(company, invoice, off, place)
    fault = Fault(
        CODE,
        ("invoice", invoice.invoice_id),
        customer.customer_id,
        customer.currency,
        f"the {what} is stated {abs(off)} {'too high' if off > 0 else 'too low'}",
        invoice.period_start,
        invoice.period_end,
        under=max(-off, Decimal(0)),
        over=max(off, Decimal(0)),
    )
    for line in company.lines_of(invoice.invoice_id):
        involve_line(company, fault, line)
    return fault


def _misstate(company: Company, invoice: Invoice, off: Decimal, place: int) -> str:
    """State one number wrongly, and let what follows from it follow; the number's name."""
    if place % 3 == 2 and invoice.status == "draft":
        invoice.amount_due += off
        return "amount due"
    if place % 3 == 1:
        invoice.subtotal += off
    invoice.total += off
    if invoice.status == "draft":
        invoice.amount_due += off
    else:
        invoice.amount_paid += off
        for payment in company.payments:
            if payment.invoice_id == invoice.invoice_id:
                payment.amount += off
    return "subtotal" if place % 3 == 1 else "total"
