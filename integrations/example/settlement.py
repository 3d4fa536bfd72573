"""From lines to money: tax, totals, credits, drafts that become final, and payments with their retries.

Whatever the lines say adds up here, faulty ones too: a wrong line is a wrong invoice that is taxed, issued and paid.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import numpy as np

from billing.money import round_money
from integrations.example.company import Company
from integrations.example.records import Invoice, Line, Payment
from integrations.example.wallet import Wallet

ZERO = Decimal(0)
RETRY_AFTER = (timedelta(days=3), timedelta(days=5), timedelta(days=7))
"""When a failed charge is tried again, each counted from the attempt before."""
PAYMENT_TERM = timedelta(days=30)
_REASONS = ("insufficient_funds", "card_declined", "processing_error", "expired_card")


def settle(company: Company) -> None:
    """Total, issue and collect every invoice as far as `as_of` allows, in the order in which they were made."""
    rng = company.rng("settlement")
    for customer_id, habits in company.habits.items():
        invoices = company.invoices_of(customer_id)
        for invoice in invoices:
            total(company, invoice)
        wallet = Wallet(company, customer_id, invoices) if habits.prepays else None
        for invoice in invoices:
            _collect(company, invoice, wallet, rng)
        if wallet is not None:
            wallet.close()
    _number(company)


def total(company: Company, invoice: Invoice) -> None:
    """The invoice's tax and totals from its lines."""
    lines = company.lines_of(invoice.invoice_id)
    for line in lines:
        line.tax_amount = _tax(company, invoice, line)
    invoice.subtotal = sum((line.amount for line in lines), ZERO)
    invoice.discount_total = sum((line.discount_amount for line in lines), ZERO)
    invoice.tax_total = sum((line.tax_amount for line in lines), ZERO)
    invoice.total = invoice.subtotal - invoice.discount_total
    if not _inclusive(company, lines):
        invoice.total += invoice.tax_total
    invoice.amount_due = max(invoice.total, ZERO)


def _inclusive(company: Company, lines: list[Line]) -> bool:
    """Whether the prices hold the tax inside; one invoice has one kind only."""
    return any(line.price_id and company.prices[line.price_id].tax_behavior == "inclusive" for line in lines)


def _tax(company: Company, invoice: Invoice, line: Line) -> Decimal:
    rate = Fraction(company.habits[invoice.customer_id].tax_rate)
    part = rate / (1 + rate) if _inclusive(company, [line]) else rate
    return round_money(Fraction(line.net) * part, invoice.currency)


def _collect(company: Company, invoice: Invoice, wallet: Wallet | None, rng: np.random.Generator) -> None:
    """Apply credits, and issue and charge the invoice if its time has come."""
    patience = timedelta(days=float(rng.uniform(4, 27)))
    unlucky = rng.random() < 0.025
    reason = _REASONS[int(rng.integers(len(_REASONS)))]
    if invoice.voided_at is not None:
        _void(invoice)
        return
    if wallet is not None and invoice.total > 0:
        invoice.credits_applied = wallet.pay(invoice)
        invoice.amount_due = invoice.total - invoice.credits_applied
    issued_at = invoice.finalizes_at or invoice.created_at + timedelta(seconds=2)
    if issued_at > company.as_of:
        return
    invoice.status, invoice.issued_at = "open", issued_at
    if invoice.total <= invoice.credits_applied:
        _paid(company, invoice, issued_at)
    elif (subscription := company.subscriptions[invoice.subscription_id]).collection_method == "send_invoice":
        invoice.due_at = issued_at + PAYMENT_TERM
        _pay(company, invoice, issued_at + patience)
    else:
        charge(company, invoice, int(unlucky and subscription.ended_at is None), reason)


