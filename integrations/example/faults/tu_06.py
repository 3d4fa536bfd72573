"""TU-06, an unusual spike of usage: a client ran in a loop for three days, metered and billed as if it were real."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np

from billing.periods import Period
from integrations.example.candidates import (
    DAY,
    daily_totals,
    plain_events,
    some_days,
    spread,
    summed_items,
    usual,
)
from integrations.example.catalogue import in_dollars
from integrations.example.company import Company
from integrations.example.records import Customer, Item
from integrations.example.stages import Stage
from integrations.example.streams import VALUE_PLACES, Stream
from integrations.example.terms import stretches, usage_amount
from integrations.example.truth import Fault

CODE = "TU-06"
STAGE = Stage.USAGE

_TIMES = 8
_DAYS = 3
_HISTORY = timedelta(days=75)
_LEAST = 300
_RECENT = timedelta(days=55)
_PLAIN_STORIES = {None, "second_product", "prepaid_credits", "yearly_plan", "retry_succeeded", "goodwill"}


def plant(company: Company, rng: np.random.Generator) -> Sequence[Fault]:
    """Multiply the usage of three days by eight, where that moves money and stands out from all other customers."""
    return spread(company, rng, CODE, _plant_on)


def _plant_on(company: Company, customer: Customer, place: int, rng: np.random.Generator) -> Fault | None:
    if company.told.get(customer.customer_id) not in _PLAIN_STORIES:
        return None
    for item in summed_items(company, customer):
        chosen = _when(company, item, place, rng)
        if chosen is None:
            continue
        (period, days), stream = chosen, company.stream_of(item)
        exposure = _exposure(company, item, stream, period, days)
        for day in days:
            events = plain_events(stream, day, day + DAY)
            stream.put(events, values=stream.events.values[events] * _TIMES)
        fault = Fault(
            CODE,
            ("item", item.item_id),
            customer.customer_id,
            customer.currency,
            f"{_TIMES} times the usual usage from {days[0]:%d %b %Y} on, for {_DAYS} days",
            period.start,
            period.end,
            exposure=exposure,
            windows=[(item.item_id, period.start, period.end)],
        )
        fault.affects("item", [item.item_id])
        fault.shows("source", [stream.source])
        return fault
    return None


def _when(company: Company, item: Item, place: int, rng: np.random.Generator) -> tuple[Period, list[datetime]] | None:
    """Three days of the open period or of the ones before it, on which the spike stands out and moves money."""
    periods = [active for _, active in stretches(company, item)[-3:]]
    for period in periods[::-1] if place % 2 else [*periods[-2::-1], periods[-1]]:
        if period.start - _HISTORY < item.active_from:
            continue
        for days in (some_days(period, company.as_of, _DAYS, rng) for _ in range(3)):
            if days and not _dismissed(company, days) and _matters(company, item, period, days):
                return period, days
    return None


def _matters(company: Company, item: Item, period: Period, days: list[datetime]) -> bool:
    stream = company.stream_of(item)
    exposure = _exposure(company, item, stream, period, days)
    worth = in_dollars(exposure, company.price_of(item).currency) >= _LEAST
    return worth and _stands_out(company, stream, days)


def _dismissed(company: Company, days: list[datetime]) -> bool:
    """Whether the days are long past, or among the quiet ones at the year's end."""
    quiet = any((day.month, day.day) > (12, 19) or (day.month, day.day) < (1, 7) for day in days)
    return quiet or days[0] < company.as_of - _RECENT


def _stands_out(company: Company, stream: Stream, days: list[datetime]) -> bool:
    """Whether the spike would be most of the meter's change on each of its days."""
    for day in days:
        spike = float(_TIMES * int(daily_totals(stream, day, 1)[0]) - usual(stream, day))
        rest = sum(_change(other, day) for other in company.streams.values() if _beside(other, stream))
        if not 0 < spike + rest < spike / 0.6:
            return False
    return True


def _beside(other: Stream, stream: Stream) -> bool:
    return other.meter_id == stream.meter_id and other is not stream


def _change(stream: Stream, day: datetime) -> float:
    return float(int(daily_totals(stream, day, 1)[0]) - usual(stream, day))


def _exposure(company: Company, item: Item, stream: Stream, period: Period, days: list[datetime]) -> Decimal:
    """The period's charge with the spike, less the charge with those days as usual."""
    metered = stream.quantity(period.start, period.end)
    spiked = metered + sum((Decimal(_extra(stream, day)) for day in days), Decimal(0))
    off = sum(
        (_day(stream, day) + _extra(stream, day) - usual(stream, day).scaleb(-VALUE_PLACES) for day in days), Decimal(0)
    )
    charged = usage_amount(company, item, period.start, spiked)
    return charged - usage_amount(company, item, period.start, spiked - off)


def _day(stream: Stream, day: datetime) -> Decimal:
    return Decimal(int(daily_totals(stream, day, 1)[0])).scaleb(-VALUE_PLACES)


def _extra(stream: Stream, day: datetime) -> Decimal:
    """What the spike adds to a day."""
    events = plain_events(stream, day, day + DAY)
    return Decimal(int(stream.events.values[events].sum()) * (_TIMES - 1)).scaleb(-VALUE_PLACES)
