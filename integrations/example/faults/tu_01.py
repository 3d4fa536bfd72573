"""TU-01, duplicate usage events: a producer that retried under new ids sent many events of some days twice."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np

from billing.periods import Period
from integrations.example.candidates import (
    DAY,
    days_inside,
    plain_events,
    some_days,
    spread,
    summed_items,
    whole_periods,
)
from integrations.example.company import Company
from integrations.example.records import Customer, Item
from integrations.example.stages import Stage
from integrations.example.streams import Events, Integers, Stream
from integrations.example.terms import stretches, usage_amount
from integrations.example.truth import Fault

CODE = "TU-01"
STAGE = Stage.USAGE
ANYWHERE = True

_HISTORY = timedelta(days=110)
_COPIED = 0.45


def plant(company: Company, rng: np.random.Generator) -> Sequence[Fault]:
    """Copy nearly half of the events of two or three days; they are metered, recorded and billed like the others."""
    return spread(company, rng, CODE, _plant_on)


def _plant_on(company: Company, customer: Customer, place: int, rng: np.random.Generator) -> Fault | None:
    for item in summed_items(company, customer):
        stream, period = company.stream_of(item), _period(company, item, place)
        if period is None or period.start - _HISTORY < company.subscription_of(item).started_at:
            continue
        days = some_days(period, company.as_of, 2 + place % 2, rng)
        chosen = _chosen(stream, days, rng)
        if len(chosen) < 5:
            continue
        before = usage_amount(company, item, period.start, stream.quantity(period.start, period.end))
        originals = stream.event_ids(chosen)
        copies = _copy(stream, chosen, rng)
        over = usage_amount(company, item, period.start, stream.quantity(period.start, period.end)) - before
        if over <= 0:
            stream.drop(_positions(stream, copies))
            continue
        fault = Fault(
            CODE,
            ("source", stream.source),
            customer.customer_id,
            customer.currency,
            f"{len(chosen)} events from {stream.source} were sent again under new ids within minutes",
            period.start,
            period.end,
            over=over,
            windows=[(item.item_id, period.start, period.end)],
        )
        fault.affects("usage_event", stream.event_ids(_positions(stream, copies)))
        fault.shows("usage_event", originals)
        return fault
    return None


def _period(company: Company, item: Item, place: int) -> Period | None:
    """The period that ended last, an older one, or the open one, in turn."""
    whole = whole_periods(company, item)
    if len(whole) < 3:
        return None
    full, active = stretches(company, item)[-1]
    if place % 3 == 2 and full.end > company.as_of and len(days_inside(full, company.as_of)) > 4:
        return active
    return whole[-1] if place % 3 == 0 else whole[-3]


def _chosen(stream: Stream, days: list[datetime], rng: np.random.Generator) -> Integers:
    if not days:
        return np.empty(0, dtype=np.int64)
    events = np.concatenate([plain_events(stream, day, day + DAY) for day in days])
    chosen: Integers = events[rng.random(len(events)) < _COPIED]
    return chosen


def _copy(stream: Stream, chosen: Integers, rng: np.random.Generator) -> Events:
    originals = stream.events.where(chosen)
    retried = originals.received + rng.integers(2_000_000, 600_000_000, len(chosen))
    copies = Events(
        originals.times,
        originals.values,
        retried,
        originals.status,
        stream.new_keys(len(chosen)),
        originals.properties,
        originals.subjects,
    )
    stream.add(copies)
    return copies


def _positions(stream: Stream, events: Events) -> Integers:
    found: Integers = np.flatnonzero(np.isin(stream.events.keys, events.keys))
    return found
