"""TU-08, unattributed usage: events under a subject that is nobody's, by a typo or for want of a mapping."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np

from integrations.example.candidates import spread, summed_items, whole_periods
from integrations.example.company import Company
from integrations.example.records import Customer, Item
from integrations.example.stages import Stage
from integrations.example.streams import Integers, Stream
from integrations.example.terms import stretches, usage_amount
from integrations.example.truth import Fault

CODE = "TU-08"
STAGE = Stage.USAGE
ANYWHERE = True

_LEAST = 8
_SETTLED = timedelta(hours=4)


def plant(company: Company, rng: np.random.Generator) -> Sequence[Fault]:
    """From a day of the period that ended last on, let a customer's events go to a subject that nobody knows."""
    return spread(company, rng, CODE, _plant_on)


def _plant_on(company: Company, customer: Customer, place: int, rng: np.random.Generator) -> Fault | None:
    numbers = company.subjects_of(customer.customer_id)
    items = [item for item in company.customer_items(customer.customer_id) if company.price_of(item).meter_id]
    if len(numbers) > 1 or len(items) != len({company.price_of(item).meter_id for item in items}):
        return None
    for item in summed_items(company, customer):
        whole = whole_periods(company, item)
        if not whole:
            continue
        since = whole[-1].start + (whole[-1].end - whole[-1].start) * float(rng.uniform(0.3, 0.6))
        fault = _stray(company, customer, item, since.replace(microsecond=0), place)
        if fault is not None:
            return fault
    return None


def _stray(company: Company, customer: Customer, item: Item, since: datetime, place: int) -> Fault | None:
    """The customer's events of one item from `since` on, as nobody's."""
    stream, until = company.stream_of(item), company.as_of - _SETTLED
    lost = stream.accepted_within(since, until)
    moved = _with_refused(stream, since, until)
    windows = [active for _, active in stretches(company, item) if active.end > since]
    under = Decimal(0)
    for each in windows:
        under += usage_amount(company, item, each.start, stream.quantity(each.start, each.end))
        under -= usage_amount(company, item, each.start, stream.quantity_without(each.start, each.end, lost))
    if len(lost) < _LEAST or under <= 0:
        return None
    name = company.subjects[company.subjects_of(customer.customer_id)[0]].subject
    wrong = _misspelt(name, place)
    fault = Fault(
        CODE,
        ("subject", wrong),
        customer.customer_id,
        customer.currency,
        f"since {since:%d %b %Y} the events of {name} name {wrong}, which is nobody's",
        windows[0].start,
        windows[-1].end,
        under=under,
        windows=[(item.item_id, each.start, each.end) for each in windows],
    )
    fault.affects("usage_event", stream.event_ids(lost))
    fault.shows("source", [stream.source])
    stream.put(moved, subjects=np.full(len(moved), company.add_stray(wrong)))
    company.streams[wrong, stream.meter_id] = stream.part(moved, len(company.streams), wrong)
    return fault


def _with_refused(stream: Stream, since: datetime, until: datetime) -> Integers:
    window = stream.within(since, until)
    return np.arange(window.start, window.stop)


def _misspelt(name: str, place: int) -> str:
    """The name in capitals, with an environment that was never mapped, or with two letters changed round."""
    if place % 3 == 0:
        return name.upper()
    return f"{name}/eu" if place % 3 == 1 else f"{name[:-2]}{name[-1]}{name[-2]}"
