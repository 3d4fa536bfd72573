"""Bill runs: every charge that is due becomes a line, and the lines that a subscription owes at one time an invoice.

Fees in advance are on the invoice of the period that starts, usage and fees in arrears on the one after the period's
end. Amounts per line are final here; totals, tax and payment follow in `integrations.example.settlement`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from itertools import groupby

from billing.periods import Period, timezone_named
from billing.rating import Rating
from integrations.example.company import Company
from integrations.example.records import BillRun, Invoice, Item, Line, Subscription
from integrations.example.reporting import report
from integrations.example.terms import Stretch, amount_of, charge, price_at, stretches, usage_charge

COLLECTION = timedelta(hours=2)
"""How long usage is collected after a period's end before the next bill run takes it."""
RUN_EVERY = timedelta(hours=6)
DRAFT_FOR = timedelta(hours=24)
"""How long an invoice stays a draft that can still be corrected."""
_RECORDED_BEFORE_RUN = timedelta(minutes=5)


class What(StrEnum):
    """What is due, in the order of an invoice's lines."""

    USAGE = "1 usage"
    ARREARS = "2 fee for the period that ended"
    CREDIT = "3 unused part of a fee"
    ADVANCE = "4 fee for the period ahead"


@dataclass(frozen=True)
class Due:
    """One charge of an item for a stretch of its time, and when it is due."""

    at: datetime
    what: What
    item: Item
    stretch: Stretch


def bill(company: Company) -> None:
    """Give the company its invoices up to `as_of`, and the records of usage that they rest on."""
    for subscription in list(company.subscriptions.values()):
        dues = sorted(_dues(company, subscription), key=lambda due: (due.at, due.what, due.item.item_id))
        for at, together in groupby(dues, key=lambda due: due.at):
            _invoice(company, subscription, at, list(together))


