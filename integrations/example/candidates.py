"""What of a customer a fault can be planted on: items that nothing else happened to, whole days inside a period."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np

from billing.periods import Period
from integrations.example.catalogue import MONTHLY
from integrations.example.company import Company
from integrations.example.invoicing import run_after
from integrations.example.picking import faultless, planned
from integrations.example.records import Customer, Invoice, Item, Line
from integrations.example.streams import ACCEPTED, Integers, Stream, to_micros
from integrations.example.terms import stretches
from integrations.example.truth import Fault

DAY = timedelta(days=1)

PlantOn = Callable[[Company, Customer, int, np.random.Generator], Fault | None]
"""Plants the fault number `int` on a customer, or returns None where the customer does not lend itself to it."""


def spread(
    company: Company,
    rng: np.random.Generator,
    code: str,
    plant_on: PlantOn,
    wanted: int | None = None,
    suitable: Callable[[Customer], bool] = lambda customer: True,
) -> list[Fault]:
    """As many faults of a code as the company's size asks for, or `wanted`, each on a customer of its own."""
    found: list[Fault] = []
    for customer in faultless(company, rng, code):
        if len(found) >= (planned(company) if wanted is None else wanted):
            break
        fault = plant_on(company, customer, len(found), rng) if suitable(customer) else None
        if fault is not None:
            company.faulty.add(customer.customer_id)
            found.append(fault)
    return found


def some_in_drafts(company: Company, rng: np.random.Generator, code: str, plant_on: PlantOn) -> list[Fault]:
    """The faults of a code, a third of them on customers whose last invoice can still be corrected."""

    def has_draft(customer: Customer) -> bool:
        invoices = company.invoices_of(customer.customer_id)
        return bool(invoices) and is_draft(company, invoices[-1])

    count = planned(company)
    drafts = spread(company, rng, code, plant_on, -(-count // 3), has_draft)
    final = spread(company, rng, code, plant_on, count - len(drafts), lambda customer: not has_draft(customer))
    return [*drafts, *final, *spread(company, rng, code, plant_on, count - len(drafts) - len(final))]


def is_draft(company: Company, invoice: Invoice) -> bool:
    """Whether the invoice is not final yet."""
    return invoice.finalizes_at is not None and invoice.finalizes_at > company.as_of


def summed_items(company: Company, customer: Customer) -> list[Item]:
    """The customer's items in force whose usage is summed, on monthly prices without minimum or maximum."""
    found = []
    for item in company.customer_items(customer.customer_id):
        price = company.price_of(item)
        summed = price.meter_id is not None and company.stream_of(item).aggregation == "sum"
        capped = price.minimum_amount is not None or price.maximum_amount is not None
        if summed and not capped and item.active_to is None and _serves(company, item):
            found.append(item)
    return found


def _serves(company: Company, item: Item) -> bool:
    subscription = company.subscription_of(item)
    return subscription.status in {"active", "past_due"} and company.price_of(item).cadence == MONTHLY


def whole_periods(company: Company, item: Item) -> list[Period]:
    """The item's periods that have ended and were billed, or are being billed, as a whole."""
    done = []
    for full, active in stretches(company, item):
        if active == full and run_after(company, full.end) + timedelta(minutes=30) <= company.as_of:
            done.append(full)
    return done


def days_inside(period: Period, until: datetime) -> list[datetime]:
    """The midnights (UTC) of days that lie in the period, at least a day before its end and before `until`."""
    midnight = period.start.replace(hour=0, minute=0, second=0, microsecond=0) + DAY
    found = []
    while midnight + 2 * DAY <= min(period.end, until):
        found.append(midnight)
        midnight += DAY
    return found


def some_days(period: Period, until: datetime, count: int, rng: np.random.Generator) -> list[datetime]:
    """`count` days in a row inside the period; none where it is too short."""
    days = days_inside(period, until)
    if len(days) < count:
        return []
    first = int(rng.integers(len(days) - count + 1))
    return days[first : first + count]


def plain_events(stream: Stream, start: datetime, end: datetime) -> Integers:
    """The positions of the accepted events in [start, end) that add something: corrections are left out."""
    chosen = stream.accepted_within(start, end)
    plain: Integers = chosen[stream.events.values[chosen] > 0]
    return plain


def daily_totals(stream: Stream, first: datetime, days: int) -> Integers:
    """The accepted quantity of each day (UTC) from `first` on, in thousandths."""
    window = stream.within(first, first + days * DAY)
    events = stream.events.where(np.arange(window.start, window.stop))
    accepted = events.status == ACCEPTED
    day = (events.times[accepted] - to_micros(first)) // (DAY // timedelta(microseconds=1))
    totals = np.zeros(days, dtype=np.int64)
    np.add.at(totals, day, events.values[accepted])
    return totals


def usual(stream: Stream, day: datetime) -> Decimal:
    """The median of the same weekday in the eight weeks before, in thousandths."""
    totals = sorted(int(total) for total in daily_totals(stream, day - 56 * DAY, 56)[::7])
    return Decimal(totals[3] + totals[4]) / 2


def usage_line(company: Company, item: Item, period: Period) -> Line | None:
    """The line that bills the item's usage of the period, if there is one."""
    for invoice in company.invoices_of(company.customer_of(item).customer_id):
        for line in company.lines_of(invoice.invoice_id):
            if (line.item_id, line.kind, line.period_start) == (item.item_id, "usage", period.start):
                return line
    return None


def plain_invoices(company: Company, customer: Customer) -> list[Invoice]:
    """The customer's invoices of ended periods that hold nothing but whole periods' charges, none of them zero."""
    found = []
    for invoice in company.invoices_of(customer.customer_id):
        lines = company.lines_of(invoice.invoice_id)
        plain = all(line.kind in {"usage", "recurring"} and not line.proration and line.amount > 0 for line in lines)
        clean = invoice.voided_at is None and not company.notes_on(invoice.invoice_id)
        if invoice.bill_run_id is not None and lines and plain and clean:
            found.append(invoice)
    return found
