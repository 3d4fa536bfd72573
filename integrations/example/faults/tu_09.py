"""TU-09, mis-attributed usage: a sender writes another customer's subject, and only the properties say whose it is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

import numpy as np

from billing.periods import Period
from integrations.example.candidates import DAY, days_inside, plain_events, summed_items, whole_periods
from integrations.example.company import Company
from integrations.example.picking import faultless, planned
from integrations.example.records import Customer, Item
from integrations.example.stages import Stage
from integrations.example.terms import usage_amount
from integrations.example.truth import Fault

CODE = "TU-09"
STAGE = Stage.USAGE
ANYWHERE = True


@dataclass(frozen=True)
class _Side:
    """One of the two customers: the item and the period that the days lie in."""

    customer: Customer
    item: Item
    period: Period


def plant(company: Company, rng: np.random.Generator) -> Sequence[Fault]:
    """Let the events of three days of one customer carry the subject of another one with the same meter."""
    found: list[Fault] = []
    sides = [side for customer in faultless(company, rng, CODE) if (side := _side(company, customer))]
    while len(sides) > 1 and len(found) < 2 * planned(company):
        right = sides.pop(0)
        for wrong in sides:
            faults = _mix_up(company, right, wrong)
            if faults:
                company.faulty |= {right.customer.customer_id, wrong.customer.customer_id}
                sides.remove(wrong)
                found += faults
                break
    return found


def _side(company: Company, customer: Customer) -> _Side | None:
    if company.told.get(customer.customer_id) is not None:
        return None
    for item in summed_items(company, customer):
        whole = whole_periods(company, item)
        if whole:
            return _Side(customer, item, whole[-1])
    return None


def _mix_up(company: Company, right: _Side, wrong: _Side) -> list[Fault]:
    mine, others = company.stream_of(right.item), company.stream_of(wrong.item)
    if mine.meter_id != others.meter_id:
        return []
    days = _common_days(company, right.period, wrong.period)
    mine.drop_refused(right.period.start, right.period.end)
    events = [plain_events(mine, day, day + DAY) for day in days[:3]]
    moved = np.concatenate(events) if events else np.empty(0, np.int64)
    if len(moved) < 3:
        return []
    before = [_charge(company, side) for side in (right, wrong)]
    ids, taken = mine.event_ids(moved), mine.events.where(moved)
    number = company.subjects_of(wrong.customer.customer_id)[0]
    properties = company.add_properties(json.dumps({"customer_id": right.customer.customer_id}))
    same = np.ones(len(taken), dtype=np.int64)
    mine.drop(moved)
    others.add(replace(taken, properties=same * properties, subjects=same * number))
    under, over = (abs(was - _charge(company, side)) for was, side in zip(before, (right, wrong), strict=True))
    faults = [_fault(company, side, company.subjects[number].subject, ids) for side in (right, wrong)]
    faults[0].under, faults[1].over = under, over
    return [fault for fault in faults if fault.under + fault.over > 0]


def _common_days(company: Company, first: Period, second: Period) -> list[datetime]:
    inside = days_inside(second, company.as_of)
    return [day for day in days_inside(first, company.as_of) if day in inside]


def _charge(company: Company, side: _Side) -> Decimal:
    quantity = company.stream_of(side.item).quantity(side.period.start, side.period.end)
    return usage_amount(company, side.item, side.period.start, quantity)


def _fault(company: Company, side: _Side, subject: str, ids: list[str]) -> Fault:
    fault = Fault(
        CODE,
        ("subject", subject),
        side.customer.customer_id,
        side.customer.currency,
        f"{len(ids)} events name {subject} as their subject and another customer in their properties",
        side.period.start,
        side.period.end,
        windows=[(side.item.item_id, side.period.start, side.period.end)],
    )
    fault.affects("usage_event", ids)
    return fault
