"""TU-07, a usage drop: a part of a customer's senders failed for six days, and a quarter of the usual is left."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np

from integrations.example.candidates import (
    DAY,
    daily_totals,
    plain_events,
    some_days,
    spread,
    summed_items,
    usual,
    whole_periods,
)
from integrations.example.catalogue import in_dollars
from integrations.example.company import Company
from integrations.example.records import Customer, Item
from integrations.example.stages import Stage
from integrations.example.streams import VALUE_PLACES, Stream
from integrations.example.terms import usage_amount
from integrations.example.truth import Fault

CODE = "TU-07"
STAGE = Stage.USAGE

_DAYS = 6
_LEFT = 5
_HISTORY = timedelta(days=120)
_RECENT = timedelta(days=45)
_LEAST = 80
_STEADY = 0.06


def plant(company: Company, rng: np.random.Generator) -> Sequence[Fault]:
    """Leave a fifth of the usage of six days of a steady customer, where that moves money."""
    return spread(company, rng, CODE, _plant_on)


def _plant_on(company: Company, customer: Customer, place: int, rng: np.random.Generator) -> Fault | None:
    if company.told.get(customer.customer_id) is not None:
        return None
    for item in summed_items(company, customer):
        for period in whole_periods(company, item)[-1:]:
            if period.start - _HISTORY < item.active_from:
                continue
            days = some_days(period, company.as_of, _DAYS, rng)
            if days and days[0] > company.as_of - _RECENT and _is_plain(company.stream_of(item), days):
                fault = _drop(company, customer, item, days)
                if fault is not None:
                    return fault
    return None


def _is_plain(stream: Stream, days: list[datetime]) -> bool:
    """Whether the days are like the same weekdays before, which hardly differ, and none of the year's end."""
    if any((day.month, day.day) > (12, 19) or (day.month, day.day) < (1, 7) for day in days):
        return False
    for day in days:
        middle = usual(stream, day)
        weeks = [int(total) for total in daily_totals(stream, day - 56 * DAY, 56)[::7]]
        off = sorted(abs(total - middle) for total in weeks)
        if (
            not middle
            or (off[3] + off[4]) / 2 > Decimal(_STEADY) * middle
            or _day(stream, day) > Decimal("1.2") * middle
        ):
            return False
    return True


def _drop(company: Company, customer: Customer, item: Item, days: list[datetime]) -> Fault | None:
    stream, period = company.stream_of(item), whole_periods(company, item)[-1]
    events = np.concatenate([plain_events(stream, day, day + DAY) for day in days])
    kept = stream.events.values[events].copy()
    stream.put(events, values=np.maximum(kept // (1000 * _LEFT), 1) * 1000)
    missing = sum((usual(stream, day) - _day(stream, day) for day in days), Decimal(0)).scaleb(-VALUE_PLACES)
    metered = stream.quantity(period.start, period.end)
    charged = usage_amount(company, item, period.start, metered)
    under = usage_amount(company, item, period.start, metered + missing) - charged
    if in_dollars(under, customer.currency) < _LEAST:
        stream.put(events, values=kept)
        return None
    return Fault(
        CODE,
        ("source", stream.source),
        customer.customer_id,
        customer.currency,
        f"a fifth of the usual usage from {days[0]:%d %b %Y} on, for {_DAYS} days",
        period.start,
        period.end,
        under=under,
        windows=[(item.item_id, period.start, period.end)],
    )


def _day(stream: Stream, day: datetime) -> Decimal:
    return Decimal(int(daily_totals(stream, day, 1)[0]))
