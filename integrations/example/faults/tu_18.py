"""TU-18, negative usage: refunds sent as usage, and a counter that restarted and was read as a step back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import numpy as np

from integrations.example.candidates import plain_events, spread, summed_items, whole_periods
from integrations.example.company import Company
from integrations.example.records import Customer
from integrations.example.stages import Stage
from integrations.example.streams import ACCEPTED, Events, Integers, Stream
from integrations.example.terms import usage_amount
from integrations.example.truth import Fault

CODE = "TU-18"
STAGE = Stage.USAGE
ANYWHERE = True

_HOUR = 3_600_000_000
_EDGE = timedelta(days=3)


def plant(company: Company, rng: np.random.Generator) -> Sequence[Fault]:
    """Take usage off by negative events that are no corrections; they are metered and billed."""
    return spread(company, rng, CODE, _plant_on)


def _plant_on(company: Company, customer: Customer, place: int, rng: np.random.Generator) -> Fault | None:
    for item in summed_items(company, customer):
        whole, stream = whole_periods(company, item), company.stream_of(item)
        inside = (
            plain_events(stream, whole[-1].start + _EDGE, whole[-1].end - _EDGE) if whole else np.empty(0, np.int64)
        )
        if len(inside) < 20:
            continue
        period = whole[-1]
        before = usage_amount(company, item, period.start, stream.quantity(period.start, period.end))
        negative = _refunds(stream, inside, rng) if place % 2 == 0 else _restart(stream, inside, rng)
        stream.add(negative)
        under = before - usage_amount(company, item, period.start, stream.quantity(period.start, period.end))
        added: Integers = np.flatnonzero(np.isin(stream.events.keys, negative.keys))
        if under <= 0:
            stream.drop(added)
            continue
        fault = Fault(
            CODE,
            ("source", stream.source),
            customer.customer_id,
            customer.currency,
            f"{len(added)} events from {stream.source} take usage off that was used",
            period.start,
            period.end,
            under=under,
            windows=[(item.item_id, period.start, period.end)],
        )
        fault.affects("usage_event", stream.event_ids(added))
        return fault
    return None


def _refunds(stream: Stream, inside: Integers, rng: np.random.Generator) -> Events:
    """Four events of the period taken back, without a word that they are corrections."""
    taken = stream.events.where(np.sort(rng.choice(inside, 4, replace=False)))
    return _negative(stream, taken, taken.values)


def _restart(stream: Stream, inside: Integers, rng: np.random.Generator) -> Events:
    """One event that takes off what a counter had reached over ten events before it restarted."""
    last = int(rng.integers(12, len(inside)))
    reached = stream.events.values[inside[last - 10 : last]].sum()
    return _negative(stream, stream.events.where(inside[last : last + 1]), np.array([reached]))


def _negative(stream: Stream, like: Events, values: Integers) -> Events:
    return Events(
        like.times + _HOUR,
        -values,
        like.received + _HOUR,
        np.full(len(like), ACCEPTED),
        stream.new_keys(len(like)),
        like.properties,
        like.subjects,
    )
