"""TU-04, a metering gap: a collector was down for a day and a half, and the events of one source and meter are lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from statistics import median

import numpy as np

from billing.periods import Period
from integrations.example.company import Company
from integrations.example.records import Item
from integrations.example.stages import Stage
from integrations.example.streams import ACCEPTED, Stream, from_micros, to_micros
from integrations.example.terms import service, stretches, usage_amount
from integrations.example.truth import Fault

CODE = "TU-04"
STAGE = Stage.USAGE

_WEEK = timedelta(days=7)
_WEEKS = range(1, 9)
_LENGTH = timedelta(hours=34)
_LEAST_CUSTOMERS = 6


@dataclass(frozen=True)
class _Loss:
    """What an item lost in one of its periods: the usual quantity of the hours of the gap."""

    item: Item
    period: Period
    quantity: Decimal


def plant(company: Company, rng: np.random.Generator) -> Sequence[Fault]:
    """Drop all events of one source and meter for 34 hours of working days, within the last five weeks."""
    for streams in _groups(company):
        days = int(rng.integers(8, 30))
        start = (company.as_of - timedelta(days=days)).replace(hour=7, minute=0, second=0, microsecond=0)
        while start.weekday() not in {1, 2}:
            start -= timedelta(days=1)
        faults = _lose(company, streams, start, start + _LENGTH)
        if faults:
            return faults
    return []


def _groups(company: Company) -> list[list[Stream]]:
    """Streams of customers without another fault by source and meter, those of few customers first."""
    groups: dict[tuple[str, str], list[Stream]] = {}
    for stream in company.streams.values():
        if stream.aggregation in {"sum", "count"}:
            groups.setdefault((stream.source, stream.meter_id), []).append(stream)
    usable = [
        streams
        for streams in groups.values()
        if len(streams) >= _LEAST_CUSTOMERS and not company.faulty & {each.customer_id for each in streams}
    ]
    return sorted(usable, key=lambda streams: (len(streams), streams[0].source, streams[0].meter_id))


def _lose(company: Company, streams: list[Stream], start: datetime, end: datetime) -> list[Fault]:
    """Drop the events; a fault per customer. None, and nothing dropped, where few customers lose something."""
    gap = _silence(streams, start, end)
    losses = {stream.customer_id: _losses(company, stream, gap) for stream in streams}
    if sum(bool(lost) for lost in losses.values()) < _LEAST_CUSTOMERS:
        return []
    for stream in streams:
        window = stream.within(start, end)
        stream.drop(np.arange(window.start, window.stop))
    faults = [_fault(company, stream, gap, losses[stream.customer_id]) for stream in streams]
    company.faulty |= losses.keys()
    return [fault for fault in faults if fault.under > 0]


def _silence(streams: list[Stream], start: datetime, end: datetime) -> Period:
    """From the last event before the gap to the first one after it."""
    accepted = np.concatenate([each.events.times[each.events.status == ACCEPTED] for each in streams])
    before, after = accepted[accepted < to_micros(start)], accepted[accepted >= to_micros(end)]
    return Period(from_micros(before.max()), from_micros(after.min()))


def _losses(company: Company, stream: Stream, gap: Period) -> list[_Loss]:
    """The usual quantity of the gap's hours, for every item and period that it lies in."""
    found = []
    for item in company.customer_items(stream.customer_id):
        if company.price_of(item).meter_id == stream.meter_id:
            for _, active in stretches(company, item):
                part = active.clip(gap.start, gap.end) if active.start < gap.end and gap.start < active.end else None
                usual = part and _usual(stream, part, gap.start - service(company, item)[0])
                if part and usual:
                    found.append(_Loss(item, active, usual))
    return found


def _usual(stream: Stream, part: Period, history: timedelta) -> Decimal:
    """The median over the same hours of up to eight weeks before, of those in which the item was in service."""
    after = timedelta(microseconds=1)  # the last event before the gap is not part of it
    weeks = [week * _WEEK for week in _WEEKS if week * _WEEK <= history]
    quantities = sorted(stream.quantity(part.start - back + after, part.end - back) for back in weeks)
    return median(quantities) if quantities else Decimal(0)


def _fault(company: Company, stream: Stream, gap: Period, losses: list[_Loss]) -> Fault:
    customer = company.customers[stream.customer_id]
    currency = company.price_of(losses[0].item).currency if losses else customer.currency
    fault = Fault(
        CODE,
        ("source", stream.source),
        customer.customer_id,
        currency,
        f"nothing of {stream.meter_id} came from {stream.source} from {gap.start:%d %b %H:%M} to {gap.end:%d %b %H:%M}",
        gap.start,
        gap.end,
    )
    for loss in losses:
        metered = stream.quantity(loss.period.start, loss.period.end)
        charged = usage_amount(company, loss.item, loss.period.start, metered)
        lost = usage_amount(company, loss.item, loss.period.start, metered + loss.quantity) - charged
        if lost > 0:
            fault.under += lost
            fault.affects("item", [loss.item.item_id])
            fault.windows.append((loss.item.item_id, loss.period.start, loss.period.end))
    return fault
