"""Changes of lines and invoices that are billed and not yet totalled: another amount, another quantity, a copy."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from billing.discounts import deductions
from billing.money import minor_unit
from billing.prices import Price
from billing.rating import rate
from integrations.example.company import Company
from integrations.example.invoicing import DRAFT_FOR
from integrations.example.records import CreditNote, Invoice, Item, Line
from integrations.example.terms import amount_of, discounts_at, price_at, usage_charge


def item_of(company: Company, line: Line) -> Item:
    """The line's item. Raises KeyError for a line without one."""
    return company.items[line.item_id or ""]


def set_amount(company: Company, line: Line, amount: Decimal) -> None:
    """Bill another amount, discounted as the contract says."""
    line.amount = amount
    given = discounts_at(company, item_of(company, line), line.period_start)
    currency = company.invoices[line.invoice_id].currency
    line.discount_amount = sum((each.amount for each in deductions(amount, currency, given)), Decimal(0))


def set_usage(company: Company, line: Line, raw_quantity: Decimal) -> None:
    """Bill another metered quantity at the right price."""
    rating = usage_charge(company, item_of(company, line), line.period_start, raw_quantity)
    line.raw_quantity, line.quantity = raw_quantity, rating.quantity
    set_amount(company, line, amount_of(rating))


def amount_under(company: Company, line: Line, price: Price) -> Decimal:
    """What the line's quantity would cost under another price."""
    quantity = line.quantity if line.raw_quantity is None else line.raw_quantity
    return amount_of(rate(price, quantity))


def contract_price(company: Company, line: Line) -> Price:
    """The price that holds for the line."""
    return price_at(company, item_of(company, line), line.period_start)


def tolerance(amount: Decimal, currency: str) -> Decimal:
    """What two amounts may differ by and be called equal: a minor unit, or 0.01 % (rating.md, "Difference")."""
    return max(minor_unit(currency), abs(amount) / 10_000)


def copy_line(company: Company, line: Line, invoice: Invoice) -> Line:
    """The line once more, on that invoice."""
    return company.add_line(replace(line, line_id=company.new_id("il"), invoice_id=invoice.invoice_id))


def copy_invoice(company: Company, invoice: Invoice, created_at: datetime) -> Invoice:
    """The invoice once more with all its lines, made at another time."""
    copy = company.add_invoice(
        replace(
            invoice,
            invoice_id=company.new_id("in"),
            created_at=created_at,
            finalizes_at=created_at + DRAFT_FOR if invoice.finalizes_at else None,
        )
    )
    for line in company.lines_of(invoice.invoice_id):
        copy_line(company, line, copy)
    return copy


def credit(
    company: Company, invoice: Invoice, line: Line | None, amount: Decimal, reason: str, after: timedelta
) -> CreditNote:
    """Issue a credit note for a line, or for the invoice as a whole, that long after the invoice became final."""
    note = CreditNote(
        company.new_id("cn"),
        invoice.invoice_id,
        line.line_id if line else None,
        invoice.customer_id,
        invoice.currency,
        amount,
        reason,
        (invoice.finalizes_at or invoice.created_at) + after,
    )
    company.add_note(note)
    return note


def age(company: Company, invoice: Invoice) -> timedelta:
    """How long before `as_of` the invoice becomes final; negative while it is a draft."""
    return company.as_of - (invoice.finalizes_at or invoice.created_at)
