"""The records of one invoice: what it states itself, what its lines add up to, and its credit notes."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal

from billing.money import MINOR_DIGITS
from detector.line_records import Books, Line, OnInvoice, Row, UnknownRecordError, invoices
from detector.line_terms import Around

_NOTHING = Decimal(0)


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


_NOTES = """
SELECT line_id, amount, created_at FROM books.credit_notes
WHERE integration = $integration AND invoice_id = $invoice AND status = 'issued' AND created_at <= $as_of"""


def invoices_named(books: Books, invoice_id: str, integration: str | None = None) -> list[Invoice]:
    """The invoices of that id, one of each integration that has one."""
    names = [each.name for each in fields(Invoice)]
    found = [Invoice(**{name: row[name] for name in names}) for row in invoices(books, [invoice_id])]
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


def sums_of(around: Around, currency: str) -> LineSums:
    """The lines of an invoice added up, all of which `around` has."""
    lines, digits = around.lines, MINOR_DIGITS.get(currency, 4)
    inclusive = [line for line in lines if _tax_behavior(around, line) == "inclusive"]
    return LineSums(
        lines=len(lines),
        amount=sum((line.amount for line in lines), _NOTHING),
        discount=sum((line.discount_amount for line in lines), _NOTHING),
        tax=sum((line.tax_amount for line in lines), _NOTHING),
        tax_inside=sum((line.tax_amount for line in inclusive), _NOTHING),
        any_inclusive=bool(inclusive),
        fractions=any(
            amount.scaleb(digits) % 1
            for line in lines
            for amount in (line.amount, line.discount_amount, line.tax_amount)
        ),
    )


def _tax_behavior(around: Around, line: Line) -> object:
    price = None if line.price_id is None else around.price(line.price_id)
    return price[0]["tax_behavior"] if price else None


def credit_notes(books: Books, of: OnInvoice) -> list[Row]:
    """The credit notes issued for the invoice or a line of it: line_id (None: for the invoice), amount, created_at."""
    return books.rows(_NOTES, integration=of.integration, invoice=of.invoice_id)


def notes_of(books: Books, invoice: Invoice) -> Notes:
    """The credit notes issued for the invoice or its lines."""
    found, paid = credit_notes(books, invoice), invoice.paid_at or books.as_of
    before = (row["amount"] for row in found if row["created_at"] <= paid)
    return Notes(sum((row["amount"] for row in found), _NOTHING), sum(before, _NOTHING))
