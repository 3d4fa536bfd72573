"""TU-35, periods that do not join: a fee that begins a day early or late, usage that was cut off in UTC."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import numpy as np

from billing.money import round_money
from integrations.example.candidates import spread, summed_items, usage_line, whole_periods
from integrations.example.company import Company
from integrations.example.ending import involve_line
from integrations.example.rebilling import set_usage
from integrations.example.records import Customer, Item, Line
from integrations.example.reporting import records_within, reports_daily
from integrations.example.stages import Stage
from integrations.example.terms import usage_amount
from integrations.example.truth import Fault

CODE = "TU-35"
STAGE = Stage.LINES

_DAY = timedelta(days=1)
_SLIP = timedelta(hours=8)


def plant(company: Company, rng: np.random.Generator) -> Sequence[Fault]:
    """Move one end of a billed period, and leave the period beside it as it is."""
    return spread(company, rng, CODE, _plant_on)


def _plant_on(company: Company, customer: Customer, place: int, rng: np.random.Generator) -> Fault | None:
    if company.told.get(customer.customer_id) not in {None, "second_product", "yearly_plan"}:
        return None
    return _cut_usage(company, customer) if place % 3 == 1 else _move_fee(company, customer, place)


def _move_fee(company: Company, customer: Customer, place: int) -> Fault | None:
    """Let the last fee begin a day before the one before ends, or a day after."""
    fees = _fees(company, customer)
    if len(fees) < 2:
        return None
    before, line = fees[-2:]
    step = -_DAY if place % 2 == 0 else _DAY
    line.period_start += step
    part = Fraction(
        _DAY // timedelta(microseconds=1), (line.period_end - line.period_start) // timedelta(microseconds=1)
    )
    money = round_money(Fraction(line.net) * part, customer.currency)
    early = step < timedelta(0)
    fault = _fault(customer, line, f"a fee begins a day {'before' if early else 'after'} the one before ends")
    fault.period_start, fault.period_end = sorted((before.period_end, line.period_start))
    fault.over, fault.under = (money, Decimal(0)) if early else (Decimal(0), money)
    _show(company, fault, before, line)
    return fault


def _cut_usage(company: Company, customer: Customer) -> Fault | None:
    """Close a period's usage some hours early: the hours until the next one are in neither."""
    for item in summed_items(company, customer):
        whole = whole_periods(company, item)
        if len(whole) < 3 or reports_daily(company, item):
            continue
        line, after = usage_line(company, item, whole[-2]), usage_line(company, item, whole[-1])
        if line is None or after is None or after.amount == 0:
            continue
        cut = whole[-2].end - _SLIP
        lost = company.stream_of(item).quantity(cut, whole[-2].end)
        fault = _fault(customer, line, "the period's usage was closed eight hours early")
        fault.under = _more(company, item, after, lost)
        if not fault.under:
            continue
        (record,) = records_within(company, item.item_id, whole[-2])
        record.quantity -= company.stream_of(item).quantity(cut, whole[-2].end, record.recorded_at)
        record.period_end = line.period_end = cut
        set_usage(company, line, record.quantity)
        fault.period_start, fault.period_end = cut, whole[-2].end
        _show(company, fault, line, after)
        return fault
    return None


def _more(company: Company, item: Item, after: Line, lost: Decimal) -> Decimal:
    billed = after.raw_quantity or Decimal(0)
    more = usage_amount(company, item, after.period_start, billed + lost)
    return more - usage_amount(company, item, after.period_start, billed)


def _fees(company: Company, customer: Customer) -> list[Line]:
    """The whole fees in advance of the customer's first item that has any, oldest first, none of them in a draft."""
    for item in company.customer_items(customer.customer_id):
        lines = [line for line in company.lines.values() if line.item_id == item.item_id and line.kind == "recurring"]
        plain = all(not line.proration and line.net > 0 for line in lines)
        if lines and plain and item.active_to is None and not company.price_of(item).meter_id:
            return sorted(lines, key=lambda line: line.period_start)
    return []


def _fault(customer: Customer, line: Line, note: str) -> Fault:
    return Fault(CODE, ("subscription", line.subscription_id), customer.customer_id, customer.currency, note)


def _show(company: Company, fault: Fault, *lines: Line) -> None:
    for line in lines:
        involve_line(company, fault, line)
