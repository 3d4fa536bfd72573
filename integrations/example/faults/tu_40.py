"""TU-40, duplicate invoice or line: a retry without an idempotency key billed the same period twice."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

import numpy as np

from integrations.example.candidates import plain_invoices, some_in_drafts
from integrations.example.company import Company
from integrations.example.ending import involve_line
from integrations.example.rebilling import copy_invoice, copy_line
from integrations.example.records import Customer, Invoice, Line
from integrations.example.stages import Stage
from integrations.example.truth import Fault

CODE = "TU-40"
STAGE = Stage.LINES
ANYWHERE = True

_LATER = timedelta(hours=5)


def plant(company: Company, rng: np.random.Generator) -> Sequence[Fault]:
    """Bill a line twice on one invoice, or make a whole invoice twice."""
    return some_in_drafts(company, rng, CODE, _plant_on)


def _plant_on(company: Company, customer: Customer, place: int, rng: np.random.Generator) -> Fault | None:
    if company.told.get(customer.customer_id) in {"late_then_adjusted", "prepaid_credits"}:
        return None
    invoices = [each for each in plain_invoices(company, customer) if each.created_at + _LATER <= company.as_of]
    charged = [each for each in invoices if any(line.net > 0 for line in company.lines_of(each.invoice_id))]
    if not charged:
        return None
    invoice = charged[-1]
    first = sorted(company.lines_of(invoice.invoice_id), key=lambda line: line.net <= 0)
    if place % 2 == 0:
        pairs = [_twice_on_one(company, first[0], invoice)]
        what = "a line is on the invoice twice"
    else:
        second = copy_invoice(company, invoice, invoice.created_at + _LATER)
        pairs = list(zip(first, company.lines_of(second.invoice_id), strict=True))
        what = "the invoice was made twice"
    fault = Fault(
        CODE,
        ("subscription", invoice.subscription_id),
        customer.customer_id,
        customer.currency,
        what,
        min(line.period_start for line, _ in pairs),
        max(line.period_end for line, _ in pairs),
        over=sum((extra.net for _, extra in pairs), Decimal(0)),
    )
    for kept, extra in pairs:
        involve_line(company, fault, extra)
        fault.shows("invoice_line", [kept.line_id])
        fault.shows("invoice", [kept.invoice_id])
    return fault


def _twice_on_one(company: Company, line: Line, invoice: Invoice) -> tuple[Line, Line]:
    """The line and its copy on the same invoice; the one with the smaller id counts as the first."""
    first, extra = sorted((line, copy_line(company, line, invoice)), key=lambda each: each.line_id)
    return first, extra
