"""The records of one invoice: what it states itself, what its lines add up to, and its credit notes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from billing.money import MINOR_DIGITS
from detector.line_records import Books, Row, UnknownRecordError


class UnknownInvoiceError(UnknownRecordError):
    """The books hold no such invoice, or several."""


@dataclass(frozen=True)
class Invoice:
    """An invoice as it states itself; amounts in major units of its currency."""

    integration: str
    invoice_id: str
    number: str | None
    status: str
    customer_id: str
    customer_name: str | None
    currency: str
    period_start: datetime | None
    period_end: datetime | None
    paid_at: datetime | None
    subtotal: Decimal
    discount_total: Decimal
    tax_total: Decimal
    total: Decimal
    credits_applied: Decimal
    amount_paid: Decimal
    amount_due: Decimal


@dataclass(frozen=True)
class LineSums:
    """The lines of an invoice added up.

    `tax_inside`: the tax of lines whose price includes it; `any_inclusive`: whether there is such a line; `fractions`:
    whether a line holds a part of a minor unit, so that sums may be rounded.
    """

    lines: int
    amount: Decimal
    discount: Decimal
    tax: Decimal
    tax_inside: Decimal
    any_inclusive: bool
    fractions: bool


@dataclass(frozen=True)
class Notes:
    """The credit notes of an invoice and its lines: all that were issued, and those from before it was paid."""

    issued: Decimal
    before_payment: Decimal


_INVOICE = """
SELECT i.integration, i.invoice_id, i.number, i.status, i.customer_id, c.name AS customer_name, i.currency,
    i.period_start, i.period_end, i.paid_at, i.subtotal, i.discount_total, i.tax_total, i.total, i.credits_applied,
    i.amount_paid, i.amount_due
FROM books.invoices AS i
LEFT JOIN books.customers AS c ON c.integration = i.integration AND c.customer_id = i.customer_id
WHERE i.created_at <= $as_of AND i.invoice_id = $invoice
ORDER BY i.integration"""

_SUMS = """
SELECT count(*) AS lines, coalesce(sum(l.amount), 0) AS amount, coalesce(sum(l.discount_amount), 0) AS discount,
    coalesce(sum(l.tax_amount), 0) AS tax,
    coalesce(sum(l.tax_amount) FILTER (p.tax_behavior = 'inclusive'), 0) AS tax_inside,
    coalesce(bool_or(p.tax_behavior = 'inclusive'), FALSE) AS any_inclusive,
    coalesce(bool_or(round(l.amount, $digits) <> l.amount OR round(l.discount_amount, $digits) <> l.discount_amount
        OR round(l.tax_amount, $digits) <> l.tax_amount), FALSE) AS fractions
FROM books.invoice_lines AS l
LEFT JOIN books.prices AS p ON p.integration = l.integration AND p.price_id = l.price_id
WHERE l.integration = $integration AND l.invoice_id = $invoice"""

_NOTES = """
SELECT coalesce(sum(amount), 0) AS issued,
    coalesce(sum(amount) FILTER (created_at <= coalesce(CAST($paid_at AS TIMESTAMP), $as_of)), 0) AS before_payment
FROM books.credit_notes
WHERE integration = $integration AND invoice_id = $invoice AND status = 'issued' AND created_at <= $as_of"""


def invoices_named(books: Books, invoice_id: str, integration: str | None = None) -> list[Invoice]:
    """The invoices of that id, one of each integration that has one."""
    found = [Invoice(**row) for row in books.rows(_INVOICE, invoice=invoice_id)]
    return [invoice for invoice in found if integration in (None, invoice.integration)]


def find_invoice(books: Books, invoice_id: str, integration: str | None = None) -> Invoice:
    """The invoice of that id. Raises UnknownInvoiceError when there is none, or more than one integration has one."""
    found = invoices_named(books, invoice_id, integration)
    if not found:
        of = f" of {integration}" if integration else ""
        raise UnknownInvoiceError(
            f"The books{of} hold no invoice {invoice_id!r} as of {books.as_of:%Y-%m-%d %H:%M} UTC; "
            "check the id, or import or sync it first."
        )
    if len(found) > 1:
        sources = ", ".join(invoice.integration for invoice in found)
        raise UnknownInvoiceError(
            f"Several integrations hold an invoice {invoice_id!r} ({sources}); say which one is meant."
        )
    return found[0]


def sums_of(books: Books, invoice: Invoice) -> LineSums:
    """The invoice's lines added up."""
    digits = MINOR_DIGITS.get(invoice.currency, 4)
    return LineSums(**books.rows(_SUMS, digits=digits, **_key(invoice))[0])


def notes_of(books: Books, invoice: Invoice) -> Notes:
    """The credit notes issued for the invoice or its lines."""
    return Notes(**books.rows(_NOTES, paid_at=invoice.paid_at, **_key(invoice))[0])


def _key(invoice: Invoice) -> Row:
    return {"integration": invoice.integration, "invoice": invoice.invoice_id}
