"""TU-28, maximum spend exceeded: an agreed maximum was lost, or counted anew on each half of a split period."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import numpy as np

from billing.money import round_money
from integrations.example.candidates import spread
from integrations.example.company import Company
from integrations.example.ending import involve_line
from integrations.example.picking import planned
from integrations.example.records import Customer, Item, Line, Override
from integrations.example.splitting import middle, split_line, whole_lines
from integrations.example.stages import Stage
from integrations.example.truth import Fault

CODE = "TU-28"
STAGE = Stage.LINES
ANYWHERE = True

_PART = Decimal("0.8")


def plant(company: Company, rng: np.random.Generator) -> Sequence[Fault]:
    """Agree on a maximum below what past periods cost, and leave the lines at what they were."""
    return spread(company, rng, CODE, _plant_on, max(2, planned(company)))


def _plant_on(company: Company, customer: Customer, place: int, rng: np.random.Generator) -> Fault | None:
    for item, line in whole_lines(company, customer):
        at = middle(company, item, line) if line.amount > 20 else None
        if at is not None:
            return _exceed(company, item, line, split_line(company, item, line, at) if place % 2 else [line])
    return None


def _exceed(company: Company, item: Item, line: Line, lines: Sequence[Line]) -> Fault:
    customer = company.customer_of(item)
    start, end = lines[0].period_start, line.period_end
    billed = sum((each.amount for each in lines), Decimal(0))
    maximum = round_money(billed * _PART, customer.currency)
    company.add_override(
        Override(company.new_id("po"), customer.customer_id, item.price_id, start, end, maximum_amount=maximum)
    )
    fault = Fault(
        CODE,
        ("price", item.price_id),
        customer.customer_id,
        customer.currency,
        f"a maximum of {maximum.normalize():f} was agreed and {billed.normalize():f} billed on {len(lines)} lines",
        start,
        end,
        over=billed - maximum,
    )
    involve_line(company, fault, line)
    fault.shows("invoice_line", [each.line_id for each in lines])
    fault.shows("invoice", [each.invoice_id for each in lines])
    return fault
