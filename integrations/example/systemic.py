"""Faults of a price: one wrong setting in the billing system, and every line of every customer on it is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal

import numpy as np

from integrations.example.company import Company
from integrations.example.picking import prices_in_use
from integrations.example.records import Line, PriceRecord
from integrations.example.truth import Fault

Spoil = Callable[[Company, PriceRecord, int], Fault | None]
"""Spoils the lines of a price as fault number `int`, or returns None where the price does not lend itself to it."""


def spoilt_prices(company: Company, rng: np.random.Generator, code: str, wanted: int, spoil: Spoil) -> list[Fault]:
    """Faults on up to `wanted` prices whose customers have no other fault; a price of few customers serves best."""
    found: list[Fault] = []
    most = max(3, len(company.customers) // 12)
    for price, customers in prices_in_use(company, rng, code):
        if len(found) >= wanted:
            break
        taken = any(customer.customer_id in company.faulty for customer in customers)
        fault = spoil(company, price, len(found)) if len(customers) <= most and not taken else None
        if fault is not None:
            company.faulty.update(customer.customer_id for customer in customers)
            found.append(fault)
    return found


def lines_of_price(company: Company, price: PriceRecord, since: datetime) -> list[Line]:
    """The lines of whole periods that start at or after `since`, on invoices that are not void, oldest first."""
    found = [
        line
        for line in company.lines.values()
        if line.price_id == price.price_id
        and line.kind in {"usage", "recurring"}
        and not line.proration
        and line.period_start >= since
        and company.invoices[line.invoice_id].voided_at is None
    ]
    return sorted(found, key=lambda line: (line.period_start, line.line_id))


def total_delta(fault: Fault, changes: Iterable[tuple[Line, Decimal]]) -> None:
    """Sum what the lines are off, by what each is billed instead, and set the fault's period from theirs."""
    lines = list(changes)
    for line, wrong in lines:
        fault.under += max(line.amount - wrong, Decimal(0))
        fault.over += max(wrong - line.amount, Decimal(0))
    fault.period_start = min(line.period_start for line, _ in lines)
    fault.period_end = max(line.period_end for line, _ in lines)
