"""Discounts on lines that are billed already: given as the contract says, and after it says so no more."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from billing.money import round_money
from integrations.example.company import Company
from integrations.example.rebilling import set_amount
from integrations.example.records import Customer, Discount, Item, Line


def charged_from(company: Company, item: Item, since: datetime) -> list[Line]:
    """The item's lines of whole periods from `since` on; none where one is zero, credited, or discounted already."""
    lines = [
        line
        for line in company.lines.values()
        if line.item_id == item.item_id and line.period_start >= since and line.kind in {"usage", "recurring"}
    ]
    plain = all(
        line.amount > 10
        and not line.proration
        and not line.discount_amount
        and company.invoices[line.invoice_id].voided_at is None
        and not company.notes_on(line.invoice_id)
        for line in lines
    )
    minimum = company.price_of(item).minimum_amount is not None
    told = company.told.get(company.customer_of(item).customer_id)
    usual = told in {None, "second_product", "retry_succeeded"} and item.item_id not in company.billed_later
    return sorted(lines, key=lambda line: line.period_start) if plain and usual and not minimum else []


def bearable(company: Company, item: Item, customer: Customer) -> Decimal:
    """A fixed discount that every line of the item can bear."""
    lines = charged_from(company, item, company.opened)
    return max(round_money(min(line.amount for line in lines) / 10, customer.currency), Decimal(1))


def discount_lines(company: Company, item: Item, discount: Discount, since: datetime) -> list[Line]:
    """Discount all the item's lines from `since` on, also those after the discount's end, which are returned."""
    lines = charged_from(company, item, since)
    last = discount.ends_at
    discount.ends_at = None
    for line in lines:
        set_amount(company, line, line.amount)
    discount.ends_at = last
    return [line for line in lines if last is not None and line.period_start >= last]