def run_after(company: Company, instant: datetime) -> datetime:
    """When the bill run that takes what was due at the instant starts."""
    runs = -((company.opened - instant - COLLECTION) // RUN_EVERY)
    return company.opened + runs * RUN_EVERY


def _dues(company: Company, subscription: Subscription) -> list[Due]:
    found = [due for item in company.items_of(subscription.subscription_id) for due in _item_dues(company, item)]
    return [due for due in found if due.at <= company.as_of or due.what is What.USAGE]


def _item_dues(company: Company, item: Item) -> list[Due]:
    price = company.price_of(item)
    found = []
    for full, active in stretches(company, item):
        ends = _change_due(company, item, active.end, full)
        if price.meter_id is not None:
            found.append(Due(ends, What.USAGE, item, (full, active)))
        elif price.payment_term == "in_arrears":
            found.append(Due(ends, What.ARREARS, item, (full, active)))
        else:
            begins = _start_due(company, item, active.start, full)
            found.append(Due(begins, What.ADVANCE, item, (full, Period(active.start, full.end))))
            if active.end < full.end:
                found.append(Due(ends, What.CREDIT, item, (full, Period(active.end, full.end))))
    return found


def _change_due(company: Company, item: Item, at: datetime, full: Period) -> datetime:
    """When what ends at `at` is billed: then if the subscription ends or bills changes at once, or with the period."""
    subscription = company.subscription_of(item)
    at_once = subscription.ended_at == at or subscription.subscription_id in company.bills_changes_at_once
    return at if at_once else full.end


def _start_due(company: Company, item: Item, at: datetime, full: Period) -> datetime:
    """When a fee in advance from `at` on is billed: then, unless the item came by a change within a period."""
    subscription = company.subscription_of(item)
    by_change = item.active_from > subscription.started_at and full.start < at
    return full.end if by_change and subscription.subscription_id not in company.bills_changes_at_once else at


def _invoice(company: Company, subscription: Subscription, at: datetime, dues: list[Due]) -> None:
    """The invoice for what is due at one time; usage is recorded even where the time to bill it has not come."""
    opening = all(due.what is What.ADVANCE for due in dues) and at == _first_charge(subscription)
    run = run_after(company, at)
    quantities = {due.item.item_id + due.what: _recorded(company, due, run) for due in dues if due.what is What.USAGE}
    created_at = at + timedelta(seconds=3) if opening else run + timedelta(seconds=20 + len(company.invoices) % 900)
    if at > company.as_of or created_at > company.as_of:
        return
    invoice = company.add_invoice(
        Invoice(
            company.new_id("in"),
            subscription.customer_id,
            subscription.subscription_id,
            subscription.currency,
            created_at,
        )
    )
    if not opening:
        _join_run(company, invoice, run, dues)
    for due in dues:
        _bill_due(company, invoice, due, quantities.get(due.item.item_id + due.what))


def _first_charge(subscription: Subscription) -> datetime:
    return max(subscription.started_at, subscription.trial_end or subscription.started_at)


def _recorded(company: Company, due: Due, run: datetime) -> Decimal:
    return report(company, due.item, due.stretch[1], run - _RECORDED_BEFORE_RUN)


def _join_run(company: Company, invoice: Invoice, run: datetime, dues: list[Due]) -> None:
    """Make the invoice one of the bill run's drafts, for the period that ended."""
    key = run.isoformat()
    if key not in company.bill_runs:
        done = min(run + timedelta(minutes=20), company.as_of)
        company.bill_runs[key] = BillRun(company.new_id("run"), run, run, done)
    company.bill_runs[key].invoices_ok += 1
    invoice.bill_run_id = company.bill_runs[key].bill_run_id
    invoice.finalizes_at = invoice.created_at + DRAFT_FOR
    over = [due.stretch[1] for due in dues if due.what in {What.USAGE, What.ARREARS}]
    if over:
        invoice.period_start = min(part.start for part in over)
        invoice.period_end = max(part.end for part in over)


def _bill_due(company: Company, invoice: Invoice, due: Due, recorded: Decimal | None) -> None:
    if due.what is What.USAGE:
        bill_usage(company, invoice, due.item, due.stretch[1], recorded or Decimal(0))
        _bill_late_usage(company, invoice, due)
        return
    rating = charge(company, due.item, due.stretch)
    full, part = due.stretch
    if due.what is What.CREDIT:
        rating = replace(rating, amount=-amount_of(rating), deductions=())
    if rating.amount:
        _line(company, invoice, due.item, "recurring", part, rating, quantity=due.item.quantity, proration=part != full)


def bill_usage(company: Company, invoice: Invoice, item: Item, part: Period, quantity: Decimal) -> Line:
    """A usage line for `quantity`, and a commitment line for what it falls short of the minimum."""
    rating = usage_charge(company, item, part.start, quantity)
    line = _line(
        company, invoice, item, "usage", part, rating, quantity=rating.quantity, raw_quantity=quantity, proration=False
    )
    if rating.commitment:
        rest = replace(rating, amount=rating.commitment, deductions=())
        _line(company, invoice, item, "commitment", part, rest, quantity=None, proration=False)
    return line


def _bill_late_usage(company: Company, invoice: Invoice, due: Due) -> None:
    """An adjustment line for what came too late for the invoice before, where that was agreed."""
    start = company.billed_later.get(due.item.item_id)
    end = due.stretch[1].start
    if start is None or not start < end < start + timedelta(days=40):
        return
    stream = company.stream_of(due.item)
    billed = stream.quantity(start, end, recorded_at(company, end))
    late = stream.quantity(start, end) - billed
    rating = usage_charge(company, due.item, start, late, before=billed)
    _line(
        company,
        invoice,
        due.item,
        "adjustment",
        Period(start, end),
        rating,
        quantity=rating.quantity,
        raw_quantity=late,
        proration=False,
    )


def recorded_at(company: Company, end: datetime) -> datetime:
    """When usage up to `end` is recorded, for customers whose usage is recorded once per period."""
    return run_after(company, end) - _RECORDED_BEFORE_RUN


def _line(
    company: Company,
    invoice: Invoice,
    item: Item,
    kind: str,
    part: Period,
    rating: Rating,
    *,
    quantity: Decimal | None,
    proration: bool,
    raw_quantity: Decimal | None = None,
) -> Line:
    return company.add_line(
        Line(
            company.new_id("il"),
            invoice.invoice_id,
            item.subscription_id,
            item.item_id,
            item.price_id,
            kind,
            description(company, item, part, kind, proration),
            part.start,
            part.end,
            amount_of(rating),
            raw_quantity=raw_quantity,
            quantity=quantity,
            unit_amount=None if kind == "commitment" else unit_amount(company, item, part.start),
            discount_amount=rating.discount,
            proration=proration,
        )
    )


def unit_amount(company: Company, item: Item, at: datetime) -> Decimal | None:
    """The unit price that a line of the item shows; none for tiered and flat prices."""
    price = price_at(company, item, at)
    return price.unit_amount if price.model in {"per_unit", "package"} else None


def description(company: Company, item: Item, part: Period, kind: str, proration: bool) -> str:
    """The line's text: what was charged and for which days, on the customer's calendar."""
    zone = timezone_named(company.subscription_of(item).timezone)
    start, end = (instant.astimezone(zone) for instant in (part.start, part.end))
    words = {"commitment": "Minimum spend, ", "adjustment": "Late usage, "}.get(kind, "Prorated, " if proration else "")
    return f"{words}{company.price_of(item).name} ({start:%d %b %Y} – {end:%d %b %Y})"
