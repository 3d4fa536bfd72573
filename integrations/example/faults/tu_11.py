"""TU-11, invalid events: a producer's new schema has no value any more, and some days' events cannot be read."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import numpy as np

from integrations.example.candidates import DAY, plain_events, some_days, spread, whole_periods
from integrations.example.company import Company
from integrations.example.records import Customer, Item
from integrations.example.stages import Stage
from integrations.example.streams import UNREADABLE, VALUE_PLACES, Integers, Stream
from integrations.example.terms import usage_amount
from integrations.example.truth import Fault

CODE = "TU-11"
STAGE = Stage.USAGE
ANYWHERE = True


def plant(company: Company, rng: np.random.Generator) -> Sequence[Fault]:
    """Make half of the events of three days unreadable, of meters that sum and of meters that count."""
    return spread(company, rng, CODE, _plant_on)


def _plant_on(company: Company, customer: Customer, place: int, rng: np.random.Generator) -> Fault | None:
    items = [item for item in company.customer_items(customer.customer_id) if _adds_up(company, item)]
    for item in items[:: 1 if place % 2 else -1]:
        whole, stream = whole_periods(company, item), company.stream_of(item)
        days = some_days(whole[-1], company.as_of, 3, rng) if whole else []
        if not days:
            continue
        events = np.concatenate([plain_events(stream, day, day + DAY) for day in days])
        unread = events[rng.random(len(events)) < 0.5]
        under = _lost(company, item, stream, unread)
        if len(unread) < 3 or under <= 0:
            continue
        stream.put(unread, status=np.full(len(unread), UNREADABLE))
        fault = Fault(
            CODE,
            ("source", stream.source),
            customer.customer_id,
            customer.currency,
            f"{len(unread)} events from {stream.source} have no value that can be read",
            whole[-1].start,
            whole[-1].end,
            under=under,
            windows=[(item.item_id, whole[-1].start, whole[-1].end)],
        )
        fault.affects("usage_event", stream.event_ids(unread))
        return fault
    return None


def _adds_up(company: Company, item: Item) -> bool:
    price = company.price_of(item)
    plain = price.meter_id is not None and price.minimum_amount is None and price.maximum_amount is None
    serves = item.active_to is None and company.subscription_of(item).status == "active"
    return plain and serves and company.stream_of(item).aggregation in {"sum", "count"}


def _lost(company: Company, item: Item, stream: Stream, unread: Integers) -> Decimal:
    """What as many events of the usual value would have cost on top of the readable ones."""
    period = whole_periods(company, item)[-1]
    left = stream.quantity_without(period.start, period.end, unread)
    readable = np.setdiff1d(plain_events(stream, period.start, period.end), unread)
    if not len(readable):
        return Decimal(0)
    values = np.sort(stream.events.values[readable])
    usual = Decimal(int(values[(len(values) - 1) // 2])).scaleb(-VALUE_PLACES)
    more = Decimal(len(unread)) * (1 if stream.aggregation == "count" else usual)
    return usage_amount(company, item, period.start, left + more) - usage_amount(company, item, period.start, left)
