"""TU-45, service that nobody pays for: written off and still served, or given away by a coupon without an end."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np

from integrations.example.candidates import spread
from integrations.example.catalogue import MONTHLY
from integrations.example.changes import first_subscription, months
from integrations.example.company import Company
from integrations.example.ending import involve
from integrations.example.fees import fees_since
from integrations.example.picking import planned
from integrations.example.rebilling import age
from integrations.example.records import ZERO, Customer, Discount, Invoice, Subscription
from integrations.example.settlement import recharge, total
from integrations.example.stages import Stage
from integrations.example.truth import Fault

CODE = "TU-45"
STAGE = Stage.BOOKS

_RETRIES_TAKE = timedelta(days=15, hours=2)


def plant(company: Company, rng: np.random.Generator) -> Sequence[Fault]:
    """Write off the last invoice of customers that are served on, and give others their plan for nothing."""
    count = planned(company)
    gifts = spread(company, rng, CODE, _give_away, count // 2)
    return [*gifts, *spread(company, rng, CODE, _serve_on, count - len(gifts))]


def _serve_on(company: Company, customer: Customer, place: int, rng: np.random.Generator) -> Fault | None:
    invoices = [each for each in company.invoices_of(customer.customer_id) if each.status == "paid"]
    if not invoices or len(company.subscriptions_of(customer.customer_id)) > 1:
        return None
    invoice, subscription = invoices[-1], first_subscription(company, customer)
    given_up = age(company, invoice) > _RETRIES_TAKE and invoice.attempt_count == 1 and invoice.total > 0
    if not given_up or subscription.status != "active" or company.notes_on(invoice.invoice_id):
        return None
    payments = recharge(company, invoice, 4, "card_declined")
    invoice.status = "uncollectible"
    fault = _fault(company, subscription, "an invoice was written off, and access goes on")
    fault.period_start, fault.period_end = invoice.period_start, invoice.period_end
    fault.exposure = invoice.amount_due
    fault.affects("invoice", [invoice.invoice_id])
    fault.shows("payment", [payment.payment_id for payment in payments])
    return fault


def _give_away(company: Company, customer: Customer, place: int, rng: np.random.Generator) -> Fault | None:
    subscription = first_subscription(company, customer)
    past = months(company, subscription)
    plain = customer.customer_id not in company.told and subscription.cadence == MONTHLY
    if not plain or len(past) < 4 or subscription.status != "active":
        return None
    since = past[-2].start
    coupon = Discount(company.new_id("di"), "percent", ZERO + 100, since, subscription_id=subscription.subscription_id)
    company.add_discount(coupon)
    for invoice in company.invoices_of(customer.customer_id):
        _discount_all(company, invoice, since)
    fault = _fault(company, subscription, f"a coupon of 100 % since {since:%d %b %Y} has no end")
    fault.period_start = fault.period_end = since
    fault.under = fees_since(company, subscription, company.as_of, since)
    fault.affects("discount", [coupon.discount_id])
    for item in company.items_of(subscription.subscription_id):
        if company.price_of(item).meter_id is None:
            involve(company, fault, item)
    return fault


def _discount_all(company: Company, invoice: Invoice, since: datetime) -> None:
    """Take the whole amount off the lines of periods from `since` on, and settle what is left of the invoice."""
    lines = [line for line in company.lines_of(invoice.invoice_id) if line.period_start >= since]
    for line in lines:
        line.discount_amount = line.amount
    if not lines:
        return
    total(company, invoice)
    if invoice.issued_at is None:
        return
    if invoice.total > 0:
        recharge(company, invoice, 0, "")
        return
    company.payments = [payment for payment in company.payments if payment.invoice_id != invoice.invoice_id]
    invoice.status, invoice.paid_at, invoice.amount_paid, invoice.amount_due = "paid", invoice.issued_at, ZERO, ZERO


def _fault(company: Company, subscription: Subscription, note: str) -> Fault:
    fault = Fault(
        CODE,
        ("subscription", subscription.subscription_id),
        subscription.customer_id,
        subscription.currency,
        note,
    )
    fault.shows("customer", [subscription.customer_id])
    return fault
