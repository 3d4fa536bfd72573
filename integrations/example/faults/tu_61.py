"""TU-61, payment and invoice do not agree: charged twice, marked paid for less, disputed, credited twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import numpy as np

from billing.money import round_money
from integrations.example.candidates import spread
from integrations.example.company import Company
from integrations.example.rebilling import age, credit
from integrations.example.records import Customer, Invoice, Payment
from integrations.example.stages import Stage
from integrations.example.truth import Fault

CODE = "TU-61"
STAGE = Stage.BOOKS
ANYWHERE = True


def plant(company: Company, rng: np.random.Generator) -> Sequence[Fault]:
    """Let the payments or credit notes of single invoices say something else than the invoices."""
    return spread(company, rng, CODE, _plant_on)


def _plant_on(company: Company, customer: Customer, place: int, rng: np.random.Generator) -> Fault | None:
    paid = _paid_once(company, customer)
    if not paid:
        return None
    invoice, payment = paid[-1]
    fault = Fault(
        CODE,
        ("invoice", invoice.invoice_id),
        customer.customer_id,
        invoice.currency,
        "",
        invoice.period_start,
        invoice.period_end,
    )
    fault.affects("payment", [payment.payment_id])
    (_charge_again, _pay_a_part, _dispute, _credit_again)[place % 4](company, fault, invoice, payment)
    fault.shows("customer", [customer.customer_id])
    fault.shows("subscription", [invoice.subscription_id])
    return fault


def _charge_again(company: Company, fault: Fault, invoice: Invoice, payment: Payment) -> None:
    fault.note = "the invoice was paid twice"
    again = replace(payment, payment_id=company.new_id("py"), created_at=payment.created_at + timedelta(seconds=41))
    again.idempotency_key = f"{payment.idempotency_key}/again"
    company.payments.append(again)
    fault.affects("payment", [again.payment_id])
    fault.over = again.amount


def _pay_a_part(company: Company, fault: Fault, invoice: Invoice, payment: Payment) -> None:
    fault.note = "a part was captured, and the invoice marked paid"
    fault.under = round_money(payment.amount / 4, invoice.currency)
    payment.amount -= fault.under
    invoice.amount_paid = payment.amount


def _dispute(company: Company, fault: Fault, invoice: Invoice, payment: Payment) -> None:
    fault.note = "the payment was disputed, and the invoice is still paid"
    payment.status = "disputed"
    fault.under = payment.amount


def _credit_again(company: Company, fault: Fault, invoice: Invoice, payment: Payment) -> None:
    fault.note = "a line was credited twice"
    line = max(company.lines_of(invoice.invoice_id), key=lambda line: line.net)
    owed = line.net
    if company.prices[line.price_id or ""].tax_behavior != "inclusive":
        owed += line.tax_amount
    paid_after = payment.created_at - (invoice.finalizes_at or invoice.created_at)
    for hours in (30, 31):
        note = credit(company, invoice, line, owed, "duplicate", paid_after + timedelta(hours=hours))
        fault.affects("credit_note", [note.credit_note_id])
    fault.affects("invoice_line", [line.line_id])
    payment.amount_refunded = owed
    fault.entities.pop(("payment", payment.payment_id))
    fault.under = owed


def _paid_once(company: Company, customer: Customer) -> list[tuple[Invoice, Payment]]:
    """The customer's invoices that one payment paid some days to some months ago, with that payment."""
    found = []
    for invoice in company.invoices_of(customer.customer_id):
        payments = [payment for payment in company.payments if payment.invoice_id == invoice.invoice_id]
        plain = invoice.status == "paid" and not invoice.credits_applied and not company.notes_on(invoice.invoice_id)
        old = timedelta(days=3) < age(company, invoice) < timedelta(days=100)
        if plain and old and len(payments) == 1 and payments[0].amount > 4 and _paid_long_ago(company, payments[0]):
            found.append((invoice, payments[0]))
    return found


def _paid_long_ago(company: Company, payment: Payment) -> bool:
    return company.as_of - payment.created_at > timedelta(days=2)
