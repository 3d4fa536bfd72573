"""TU-60, collection that is set up wrongly: no method, an ended card, a payment or a charge that nobody pursues."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

import numpy as np

from integrations.example.candidates import spread
from integrations.example.changes import first_subscription
from integrations.example.company import Company
from integrations.example.rebilling import age
from integrations.example.records import ZERO, Customer, Invoice, Payment
from integrations.example.stages import Stage
from integrations.example.truth import Fault

CODE = "TU-60"
STAGE = Stage.BOOKS
ANYWHERE = True


def plant(company: Company, rng: np.random.Generator) -> Sequence[Fault]:
    """Break what collects the money of customers that are charged automatically, each in another way."""
    return spread(company, rng, CODE, _plant_on)


def _plant_on(company: Company, customer: Customer, place: int, rng: np.random.Generator) -> Fault | None:
    paid = [each for each in company.invoices_of(customer.customer_id) if _paid_by_card(company, each)]
    plain = customer.customer_id not in company.told and first_subscription(company, customer).status == "active"
    if not paid or not plain or company.invoices_of(customer.customer_id)[-1].status not in {"paid", "draft"}:
        return None
    fault = Fault(CODE, ("customer", customer.customer_id), customer.customer_id, customer.currency, "")
    (_lose_method, _leave_unconfirmed, _end_card, _never_try)[place % 4](company, fault, customer, paid[-1])
    fault.affects("subscription", [first_subscription(company, customer).subscription_id])
    return fault


def _lose_method(company: Company, fault: Fault, customer: Customer, invoice: Invoice) -> None:
    fault.note = "the payment method was removed"
    customer.payment_method = None
    fault.exposure = _next(company, fault, customer)


def _end_card(company: Company, fault: Fault, customer: Customer, invoice: Invoice) -> None:
    ended = company.as_of.replace(day=1) - timedelta(days=20)
    fault.note = f"the card ended in {ended:%m/%Y}"
    customer.payment_method = {**(customer.payment_method or {}), "exp_month": ended.month, "exp_year": ended.year}
    fault.exposure = _next(company, fault, customer)


def _leave_unconfirmed(company: Company, fault: Fault, customer: Customer, invoice: Invoice) -> None:
    fault.note = "a payment waits for the customer to confirm it"
    (payment,) = _payments(company, invoice)
    payment.status = "requires_action"
    _reopen(fault, invoice)
    fault.affects("payment", [payment.payment_id])


def _never_try(company: Company, fault: Fault, customer: Customer, invoice: Invoice) -> None:
    fault.note = "no charge was ever tried"
    company.payments = [payment for payment in company.payments if payment.invoice_id != invoice.invoice_id]
    invoice.attempt_count = 0
    _reopen(fault, invoice)


def _reopen(fault: Fault, invoice: Invoice) -> None:
    fault.exposure = invoice.amount_paid
    fault.period_start, fault.period_end = invoice.period_start, invoice.period_end
    fault.affects("invoice", [invoice.invoice_id])
    invoice.status, invoice.paid_at, invoice.amount_due, invoice.amount_paid = "open", None, invoice.amount_paid, ZERO


def _next(company: Company, fault: Fault, customer: Customer) -> Decimal:
    """What the customer will next be asked for: its drafts, else as much as last time."""
    invoices = [each for each in company.invoices_of(customer.customer_id) if each.total > 0]
    drafts = [each for each in invoices if each.status == "draft"]
    fault.affects("invoice", [each.invoice_id for each in drafts])
    if drafts:
        return sum((each.total - each.credits_applied for each in drafts), ZERO)
    last = max((each for each in invoices if each.issued_at), key=lambda each: (each.issued_at, each.invoice_id))
    return last.total - last.credits_applied


def _paid_by_card(company: Company, invoice: Invoice) -> bool:
    """Whether one charge paid the invoice, some days to some weeks ago."""
    automatically = company.subscriptions[invoice.subscription_id].collection_method == "charge_automatically"
    plain = invoice.status == "paid" and invoice.attempt_count == 1 and invoice.amount_paid > 0
    recent = timedelta(days=5) < age(company, invoice) < timedelta(days=50)
    return automatically and plain and recent and not company.notes_on(invoice.invoice_id)


def _payments(company: Company, invoice: Invoice) -> list[Payment]:
    return [payment for payment in company.payments if payment.invoice_id == invoice.invoice_id]
