"""The pages that a signal's records lead to: customer, subscription, invoice, usage, and any record by its fields."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from duckdb import DuckDBPyConnection
from flask import Blueprint, abort, request

from billing.books import BY_NAME
from billing.model import Kind
from detector import inbox
from detector.explain import explain
from detector.explain_invoice import explain_invoice
from detector.explain_text import reason_text
from detector.inbox import Filter
from store import operational
from store.operational_tables import Signal
from web import expected, lookups
from web.charts import Chart
from web.console import console, now
from web.invoice_check import invoice_check
from web.match import line_numbers, match
from web.pages import show
from web.usage_chart import daily_chart
from web.what_if import tried, what_if_form
from web.working import working

pages = Blueprint("records", __name__)

DAYS = 92
"""How much usage a page shows unless its address says otherwise."""


@pages.get("/customers/<path:id>")
def customer(id: str) -> tuple[str, int]:
    """A customer: what is open, their subscriptions, their invoices."""
    with console().books() as books:
        row, others = _one(books, "customer", id)
        return show(
            "customer.html",
            row=row,
            others=others,
            subscriptions=lookups.subscriptions_of(books, id),
            invoices=lookups.invoices_of(books, "customer_id", id),
            signals=_signals(Filter(view="every", status="any", customer=id)),
        )


@pages.get("/subscriptions/<path:id>")
def subscription(id: str) -> tuple[str, int]:
    """A subscription: its terms, items and invoices."""
    with console().books() as books:
        row, others = _one(books, "subscription", id)
        return show(
            "subscription.html",
            row=row,
            others=others,
            customer=lookups.name_of(books, row["customer_id"], row["integration"]),
            items=lookups.items_of(books, id),
            invoices=lookups.invoices_of(books, "subscription_id", id),
            signals=_signals(Filter(view="every", status="any", entity=id)),
        )


@pages.get("/invoices/<path:id>")
def invoice(id: str) -> tuple[str, int]:
    """An invoice: its lines, what signals say about them, payments and credit notes."""
    with console().books() as books:
        row, others = _one(books, "invoice", id)
        return show(
            "invoice.html",
            row=row,
            others=others,
            customer=lookups.name_of(books, row["customer_id"], row["integration"]),
            lines=lookups.lines_of(books, id, row["integration"]),
            payments=lookups.payments_of(books, id),
            notes=lookups.notes_of(books, id),
            checked=invoice_check(explain_invoice(books, id, now(), row["integration"], console().warehouse.dialects)),
            signals=_signals(Filter(view="every", status="any", entity=id)),
        )


@pages.get("/lines/<path:id>")
def line(id: str) -> tuple[str, int]:
    """An invoice line: how its amount should come about, beside what was billed."""
    with console().books() as books:
        row, others = _one(books, "invoice_line", id)
        explanation = explain(books, id, now(), row["integration"], console().warehouse.dialects)
        asked = what_if_form(request.args, explanation)
        compared, refused = tried(books, asked, explanation, now(), console().warehouse.dialects)
        invoiced = lookups.record(books, "invoice", row["invoice_id"])
        return show(
            "line.html",
            row=row,
            others=others,
            line=explanation.line,
            reason=reason_text(explanation.expectation),
            asked=asked,
            compared=compared,
            refused=refused,
            matched=match(line_numbers(explanation), ""),
            working=working(explanation),
            invoice=invoiced[0] if invoiced else None,
            signals=_signals(Filter(view="every", status="any", entity=id)),
        )


@pages.get("/usage")
def usage() -> tuple[str, int]:
    """The usage of one item: by day, as recorded, as billed, and its raw events."""
    id = request.args.get("item", "")
    start, end = _span()
    with console().books() as books:
        item = lookups.item(books, id) if id else None
        if item is None:
            abort(404, description=f"There is no item {id[:80]} in the books.")
        days = lookups.daily(books, item, start, end)
        return show(
            "usage.html",
            item=item,
            start=start,
            end=end,
            chart=_with_range(item, start, end) or _chart(item, days, start, end),
            has_range=bool(request.args.get("range")),
            total=sum((row["quantity"] for row in days), Decimal(0)),
            events=lookups.events(books, item, start, end),
            reported=lookups.reported(books, id),
            billed=lookups.billed(books, id),
            signals=_signals(Filter(view="every", status="any", entity=id)),
        )


def _with_range(item: dict[str, Any], start: datetime, end: datetime) -> Chart | None:
    """The item's usage in its usual range, where the address asks for it."""
    if not request.args.get("range") or not item.get("meter_id"):
        return None
    with operational.reading(console().engine) as session:
        return expected.item_chart(session, item, start.date(), end.date(), now())


@pages.get("/records/<type>/<path:id>")
def record(type: str, id: str) -> tuple[str, int]:
    """Any record by its fields, whatever its type; a source or integration by the signals that name it."""
    signals = _signals(Filter(view="every", status="any", entity=id))
    if type not in lookups.TABLES:
        if not signals:
            abort(404, description=f"There is no {type[:40]} {id[:80]} in the books.")
        return show("record.html", type=type, id=id, rows=[], tiers=[], signals=signals)
    with console().books() as books:
        found = lookups.record(books, type, id)
        if not found:
            abort(404, description=f"There is no {type} {id[:80]} in the books.")
        tiers = lookups.tiers_of(books, id) if type == "price" else []
    return show(
        "record.html", type=type, id=id, rows=[_fields(type, row) for row in found], tiers=tiers, signals=signals
    )


def _one(books: DuckDBPyConnection, type: str, id: str) -> tuple[dict[str, Any], list[str]]:
    """The record of the integration that the address names, else the first, and the other integrations that have it."""
    found = lookups.record(books, type, id)
    if not found:
        abort(404, description=f"There is no {type} {id[:80]} in the books.")
    wanted = request.args.get("integration")
    row = next((row for row in found if row["integration"] == wanted), found[0])
    return row, [other["integration"] for other in found if other is not row]


def _signals(wanted: Filter) -> tuple[Signal, ...]:
    with operational.reading(console().engine) as session:
        return inbox.page(session, wanted, now(), limit=20).items


def _span() -> tuple[datetime, datetime]:
    """The days that the address names, else the last three months; always whole UTC days, at most two years."""
    end = _day("to") or (now() + timedelta(days=1))
    end = end.replace(hour=0, minute=0, second=0, microsecond=0)
    start = _day("from") or end - timedelta(days=DAYS)
    return max(min(start, end - timedelta(days=1)), end - timedelta(days=730)), end


def _day(name: str) -> datetime | None:
    try:
        return datetime.strptime(request.args.get(name, ""), "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        return None


def _chart(item: Mapping[str, Any], days: list[dict[str, Any]], start: datetime, end: datetime) -> Chart | None:
    if not days:
        return None
    return daily_chart({row["day"]: row["quantity"] for row in days}, start.date(), end.date(), item["unit"] or "units")


def _fields(type: str, row: Mapping[str, Any]) -> list[tuple[str, Any, str | None, str | None]]:
    """The fields of a record that have a value: name, value, currency of money, and the type it leads to."""
    described = BY_NAME[lookups.TABLES[type]].by_name
    fields = []
    for name, value in row.items():
        if value is None or name == "external_url":
            continue
        kind = described[name].kind if name in described else None
        leads = lookups.TYPES.get(name) if name != lookups.KEYS[type] else None
        fields.append((name, value, row.get("currency") if kind == Kind.MONEY else None, leads))
    return fields


def outside(url: str | None) -> str | None:
    """The address of a record in its own system, as long as a browser may follow it."""
    return url if url and urlsplit(url).scheme in ("http", "https") else None
