"""A subscription: its terms beside the catalogue, its course, its items with their meters, its invoices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from duckdb import DuckDBPyConnection
from flask import Blueprint, request

from detector import shares
from detector.explain_invoice import explain_invoice
from store import operational
from web import lookups, places, terms
from web.console import console, now
from web.exposure import checked
from web.invoice_check import InvoiceCheck, invoice_check
from web.moments import aware, day
from web.pages import show
from web.records import named_by, one
from web.timeline import Lane, Span, Timeline, timeline

pages = Blueprint("subscription", __name__)

LONGEST = timedelta(days=800)
"""How far back the course goes."""

LANES = 12
"""How many items the course draws; the table below it has them all."""

RATED = 6
"""How many of the newest invoices are rated again."""

LEGEND = (("trial", "trial"), ("service", "in service"), ("leaving", "cancelled, still in service"),
          ("invoice", "invoiced"))  # fmt: skip


@pages.get("/subscriptions/<path:id>")
def shown(id: str) -> tuple[str, int]:
    """The page of a subscription; `after` says which page of its invoices."""
    with console().books() as books:
        row, others = one(books, "subscription", id)
        customer = lookups.name_of(books, row["customer_id"], row["integration"])
        items = terms.items_of(books, row)
        moves = terms.moves_of(books, row)
        catalogue = terms.catalogue_of(books, row, now())
        invoices, older = lookups.invoices_of(books, "subscription_id", id, places.wanted())
        rated = _rated(books, invoices) if request.args.get("show") == "rated" else None
    with operational.reading(console().engine) as session:
        ids = {invoice["invoice_id"] for invoice in invoices}
        found = [share for share in shares.of_customer(session, row["customer_id"]) if share.invoices & ids]
    return show(
        "subscription.html",
        row=row,
        others=others,
        customer=customer,
        items=items,
        moves=moves,
        catalogue=catalogue,
        course=course(row, items, invoices, now()),
        invoices=checked(invoices, found),
        older=older,
        rated=rated,
        named=named_by(entity=id),
    )


def _rated(
    books: DuckDBPyConnection, invoices: Sequence[Mapping[str, Any]]
) -> list[tuple[Mapping[str, Any], InvoiceCheck]]:
    """The newest invoices with every line rated again from the books as they are now; nothing is kept."""
    newest = [invoice for invoice in invoices if invoice["status"] != "void"][:RATED]
    dialects = console().warehouse.dialects
    return [
        (each, invoice_check(explain_invoice(books, each["invoice_id"], now(), each["integration"], dialects)))
        for each in newest
    ]


def course(
    row: Mapping[str, Any], items: Sequence[Mapping[str, Any]], invoices: Sequence[Mapping[str, Any]], now: datetime
) -> Timeline:
    """The subscription's phases, its items and what was invoiced, from its start to a little after now or its end."""
    began, ends = aware(row["started_at"]), aware(row["ended_at"] or row["cancel_at"])
    end = max(ends or now, now) + timedelta(days=20)
    lanes = [Lane("Subscription", tuple(_phases(row, ends)))]
    lanes += [
        Lane(item["price_name"] or item["item_id"], (_span(item["active_from"], item["active_to"], "in service"),))
        for item in items[:LANES]
    ]
    lanes.append(Lane("Invoices", tuple(_invoiced(invoices))))
    drawn = f"; the first {LANES} of {len(items)} items" if len(items) > LANES else ""
    note = f"Since {day(began)}{drawn}."
    return timeline("Course of the subscription", note, lanes, max(began, end - LONGEST), end, now, LEGEND)


def _invoiced(invoices: Sequence[Mapping[str, Any]]) -> Iterator[Span]:
    """The period of each invoice that stands."""
    for invoice in invoices:
        if invoice["period_start"] and invoice["period_end"] and invoice["status"] != "void":
            label = f"{invoice['number'] or invoice['invoice_id']}, {invoice['status']}"
            yield _span(invoice["period_start"], invoice["period_end"], label, "invoice")


def _phases(row: Mapping[str, Any], ends: datetime | None) -> list[Span]:
    trial, cancelled = aware(row["trial_end"]), aware(row["canceled_at"])
    start = aware(row["started_at"])
    found = []
    if trial and trial > start:
        found.append(Span(start, trial, f"trial until {day(trial)}", "trial"))
        start = trial
    if cancelled and ends and start < cancelled < ends:
        found.append(Span(start, cancelled, "in service"))
        return [*found, Span(cancelled, ends, f"cancelled {day(cancelled)}", "leaving")]
    return [*found, Span(start, ends, f"ended {day(ends)}" if row["ended_at"] else "in service")]


def _span(start: datetime, end: datetime | None, label: str, look: str = "service") -> Span:
    return Span(aware(start), aware(end), label, look)
