"""A billing period split over two lines: the first half on an invoice of its own in mid-period, then the rest.

What the second line costs goes on from the first: free units, tiers, packages and the maximum are the whole period's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from integrations.example.candidates import usage_line, whole_periods
from integrations.example.company import Company
from integrations.example.invoicing import DRAFT_FOR, recorded_at, run_after
from integrations.example.rebilling import set_amount
from integrations.example.records import Customer, Invoice, Item, Line
from integrations.example.terms import amount_of, usage_charge

_DAY = timedelta(days=1)


def whole_lines(company: Company, customer: Customer) -> Iterator[tuple[Item, Line]]:
    """The usage lines of two past whole periods of every item at its catalog price without minimum or maximum."""
    for item in company.customer_items(customer.customer_id):
        price = company.price_of(item)
        limited = price.minimum_amount is not None or price.maximum_amount is not None
        negotiated = company.overrides_of(customer.customer_id, item.price_id)
        if price.meter_id is None or limited or negotiated or item.item_id in company.billed_later:
            continue
        for period in whole_periods(company, item)[-3:-1]:
            line = usage_line(company, item, period)
            if line is not None and line.period_end == period.end and not company.notes_on(line.invoice_id):
                yield item, line


def middle(company: Company, item: Item, line: Line) -> datetime | None:
    """Where the line's period can be split: in mid-period, with usage on both sides and none of it late by then."""
    stream = company.stream_of(item)
    if stream.aggregation not in {"sum", "count"} or company.price_of(item).minimum_amount is not None:
        return None
    whole = stream.quantity(line.period_start, line.period_end)
    half = line.period_start + (line.period_end - line.period_start) // _DAY // 2 * _DAY
    for at in (half + days * _DAY for days in range(-4, 5)):
        known = stream.quantity(line.period_start, at, recorded_at(company, at))
        in_time = known == stream.quantity(line.period_start, at)
        if in_time and 0 < known < whole and whole == line.raw_quantity and run_after(company, at) < line.period_end:
            return at
    return None


def split_line(company: Company, item: Item, line: Line, at: datetime) -> tuple[Line, Line]:
    """Bill the usage line of a whole period in two halves, rightly; the first on an invoice made after `at`."""
    stream = company.stream_of(item)
    before, rest = stream.quantity(line.period_start, at), stream.quantity(at, line.period_end)
    created_at = run_after(company, at) + timedelta(seconds=40)
    invoice = company.add_invoice(
        Invoice(
            company.new_id("in"),
            company.customer_of(item).customer_id,
            line.subscription_id,
            company.customer_of(item).currency,
            created_at,
            period_start=line.period_start,
            period_end=at,
            finalizes_at=created_at + DRAFT_FOR,
        )
    )
    first = company.add_line(replace(line, line_id=company.new_id("il"), invoice_id=invoice.invoice_id, period_end=at))
    now = usage_charge(company, item, line.period_start, before)
    later = usage_charge(company, item, line.period_start, rest, before=before)
    first.raw_quantity, first.quantity = before, now.quantity
    line.period_start, line.raw_quantity, line.quantity = at, rest, later.quantity
    set_amount(company, first, amount_of(now))
    set_amount(company, line, amount_of(later))
    return first, line
