"""What the billing system is told about usage: one record per period, or one per day, each at a known instant.

What is received after that instant is not in the record; the company's collection window is long enough for every
event that is late in the usual way.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np

from billing.periods import Period
from integrations.example.company import Company
from integrations.example.records import Item, ReportedUsage
from integrations.example.streams import ACCEPTED, VALUE_PLACES, Stream, to_micros

DAILY_LAG = timedelta(minutes=110)
"""How long after a day's end its usage is recorded; the usual late events come within 105 minutes."""

_DAY = timedelta(days=1)


def report(company: Company, item: Item, window: Period, recorded_at: datetime) -> Decimal:
    """Record the usage of the window, at `recorded_at` or day by day, and return what has been recorded in all.

    Nothing is recorded after `as_of`; a period that is still open has its days so far.
    """
    if reports_daily(company, item):
        return _report_days(company, item, window)
    if recorded_at > company.as_of:
        return Decimal(0)
    quantity = company.stream_of(item).quantity(window.start, window.end, recorded_at)
    _record(company, item, window.start, window.end, quantity, recorded_at)
    return quantity


def reports_daily(company: Company, item: Item) -> bool:
    """Whether the item's usage is recorded day by day: only what adds up can be."""
    additive = company.stream_of(item).aggregation in {"sum", "count"}
    return additive and company.habits[company.customer_of(item).customer_id].daily_reports


def _report_days(company: Company, item: Item, window: Period) -> Decimal:
    stream, edges = company.stream_of(item), _days(window)
    total = Decimal(0)
    for start, end, quantity in zip(edges, edges[1:], _day_quantities(stream, edges), strict=False):
        if end + DAILY_LAG <= company.as_of:
            _record(company, item, start, end, quantity, end + DAILY_LAG)
            total += quantity
    return total


def _days(window: Period) -> list[datetime]:
    """The window's start, every midnight (UTC) inside it, and its end."""
    midnight = window.start.replace(hour=0, minute=0, second=0, microsecond=0) + _DAY
    inside = []
    while midnight < window.end:
        inside.append(midnight)
        midnight += _DAY
    return [window.start, *inside, window.end]


def _day_quantities(stream: Stream, edges: list[datetime]) -> list[Decimal]:
    """The quantity between neighbouring edges, of the events received by the time it was recorded."""
    bounds = np.array([to_micros(edge) for edge in edges], dtype=np.int64)
    window = stream.within(edges[0], edges[-1])
    events = stream.events.where(np.arange(window.start, window.stop))
    day = np.searchsorted(bounds, events.times, side="right") - 1
    in_time = events.received <= bounds[day + 1] + DAILY_LAG // timedelta(microseconds=1)
    counted = (events.status == ACCEPTED) & in_time
    totals = np.zeros(len(edges) - 1, dtype=np.int64)
    np.add.at(totals, day[counted], events.values[counted])
    return [Decimal(int(total)).scaleb(-VALUE_PLACES) for total in totals]


def _record(
    company: Company, item: Item, start: datetime, end: datetime, quantity: Decimal, recorded_at: datetime
) -> None:
    identity = company.new_id("ru")
    company.reported.append(ReportedUsage(identity, item.item_id, start, end, quantity, recorded_at))


def records_within(company: Company, item_id: str, window: Period) -> list[ReportedUsage]:
    """The records of an item whose windows lie in the given one."""
    return [
        record
        for record in company.reported
        if record.item_id == item_id and window.start <= record.period_start and record.period_end <= window.end
    ]
