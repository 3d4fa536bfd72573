"""TU-27, minimum spend: the commitment was left out, or charged on the first part of a period that was split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
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

CODE = "TU-27"
STAGE = Stage.LINES
ANYWHERE = True

_MORE = Decimal("1.25")


def plant(company: Company, rng: np.random.Generator) -> Sequence[Fault]:
    """Agree on a minimum above a past period's usage and leave it out; or add it before the second half came."""
    return spread(company, rng, CODE, _plant_on, max(2, planned(company)))


def _plant_on(company: Company, customer: Customer, place: int, rng: np.random.Generator) -> Fault | None:
    for item, line in whole_lines(company, customer):
        at = middle(company, item, line) if line.amount > 20 else None
        if at is not None:
            return _too_early(company, item, line, at) if place % 2 else _left_out(company, item, line)
    return None


def _left_out(company: Company, item: Item, line: Line) -> Fault:
    """A minimum a quarter above the period's usage, and no line that raises the invoice to it."""
    minimum = round_money(line.amount * _MORE, company.customer_of(item).currency)
    fault = _agree(company, item, line, minimum, "and nothing was added to reach it")
    fault.under = minimum - line.amount
    involve_line(company, fault, line)
    return fault


def _too_early(company: Company, item: Item, line: Line, at: datetime) -> Fault:
    """The period is billed in two halves, the first of which is raised to a minimum that both together reach."""
    total = line.amount
    fault = _agree(company, item, line, total, "and the first half of the period was raised to it")
    first, second = split_line(company, item, line, at)
    early = replace(first, line_id=company.new_id("il"), kind="commitment", amount=total - first.amount)
    early.raw_quantity = early.quantity = early.unit_amount = None
    early.discount_amount = Decimal(0)
    company.add_line(early)
    fault.over = early.amount
    for each in (early, first, second):
        involve_line(company, fault, each)
    return fault


def _agree(company: Company, item: Item, line: Line, minimum: Decimal, what: str) -> Fault:
    customer = company.customer_of(item)
    company.add_override(
        Override(
            company.new_id("po"),
            customer.customer_id,
            item.price_id,
            line.period_start,
            line.period_end,
            minimum_amount=minimum,
        )
    )
    return Fault(
        CODE,
        ("price", item.price_id),
        customer.customer_id,
        customer.currency,
        f"a minimum of {minimum.normalize():f} was agreed, {what}",
        line.period_start,
        line.period_end,
    )
