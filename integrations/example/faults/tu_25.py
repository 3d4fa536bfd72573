"""TU-25, repriced without a move: a customer on the old version pays the new one's prices, and nobody agreed on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

import numpy as np

from integrations.example.candidates import spread
from integrations.example.catalogue import plan_id
from integrations.example.changes import first_subscription
from integrations.example.company import Company
from integrations.example.rebilling import set_amount
from integrations.example.records import Customer, Item, Line, Subscription
from integrations.example.stages import Stage
from integrations.example.truth import Fault
from integrations.example.versions import SECOND, amount_on_second, lines_since, renewals, second

CODE = "TU-25"
STAGE = Stage.LINES


def plant(company: Company, rng: np.random.Generator) -> Sequence[Fault]:
    """Exchange a subscription's items for those of the second version, or only charge its prices."""
    return spread(company, rng, CODE, _plant_on)


def _plant_on(company: Company, customer: Customer, place: int, rng: np.random.Generator) -> Fault | None:
    ends = renewals(company, customer)
    subscription = first_subscription(company, customer)
    lines = lines_since(company, subscription, ends[-1]) if ends else []
    if not lines or all(amount_on_second(company, line) == line.amount for line in lines):
        return None
    fault = Fault(
        CODE,
        ("plan", plan_id(SECOND, customer.currency)),
        customer.customer_id,
        customer.currency,
        f"charged as on the second version since {ends[-1]:%d %b %Y}, which nobody agreed on",
        ends[-1],
        max(line.period_end for line in lines),
    )
    if place % 2 == 0:
        _exchange(company, subscription, ends[-1])
    for line in lines:
        _reprice(company, fault, line, exchanged=place % 2 == 0)
    fault.shows("customer", [customer.customer_id])
    fault.shows("subscription", [subscription.subscription_id])
    return fault


def _reprice(company: Company, fault: Fault, line: Line, *, exchanged: bool) -> None:
    wrong = amount_on_second(company, line)
    off = wrong - line.amount
    if off:
        fault.over += max(off, Decimal(0))
        fault.under += max(-off, Decimal(0))
        fault.affects("invoice_line", [line.line_id])
        fault.affects("invoice", [line.invoice_id])
    price = second(company, line)
    set_amount(company, line, wrong)
    if line.unit_amount is not None:
        line.unit_amount = price.unit_amount
    if exchanged:
        items = company.items_of(line.subscription_id)
        line.price_id = price.price_id
        line.item_id = next(each.item_id for each in items if each.price_id == price.price_id)


def _exchange(company: Company, subscription: Subscription, at: datetime) -> None:
    """End the items of the first version and put those of the second in their place, with what is recorded for them."""
    for item in [each for each in company.items_of(subscription.subscription_id) if each.active_to is None]:
        price_id = item.price_id.replace("growth_v1_m", SECOND.slug)
        new: Item = company.add_item(replace(item, item_id=company.new_id("si"), price_id=price_id, active_from=at))
        item.active_to = at
        for record in company.reported:
            if record.item_id == item.item_id and record.period_start >= at:
                record.item_id = new.item_id
    subscription.plan_id = plan_id(SECOND, subscription.currency)
