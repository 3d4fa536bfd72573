"""TU-21, counters not carried on: the second half of a split period is rated as if it were a period of its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from integrations.example.candidates import spread
from integrations.example.company import Company
from integrations.example.ending import involve_line
from integrations.example.picking import planned
from integrations.example.rebilling import amount_under, contract_price, set_amount, tolerance
from integrations.example.records import Customer, Item, Line
from integrations.example.splitting import middle, split_line, whole_lines
from integrations.example.stages import Stage
from integrations.example.terms import usage_amount
from integrations.example.truth import Fault

CODE = "TU-21"
STAGE = Stage.LINES
ANYWHERE = True


def plant(company: Company, rng: np.random.Generator) -> Sequence[Fault]:
    """Split a past period over two invoices, and let tiers, packages or free units begin anew on the second."""
    return spread(company, rng, CODE, _plant_on, max(2, planned(company)))


def _plant_on(company: Company, customer: Customer, place: int, rng: np.random.Generator) -> Fault | None:
    for item, line in whole_lines(company, customer):
        fault = _restart(company, item, line)
        if fault is not None:
            return fault
    return None


def _restart(company: Company, item: Item, line: Line) -> Fault | None:
    at = middle(company, item, line)
    if at is None:
        return None
    customer, stream = company.customer_of(item), company.stream_of(item)
    halves = (stream.quantity(line.period_start, at), stream.quantity(at, line.period_end))
    amounts = [usage_amount(company, item, line.period_start, half) for half in halves]
    delta = line.amount - sum(amounts)
    if abs(delta) <= 5 * tolerance(line.amount, customer.currency):
        return None
    start, end = line.period_start, line.period_end
    first, second = split_line(company, item, line, at)
    set_amount(company, second, amount_under(company, second, contract_price(company, second)))
    fault = Fault(
        CODE,
        ("price", item.price_id),
        customer.customer_id,
        customer.currency,
        f"billed in two halves at {at:%d %b %Y}, the second from the first unit on",
        start,
        end,
        under=max(delta, delta * 0),
        over=max(-delta, delta * 0),
    )
    involve_line(company, fault, second)
    fault.shows("invoice_line", [first.line_id])
    fault.shows("invoice", [first.invoice_id])
    return fault
