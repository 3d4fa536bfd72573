"""TU-31, discount past its end: the coupon was set up to last forever, and nobody took it off."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import numpy as np

from integrations.example.candidates import some_in_drafts, whole_periods
from integrations.example.company import Company
from integrations.example.discounting import bearable, charged_from, discount_lines
from integrations.example.records import Customer, Discount
from integrations.example.stages import Stage
from integrations.example.truth import Fault

CODE = "TU-31"
STAGE = Stage.LINES
ANYWHERE = True


def plant(company: Company, rng: np.random.Generator) -> Sequence[Fault]:
    """Give a discount on one item that has ended some periods ago, and go on giving it."""
    return some_in_drafts(company, rng, CODE, _plant_on)


def _plant_on(company: Company, customer: Customer, place: int, rng: np.random.Generator) -> Fault | None:
    for item in company.customer_items(customer.customer_id):
        periods = whole_periods(company, item)
        if len(periods) < 3 or not charged_from(company, item, periods[0].start):
            continue
        ended = periods[-1 - place % 2].start
        kind, value = ("percent", Decimal(15)) if place % 3 < 2 else ("amount", bearable(company, item, customer))
        discount = Discount(
            company.new_id("di"),
            kind,
            value,
            periods[0].start,
            ended,
            item_id=item.item_id,
            currency=customer.currency if kind == "amount" else None,
        )
        company.add_discount(discount)
        wrong = discount_lines(company, item, discount, periods[0].start)
        fault = Fault(
            CODE,
            ("discount", discount.discount_id),
            customer.customer_id,
            customer.currency,
            f"a discount that ended on {ended:%d %b %Y} is still given",
            wrong[0].period_start,
            wrong[-1].period_end,
            under=sum((line.discount_amount for line in wrong), Decimal(0)),
        )
        for line in wrong:
            fault.affects("invoice_line", [line.line_id])
            fault.affects("invoice", [line.invoice_id])
        fault.shows("customer", [customer.customer_id])
        fault.shows("item", [item.item_id])
        return fault
    return None
