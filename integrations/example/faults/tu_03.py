"""TU-03, usage rejected: events that were refused and never sent again, and records that billing did not take."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import numpy as np

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
from integrations.example.files import PRODUCT
from integrations.example.picking import planned
from integrations.example.rebilling import set_usage
from integrations.example.records import Customer
from integrations.example.reporting import records_within, reports_daily
from integrations.example.stages import Stage
from integrations.example.streams import REFUSED
from integrations.example.terms import usage_amount
from integrations.example.truth import Fault

CODE = "TU-03"
STAGE = Stage.LINES
ANYWHERE = True


def plant(company: Company, rng: np.random.Generator) -> Sequence[Fault]:
    """Refuse the events of three days of one customer, the records of a period of another, and bill what is left."""
    count = planned(company)
    events = spread(company, rng, CODE, _refuse_events, -(-count // 2))
    return [*events, *spread(company, rng, CODE, _refuse_records, count - len(events))]


def _refuse_events(company: Company, customer: Customer, place: int, rng: np.random.Generator) -> Fault | None:
    for item in summed_items(company, customer):
        whole, stream = whole_periods(company, item), company.stream_of(item)
        line = usage_line(company, item, whole[-1]) if whole else None
        if line is None or reports_daily(company, item) or item.item_id in company.billed_later:
            continue
        days = some_days(whole[-1], company.as_of, 3, rng)
        refused = np.concatenate([plain_events(stream, day, day + DAY) for day in days])
        records = records_within(company, item.item_id, whole[-1])
        left = stream.quantity_without(whole[-1].start, whole[-1].end, refused)
        metered = stream.quantity(whole[-1].start, whole[-1].end)
        under = usage_amount(company, item, whole[-1].start, metered) - usage_amount(
            company, item, whole[-1].start, left
        )
        if len(refused) < 3 or under <= 0 or [record.quantity for record in records] != [metered]:
            continue
        stream.put(refused, status=np.full(len(refused), REFUSED))
        records[0].quantity = left
        set_usage(company, line, left)
        fault = Fault(
            CODE,
            ("integration", PRODUCT),
            customer.customer_id,
            customer.currency,
            f"{len(refused)} events were refused as too old and never came in otherwise",
            whole[-1].start,
            whole[-1].end,
            under=under,
            windows=[(item.item_id, whole[-1].start, whole[-1].end)],
        )
        fault.affects("usage_event", stream.event_ids(refused))
        fault.shows("source", [stream.source])
        return fault
    return None


def _refuse_records(company: Company, customer: Customer, place: int, rng: np.random.Generator) -> Fault | None:
    for item in summed_items(company, customer):
        whole = whole_periods(company, item)
        line = usage_line(company, item, whole[-1]) if whole else None
        if line is None or line.raw_quantity is None or item.item_id in company.billed_later:
            continue
        records = [each for each in records_within(company, item.item_id, whole[-1]) if each.quantity > 0]
        refused = records[5:9] if reports_daily(company, item) else records
        left = line.raw_quantity - sum((each.quantity for each in refused), Decimal(0))
        under = line.amount - usage_amount(company, item, whole[-1].start, left)
        if not refused or under <= 0:
            continue
        for record in refused:
            record.status, record.error = "rejected", "no such subscription item"
        set_usage(company, line, left)
        fault = Fault(
            CODE,
            ("integration", "stripe"),
            customer.customer_id,
            customer.currency,
            f"{len(refused)} records of usage were refused by billing and not sent again",
            whole[-1].start,
            whole[-1].end,
            under=under,
            windows=[(item.item_id, whole[-1].start, whole[-1].end)],
        )
        fault.affects("reported_usage", [record.record_id for record in refused])
        return fault
    return None
