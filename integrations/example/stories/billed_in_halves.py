"""A customer near its limit is invoiced in mid-period: the second half goes on where the first one stopped."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from integrations.example.changes import on_plan
from integrations.example.company import Company
from integrations.example.picking import some, untold
from integrations.example.records import Customer, Item, Line
from integrations.example.splitting import middle, split_line, whole_lines
from integrations.example.stages import Stage
from integrations.example.truth import Lookalike

STAGE = Stage.LINES


def plant(company: Company, rng: np.random.Generator) -> Sequence[Lookalike]:
    """Bill one past period of a few customers' usage in two halves, on two invoices."""
    found = []
    for customer in untold(company, rng, some(company, 0.015), lambda each: _billed(company, each) is not None):
        item, line = _billed(company, customer) or (None, None)
        at = None if item is None or line is None else middle(company, item, line)
        if item is None or line is None or at is None:
            continue
        first, second = split_line(company, item, line, at)
        company.told[customer.customer_id] = "billed_in_halves"
        found.append(
            Lookalike(
                "a period billed in two halves",
                customer.customer_id,
                ("TU-02", "TU-19", "TU-20", "TU-21", "TU-22", "TU-23", "TU-26", "TU-27", "TU-28", "TU-40"),
                (("invoice_line", first.line_id), ("invoice_line", second.line_id)),
                "free units, tiers and packages carry on from the first half to the second",
            )
        )
    return found


def _billed(company: Company, customer: Customer) -> tuple[Item, Line] | None:
    """A usage line of a whole period that can be split."""
    if not on_plan(company, customer, "starter", "growth", "scale"):
        return None
    for item, line in whole_lines(company, customer):
        if line.amount > 20 and middle(company, item, line):
            return item, line
    return None
