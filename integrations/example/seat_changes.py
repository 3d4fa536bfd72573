"""Seats added in a past mid-period of what is billed: the lines since then, the credit and charge for the rest."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

import numpy as np

from billing.periods import Period
from integrations.example.candidates import whole_periods
from integrations.example.catalogue import MONTHLY
from integrations.example.changes import change_seats, middle_of
from integrations.example.company import Company
from integrations.example.invoicing import description
from integrations.example.records import Customer, Item, Line
from integrations.example.terms import amount_of, charge


@dataclass(frozen=True)
class SeatChange:
    """A change in mid-period: the item before and after, the full period, and its two prorated lines."""

    old: Item
    new: Item
    period: Period
    at: datetime
    credit: Line
    charge: Line


def add_seats(company: Company, customer: Customer, rng: np.random.Generator) -> SeatChange | None:
    """Add seats in a past period of a customer without a story, billed rightly; None where it has no such item."""
    for item in company.customer_items(customer.customer_id):
        price = company.price_of(item)
        seats = item.quantity is not None and price.meter_id is None and price.model in {"per_unit", "flat"}
        monthly = price.cadence == MONTHLY and price.payment_term == "in_advance" and item.active_to is None
        if seats and monthly and customer.customer_id not in company.told:
            for period in whole_periods(company, item)[-2:-1]:
                after = _lines_from(company, item, period.end)
                if after and not any(company.notes_on(line.invoice_id) for line in after):
                    return _change(company, item, period, middle_of(period, rng), after)
    return None


def _lines_from(company: Company, item: Item, start: datetime) -> list[Line]:
    lines = [line for line in company.lines.values() if line.item_id == item.item_id and line.period_start >= start]
    return sorted(lines, key=lambda line: line.period_start)


def _change(company: Company, item: Item, period: Period, at: datetime, after: list[Line]) -> SeatChange:
    new = change_seats(company, item, (item.quantity or Decimal(0)) + 5, at)
    for line in after:
        full = Period(line.period_start, line.period_end)
        rating = charge(company, new, (full, full))
        line.item_id, line.quantity = new.item_id, new.quantity
        line.amount, line.discount_amount = amount_of(rating), rating.discount
    part = Period(at, period.end)
    unused, rest = charge(company, item, (period, part)), charge(company, new, (period, part))
    credit = _prorated(company, after[0], item, part, -amount_of(unused), Decimal(0))
    return SeatChange(
        item, new, period, at, credit, _prorated(company, after[0], new, part, amount_of(rest), rest.discount)
    )


def _prorated(company: Company, line: Line, item: Item, part: Period, amount: Decimal, discount: Decimal) -> Line:
    return company.add_line(
        replace(
            line,
            line_id=company.new_id("il"),
            item_id=item.item_id,
            description=description(company, item, part, "recurring", True),
            period_start=part.start,
            period_end=part.end,
            quantity=item.quantity,
            amount=amount,
            discount_amount=discount,
            proration=True,
        )
    )
