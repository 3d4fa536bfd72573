"""TU-63, tax that was not calculated: the engine had no location, or an invoice of a taxed customer bears none."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from integrations.example.candidates import plain_invoices, some_in_drafts
from integrations.example.company import Company
from integrations.example.ending import involve_line
from integrations.example.records import ZERO, Customer, Invoice, Payment
from integrations.example.stages import Stage
from integrations.example.truth import Fault

CODE = "TU-63"
STAGE = Stage.BOOKS


def plant(company: Company, rng: np.random.Generator) -> Sequence[Fault]:
    """Take the tax off one invoice of customers whose others are taxed; every other one names the reason."""
    return some_in_drafts(company, rng, CODE, _plant_on)


def _plant_on(company: Company, customer: Customer, place: int, rng: np.random.Generator) -> Fault | None:
    if not company.habits[customer.customer_id].tax_rate:
        return None
    taxed = [each for each in plain_invoices(company, customer) if each.tax_total > 1 and _simple(company, each)]
    if len(taxed) < 4:
        return None
    invoice = taxed[-1]
    fault = Fault(
        CODE,
        ("customer", customer.customer_id),
        customer.customer_id,
        customer.currency,
        "the customer's location was missing" if place % 2 else "the tax of one invoice is zero",
        invoice.period_start,
        invoice.period_end,
        exposure=invoice.tax_total,
    )
    fault.affects("invoice", [invoice.invoice_id])
    fault.shows("subscription", [invoice.subscription_id])
    _untax(company, invoice)
    if place % 2:
        invoice.tax_status = "requires_location"
    for line in company.lines_of(invoice.invoice_id):
        if line.net > 0:
            involve_line(company, fault, line)
    fault.entities = {key: role for key, role in fault.entities.items() if key[0] != "meter"}
    return fault


def _simple(company: Company, invoice: Invoice) -> bool:
    """Whether the invoice is a draft, or was paid at once by one payment."""
    one = len(_payments(company, invoice)) == 1 and invoice.status == "paid"
    return (one or invoice.status == "draft") and not invoice.credits_applied


def _payments(company: Company, invoice: Invoice) -> list[Payment]:
    return [payment for payment in company.payments if payment.invoice_id == invoice.invoice_id]


def _untax(company: Company, invoice: Invoice) -> None:
    """Take the tax off the lines and the totals, and let what was paid follow."""
    off = invoice.total - (invoice.subtotal - invoice.discount_total)
    for line in company.lines_of(invoice.invoice_id):
        line.tax_amount = ZERO
    invoice.tax_total = ZERO
    invoice.total -= off
    if invoice.status == "draft":
        invoice.amount_due -= off
        return
    invoice.amount_paid -= off
    for payment in _payments(company, invoice):
        payment.amount -= off
