"""TU-10, event time skew: local time sent as UTC around the end of a period, or a clock that was set back a year."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from billing.periods import Period
from integrations.example.candidates import plain_events, spread, summed_items, whole_periods
from integrations.example.company import Company
from integrations.example.records import Customer, Item
from integrations.example.stages import Stage
from integrations.example.streams import VALUE_PLACES, Integers, Stream, to_micros
from integrations.example.terms import usage_amount
from integrations.example.truth import Fault

CODE = "TU-10"
STAGE = Stage.USAGE
ANYWHERE = True

_HOUR = 3_600_000_000
_AHEAD = 9 * _HOUR
_BACK = 397 * 24 * _HOUR


def plant(company: Company, rng: np.random.Generator) -> Sequence[Fault]:
    """Move the times of the last hours' events of a period into the next one, or of a few into another year."""
    return spread(company, rng, CODE, _plant_on)


def _plant_on(company: Company, customer: Customer, place: int, rng: np.random.Generator) -> Fault | None:
    for item in summed_items(company, customer):
        whole, stream = whole_periods(company, item), company.stream_of(item)
        if len(whole) < 2:
            continue
        period = whole[-1]
        stream.drop_refused(period.start, period.end)
        chosen = _last_hours(stream, period) if place % 2 == 0 else _some(stream, period, rng)
        shift = _AHEAD if place % 2 == 0 else -_BACK
        fault = _skew(company, customer, item, period, chosen, shift) if len(chosen) >= 2 else None
        if fault is not None:
            return fault
    return None


def _last_hours(stream: Stream, period: Period) -> Integers:
    """The events of the last hours that also arrived within the period."""
    events = plain_events(stream, period.start, period.end)
    received = stream.events.received[events]
    end = to_micros(period.end)
    chosen: Integers = events[(received < end) & (stream.events.times[events] >= end - _AHEAD)]
    return chosen


def _some(stream: Stream, period: Period, rng: np.random.Generator) -> Integers:
    """A few events of the middle of the period, fewer than those that came in with them."""
    events = plain_events(stream, period.start, period.end)
    events = events[stream.events.subjects[events] == stream.events.subjects[events[0]]] if len(events) else events
    middle = events[len(events) // 4 : -len(events) // 4]
    chosen: Integers = middle[:: max(len(middle) // 6, 3)]
    return chosen


def _skew(
    company: Company, customer: Customer, item: Item, period: Period, chosen: Integers, shift: int
) -> Fault | None:
    right = usage_amount(company, item, period.start, company.stream_of(item).quantity(period.start, period.end))
    stream = company.stream_of(item)
    left = usage_amount(company, item, period.start, stream.quantity_without(period.start, period.end, chosen))
    if right == left:
        return None
    moved = int(stream.events.values[chosen].sum()) / 10**VALUE_PLACES
    ids = stream.event_ids(chosen)
    events = stream.events.where(chosen)
    stream.drop(chosen)
    stream.add(replace(events, times=events.times + shift))
    fault = Fault(
        CODE,
        ("source", stream.source),
        customer.customer_id,
        customer.currency,
        f"the times of {len(ids)} events from {stream.source}, {moved:,.0f} units, are {shift // _HOUR:+d} hours off",
        period.start,
        period.end,
        exposure=abs(right - left),
        windows=[(item.item_id, period.start, period.end)],
    )
    fault.affects("usage_event", ids)
    return fault
