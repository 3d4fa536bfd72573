"""TU-17, aggregation misuse: the numbers of single days of a gauge are added up and billed as the period's."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np

from billing.periods import Period
from integrations.example.candidates import some_in_drafts, usage_line, whole_periods
from integrations.example.company import Company
from integrations.example.rebilling import set_usage
from integrations.example.records import Customer, Item
from integrations.example.reporting import records_within
from integrations.example.stages import Stage
from integrations.example.streams import Stream
from integrations.example.terms import usage_amount
from integrations.example.truth import Fault

CODE = "TU-17"
STAGE = Stage.LINES

_DAY = timedelta(days=1)


def plant(company: Company, rng: np.random.Generator) -> Sequence[Fault]:
    """Record and bill the sum of a period's daily peaks, or of the users of each day."""
    return some_in_drafts(company, rng, CODE, _plant_on)


def _plant_on(company: Company, customer: Customer, place: int, rng: np.random.Generator) -> Fault | None:
    for item in company.customer_items(customer.customer_id):
        if not _is_gauge(company, item) or item.active_to is not None:
            continue
        for period in whole_periods(company, item)[-1:]:
            fault = _add_up(company, customer, item, period)
            if fault is not None:
                return fault
    return None


def _is_gauge(company: Company, item: Item) -> bool:
    price = company.price_of(item)
    return price.meter_id is not None and company.stream_of(item).aggregation in {"max", "unique_count"}


def _add_up(company: Company, customer: Customer, item: Item, period: Period) -> Fault | None:
    line, records = usage_line(company, item, period), records_within(company, item.item_id, period)
    stream = company.stream_of(item)
    right, summed = stream.quantity(period.start, period.end), _sum_of_days(stream, period)
    if line is None or [record.quantity for record in records] != [right]:
        return None
    if line.discount_amount and line.discount_amount == line.amount:
        return None  # who pays nothing for it loses nothing
    delta = usage_amount(company, item, period.start, summed) - usage_amount(company, item, period.start, right)
    if not delta or summed < right + 2:
        return None
    records[0].quantity = summed
    set_usage(company, line, summed)
    fault = Fault(
        CODE,
        ("meter", stream.meter_id),
        customer.customer_id,
        customer.currency,
        f"{summed.normalize():f}, the sum of the days, was billed for {right.normalize():f}",
        period.start,
        period.end,
        under=max(-delta, Decimal(0)),
        over=max(delta, Decimal(0)),
        windows=[(item.item_id, period.start, period.end)],
    )
    fault.affects("reported_usage", [records[0].record_id])
    return fault


def _sum_of_days(stream: Stream, period: Period) -> Decimal:
    """What the period's days (UTC) are when each is taken for itself, added up."""
    edges: list[datetime] = [period.start]
    midnight = period.start.replace(hour=0, minute=0, second=0, microsecond=0) + _DAY
    while midnight < period.end:
        edges.append(midnight)
        midnight += _DAY
    pairs = zip(edges, [*edges[1:], period.end], strict=True)
    return sum((stream.quantity(start, end) for start, end in pairs), Decimal(0))
