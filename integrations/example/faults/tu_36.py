"""TU-36, currency mismatch: an invoice made in another currency than its subscription, or a price of another one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from integrations.example.candidates import plain_invoices, some_in_drafts
from integrations.example.company import Company
from integrations.example.ending import involve_line
from integrations.example.picking import planned
from integrations.example.records import Customer, Invoice, Line
from integrations.example.stages import Stage
from integrations.example.truth import Fault

CODE = "TU-36"
STAGE = Stage.BOOKS
ANYWHERE = True

_OTHER = {"USD": "EUR", "EUR": "USD", "GBP": "EUR", "JPY": "USD", "KWD": "USD"}


def plant(company: Company, rng: np.random.Generator) -> Sequence[Fault]:
    """Make an invoice in another currency, or charge one of its lines by another currency's price."""
    return some_in_drafts(company, rng, CODE, _plant_on)


def _plant_on(company: Company, customer: Customer, place: int, rng: np.random.Generator) -> Fault | None:
    if customer.currency == "KWD" or company.habits[customer.customer_id].prepays:
        return None
    invoices = [each for each in plain_invoices(company, customer) if each.total > 0]
    if not invoices:
        return None
    invoice, other = invoices[-1], _OTHER[customer.currency]
    by_price = (place + planned(company)) % 2 == 0
    if by_price:
        lines = [_copied_price(company, company.lines_of(invoice.invoice_id)[-1], other)]
    else:
        lines = company.lines_of(invoice.invoice_id)
        _other_currency(company, invoice, other)
    fault = Fault(
        CODE,
        ("customer", customer.customer_id),
        customer.customer_id,
        invoice.currency,
        f"a price in {other} was copied to the subscription" if by_price else f"the invoice was made in {other}",
        invoice.period_start,
        invoice.period_end,
        exposure=invoice.total,
    )
    fault.affects("invoice", [invoice.invoice_id])
    for line in lines:
        involve_line(company, fault, line)
        fault.shows("price", [line.price_id or ""])
    return fault


def _other_currency(company: Company, invoice: Invoice, currency: str) -> None:
    invoice.currency = currency
    for payment in company.payments:
        if payment.invoice_id == invoice.invoice_id:
            payment.currency = currency


def _copied_price(company: Company, line: Line, currency: str) -> Line:
    """The line, charged by the same card's price in the other currency."""
    own = company.prices[line.price_id or ""]
    line.price_id = own.price_id.removesuffix(own.currency.lower()) + currency.lower()
    return line
