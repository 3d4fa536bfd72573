"""TU-12, unit mismatch: billing records usage in another unit, or a sender's events change their unit for some days."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import numpy as np

from billing.periods import Period
from integrations.example.candidates import (
    DAY,
    plain_events,
    some_days,
    spread,
    summed_items,
    usage_line,
    whole_periods,
)
from integrations.example.company import Company
from integrations.example.picking import planned
from integrations.example.rebilling import set_usage
from integrations.example.records import Customer, Item, Line, ReportedUsage
from integrations.example.reporting import records_within, reports_daily
from integrations.example.stages import Stage
from integrations.example.terms import usage_amount
from integrations.example.truth import Fault

CODE = "TU-12"
STAGE = Stage.LINES
ANYWHERE = True

_HISTORY = 60 * DAY
_RECORDED = (Decimal(1000), 1 / Decimal(1024))
_SENT = (1000, 1024)


def plant(company: Company, rng: np.random.Generator) -> Sequence[Fault]:
    """Record and bill a period of one customer in another unit; multiply the events of five days of another one."""
    count = planned(company)
    recorded = spread(company, rng, CODE, _record_in_other_unit, -(-count // 2))
    return [*recorded, *spread(company, rng, CODE, _send_in_other_unit, count - len(recorded))]


def _record_in_other_unit(company: Company, customer: Customer, place: int, rng: np.random.Generator) -> Fault | None:
    for item, period, line, record in _billed_once(company, customer):
        metered = record.quantity
        record.quantity = (metered * _RECORDED[place % 2]).quantize(Decimal("0.000000001"))
        delta = usage_amount(company, item, period.start, metered) - usage_amount(
            company, item, period.start, record.quantity
        )
        if not delta:
            record.quantity = metered
            continue
        set_usage(company, line, record.quantity)
        fault = _fault(company, customer, item, period, delta, "billing recorded the usage in another unit")
        fault.affects("reported_usage", [record.record_id])
        return fault
    return None


def _send_in_other_unit(company: Company, customer: Customer, place: int, rng: np.random.Generator) -> Fault | None:
    for item, period, line, record in _billed_once(company, customer):
        stream, days = company.stream_of(item), some_days(period, company.as_of, 5, rng)
        if period.start - _HISTORY < item.active_from or not days:
            continue
        events = np.concatenate([plain_events(stream, day, day + DAY) for day in days])
        if min(len(plain_events(stream, day, day + DAY)) for day in days) < 5:
            continue
        right = usage_amount(company, item, period.start, record.quantity)
        stream.put(events, values=stream.events.values[events] * _SENT[place % 2])
        record.quantity = stream.quantity(period.start, period.end)
        set_usage(company, line, record.quantity)
        note = f"the events of five days are {_SENT[place % 2]} times what they were"
        fault = _fault(company, customer, item, period, right - line.amount, note)
        fault.affects("usage_event", stream.event_ids(events))
        fault.shows("source", [stream.source])
        return fault
    return None


def _billed_once(company: Company, customer: Customer) -> list[tuple[Item, Period, Line, ReportedUsage]]:
    """Items whose last whole period has one line and one record, which say what was metered."""
    found = []
    for item in summed_items(company, customer):
        whole = whole_periods(company, item)
        line = usage_line(company, item, whole[-1]) if whole else None
        if line is None or reports_daily(company, item) or item.item_id in company.billed_later:
            continue
        records = records_within(company, item.item_id, whole[-1])
        metered = company.stream_of(item).quantity(whole[-1].start, whole[-1].end)
        if [record.quantity for record in records] == [metered] and metered > 0:
            found.append((item, whole[-1], line, records[0]))
    return found


def _fault(company: Company, customer: Customer, item: Item, period: Period, delta: Decimal, note: str) -> Fault:
    return Fault(
        CODE,
        ("meter", company.price_of(item).meter_id or ""),
        customer.customer_id,
        customer.currency,
        note,
        period.start,
        period.end,
        under=max(delta, Decimal(0)),
        over=max(-delta, Decimal(0)),
        windows=[(item.item_id, period.start, period.end)],
    )