def recharge(company: Company, invoice: Invoice, failures: int, reason: str) -> list[Payment]:
    """Charge an invoice again as if its payments had not been; the new payments."""
    company.payments = [payment for payment in company.payments if payment.invoice_id != invoice.invoice_id]
    invoice.status, invoice.paid_at, invoice.amount_paid = "open", None, ZERO
    invoice.next_attempt_at = None
    charge(company, invoice, failures, reason)
    subscription = company.subscriptions[invoice.subscription_id]
    if invoice.status == "open" and subscription.status == "active":
        subscription.status = "past_due"
    return [payment for payment in company.payments if payment.invoice_id == invoice.invoice_id]


def _void(invoice: Invoice) -> None:
    invoice.status, invoice.issued_at, invoice.amount_due = "void", invoice.finalizes_at, ZERO


def charge(company: Company, invoice: Invoice, failures: int, reason: str) -> None:
    """Charge the card for an issued invoice: `failures` attempts fail, the next one succeeds if its time has come.

    After four failures there is no next one.
    """
    assert invoice.issued_at is not None, f"{invoice.invoice_id} is not issued yet"
    at = invoice.issued_at + timedelta(seconds=4)
    for attempt in range(failures):
        invoice.attempt_count = attempt + 1
        _payment(company, invoice, _owed(company, invoice, at), at, "failed", reason)
        if attempt == len(RETRY_AFTER):
            invoice.amount_due = _owed(company, invoice, company.as_of)
            return
        at += RETRY_AFTER[attempt]
        if at > company.as_of:
            invoice.next_attempt_at = at
            invoice.amount_due = _owed(company, invoice, company.as_of)
            return
    invoice.attempt_count = failures + 1
    _pay(company, invoice, at)


def _pay(company: Company, invoice: Invoice, at: datetime) -> None:
    """Pay what is owed at that time; leave the invoice open if it lies ahead."""
    if at > company.as_of:
        invoice.amount_due = _owed(company, invoice, company.as_of)
        return
    amount = _owed(company, invoice, at)
    payment = _payment(company, invoice, amount, at, "succeeded")
    payment.amount_refunded = _noted(company, invoice, company.as_of) - _noted(company, invoice, at)
    invoice.amount_paid = amount
    _paid(company, invoice, at)


def _paid(company: Company, invoice: Invoice, at: datetime) -> None:
    invoice.status, invoice.paid_at, invoice.amount_due = "paid", at, ZERO


def _owed(company: Company, invoice: Invoice, at: datetime) -> Decimal:
    return max(invoice.total - invoice.credits_applied - _noted(company, invoice, at), ZERO)


def _noted(company: Company, invoice: Invoice, until: datetime) -> Decimal:
    """What credit notes issued by then take off the invoice."""
    notes = company.notes_on(invoice.invoice_id)
    return sum((note.amount for note in notes if note.status == "issued" and note.created_at <= until), ZERO)


def _payment(
    company: Company, invoice: Invoice, amount: Decimal, at: datetime, status: str, reason: str | None = None
) -> Payment:
    payment = Payment(
        company.new_id("py"),
        invoice.invoice_id,
        invoice.customer_id,
        invoice.currency,
        amount,
        status,
        at,
        failure_code=reason,
        idempotency_key=f"{invoice.invoice_id}/{invoice.attempt_count}",
    )
    company.payments.append(payment)
    return payment


def number_invoices(company: Company) -> list[Invoice]:
    """Number the issued invoices in the order of their issue, without a hole; these invoices."""
    issued = [invoice for invoice in company.invoices.values() if invoice.issued_at is not None]
    issued.sort(key=lambda invoice: (invoice.issued_at, invoice.invoice_id))
    for place, invoice in enumerate(issued, start=1):
        invoice.number = f"INV-{invoice.issued_at:%Y}-{place:06d}"
    return issued


def _number(company: Company) -> None:
    """Number the issued invoices, and mark subscriptions whose last charge failed."""
    for invoice in number_invoices(company):
        subscription = company.subscriptions[invoice.subscription_id]
        if invoice.status == "open" and invoice.attempt_count and subscription.status == "active":
            subscription.status = "past_due"
