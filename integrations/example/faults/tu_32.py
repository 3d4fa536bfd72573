"""TU-32, wrong discount: one that was agreed and lost, or two whose percentages were added up."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

import numpy as np

from billing.money import round_money
from integrations.example.candidates import some_in_drafts, whole_periods
from integrations.example.company import Company
from integrations.example.discounting import charged_from, discount_lines
from integrations.example.records import Customer, Discount, Item
from integrations.example.stages import Stage
from integrations.example.truth import Fault

CODE = "TU-32"
STAGE = Stage.LINES
ANYWHERE = True


def plant(company: Company, rng: np.random.Generator) -> Sequence[Fault]:
    """Agree on one discount and give none, or on two and give their sum, from a past period on."""
    return some_in_drafts(company, rng, CODE, _plant_on)


def _plant_on(company: Company, customer: Customer, place: int, rng: np.random.Generator) -> Fault | None:
    for item in company.customer_items(customer.customer_id):
        periods = whole_periods(company, item)
        since = periods[-2].start if len(periods) > 3 else None
        if since is not None and charged_from(company, item, since):
            return (_lose if place % 2 == 0 else _add_up)(company, customer, item, since)
    return None


def _agree(company: Company, item: Item, percent: int, since: datetime) -> Discount:
    discount = Discount(company.new_id("di"), "percent", Decimal(percent), since, item_id=item.item_id)
    company.add_discount(discount)
    return discount


def _lose(company: Company, customer: Customer, item: Item, since: datetime) -> Fault:
    lines = charged_from(company, item, since)
    discount = _agree(company, item, 12, since)
    fault = _fault(customer, discount, f"a discount agreed from {since:%d %b %Y} on is not given")
    for line in lines:
        fault.over += round_money(line.amount * discount.value / 100, customer.currency)
        fault.affects("invoice_line", [line.line_id])
        fault.affects("invoice", [line.invoice_id])
    return fault


def _add_up(company: Company, customer: Customer, item: Item, since: datetime) -> Fault:
    lines = charged_from(company, item, since)
    first, second = sorted(
        (_agree(company, item, percent, since) for percent in (30, 20)), key=lambda each: each.discount_id
    )
    discount_lines(company, item, first, since)
    fault = _fault(customer, first, "two percentages are added up")
    for line in lines:
        wrong = round_money(line.amount * (first.value + second.value) / 100, customer.currency)
        fault.under += wrong - line.discount_amount
        line.discount_amount = wrong
        fault.affects("invoice_line", [line.line_id])
        fault.affects("invoice", [line.invoice_id])
    fault.shows("discount", [second.discount_id])
    return fault


def _fault(customer: Customer, discount: Discount, note: str) -> Fault:
    return Fault(
        CODE,
        ("discount", discount.discount_id),
        customer.customer_id,
        customer.currency,
        note,
        discount.starts_at,
    )
