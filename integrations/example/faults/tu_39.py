"""TU-39, an active subscription that was not invoiced: a bill run failed for one customer, or forgot one charge."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

import numpy as np

from integrations.example.candidates import plain_invoices, spread
from integrations.example.company import Company
from integrations.example.ending import involve
from integrations.example.records import Customer, Invoice, Line
from integrations.example.stages import Stage
from integrations.example.truth import Fault

CODE = "TU-39"
STAGE = Stage.LINES
ANYWHERE = True

_DAY = timedelta(days=1)


def plant(company: Company, rng: np.random.Generator) -> Sequence[Fault]:
    """Take an invoice or one of its lines away, some days to some months after it was due."""
    return spread(company, rng, CODE, _plant_on)


def _plant_on(company: Company, customer: Customer, place: int, rng: np.random.Generator) -> Fault | None:
    if company.told.get(customer.customer_id) in {"late_then_adjusted", "prepaid_credits"}:
        return None
    invoices = [
        invoice
        for invoice in plain_invoices(company, customer)
        if 4 * _DAY < company.as_of - invoice.created_at < 120 * _DAY and len(company.lines_of(invoice.invoice_id)) > 1
    ]
    if not invoices:
        return None
    invoice = invoices[int(rng.integers(len(invoices)))]
    lines = company.lines_of(invoice.invoice_id)
    missing = lines if place % 2 == 0 else lines[:1]
    fault = Fault(
        CODE,
        ("subscription", invoice.subscription_id),
        customer.customer_id,
        customer.currency,
        "no invoice was made" if place % 2 == 0 else "one charge is missing on the invoice",
        min(line.period_start for line in missing),
        max(line.period_end for line in missing),
        under=sum((line.net for line in missing), Decimal(0)),
    )
    _forget(company, fault, invoice, missing)
    return fault


def _forget(company: Company, fault: Fault, invoice: Invoice, missing: list[Line]) -> None:
    for line in missing:
        if line.item_id is not None:
            involve(company, fault, company.items[line.item_id])
            fault.affects("item", [line.item_id])
        company.remove_line(line)
    if company.lines_of(invoice.invoice_id):
        return
    company.remove_invoice(invoice)
    for run in company.bill_runs.values():
        if run.bill_run_id == invoice.bill_run_id:
            run.invoices_ok -= 1
            run.invoices_failed += 1
