"""TU-42, an invoice for a subscription that has ended: it was cancelled in the product and renewed in billing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np

from billing.periods import Period, period_containing
from integrations.example.candidates import spread
from integrations.example.changes import first_subscription
from integrations.example.company import Company
from integrations.example.ending import involve_line
from integrations.example.invoicing import DRAFT_FOR, run_after
from integrations.example.records import Customer, Invoice, Line, Subscription
from integrations.example.stages import Stage
from integrations.example.truth import Fault

CODE = "TU-42"
STAGE = Stage.LINES
NEEDS = ("cancelled_at_period_end",)


def plant(company: Company, rng: np.random.Generator) -> Sequence[Fault]:
    """Bill the fees of one more period after a cancellation at a period's end."""
    return spread(company, rng, CODE, _plant_on)


def _plant_on(company: Company, customer: Customer, place: int, rng: np.random.Generator) -> Fault | None:
    subscription = first_subscription(company, customer)
    if company.told.get(customer.customer_id) != "cancelled_at_period_end" or subscription.ended_at is None:
        return None
    after = period_containing(
        subscription.billing_anchor, subscription.cadence, subscription.timezone, subscription.ended_at
    )
    fees = _last_fees(company, subscription)
    created_at = run_after(company, after.start) + timedelta(minutes=9)
    if not fees or created_at > company.as_of:
        return None
    fault = Fault(
        CODE,
        ("subscription", subscription.subscription_id),
        customer.customer_id,
        customer.currency,
        "fees in advance were billed for the period after the end",
        after.start,
        after.end,
    )
    invoice = _renewal(company, company.invoices[fees[0].invoice_id], created_at)
    for fee in fees:
        line = company.add_line(_renewed(company, fee, invoice.invoice_id, after))
        fault.over += line.net
        involve_line(company, fault, line)
    return fault


def _last_fees(company: Company, subscription: Subscription) -> list[Line]:
    """The fees in advance of the last period before the end."""
    return [
        line
        for invoice in company.invoices_of(subscription.customer_id)
        for line in company.lines_of(invoice.invoice_id)
        if line.kind == "recurring" and line.period_end == subscription.ended_at and not line.proration
    ]


def _renewal(company: Company, last: Invoice, created_at: datetime) -> Invoice:
    """An invoice like the last one, without lines, outside of any bill run."""
    renewal = replace(last, invoice_id=company.new_id("in"), created_at=created_at, bill_run_id=None)
    renewal.finalizes_at = created_at + DRAFT_FOR
    renewal.period_start = renewal.period_end = None
    return company.add_invoice(renewal)


def _renewed(company: Company, fee: Line, invoice_id: str, period: Period) -> Line:
    return replace(
        fee,
        line_id=company.new_id("il"),
        invoice_id=invoice_id,
        period_start=period.start,
        period_end=period.end,
        description=f"{fee.description.split(' (')[0]} ({period.start:%d %b %Y} – {period.end:%d %b %Y})",
    )
