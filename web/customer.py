"""A customer: what is at risk by month, what is open, their subscriptions, their invoices beside what signals say."""

from __future__ import annotations

from flask import Blueprint, Response, request

from detector import customer_notes, shares
from store import operational
from web import lookups, places
from web.console import console, now
from web.exposure import Checked, checked, exposure_charts
from web.pages import show
from web.records import named_by, one
from web.sheets import csv_answer

pages = Blueprint("customer", __name__)

STATEMENT = ("invoice", "number", "status", "period start", "period end", "issued", "currency", "billed before tax",
             "expected", "too little", "too much", "exposed", "total with tax", "due", "signals")  # fmt: skip
MOST = 10_000
"""Invoices of one statement."""


@pages.get("/customers/<path:id>")
def shown(id: str) -> tuple[str, int]:
    """The page of a customer; `after` says which page of their invoices."""
    with console().books() as books:
        row, others = one(books, "customer", id)
        subscriptions = lookups.subscriptions_of(books, id)
        invoices, older = lookups.invoices_of(books, "customer_id", id, places.wanted())
        credits = lookups.credits_of(books, id)
    with operational.reading(console().engine) as session:
        found = shares.of_customer(session, id)
        notes, contacts = customer_notes.notes(session, id), customer_notes.contacts(session, id)
        session.expunge_all()
    return show(
        "customer.html",
        row=row,
        others=others,
        subscriptions=subscriptions,
        invoices=checked(invoices, found),
        older=older,
        credits=credits,
        money=shares.by_currency(found),
        charts=exposure_charts(found, now()),
        named=named_by(customer=id),
        notes=notes,
        contacts=contacts,
    )


@pages.get("/statement.csv")
def statement() -> Response:
    """Every invoice of `customer`, what was billed beside what open signals say should have been."""
    id = request.args.get("customer", "")
    with console().books() as books:
        row, _ = one(books, "customer", id)
        invoices, _ = lookups.invoices_of(books, "customer_id", id, None, MOST)
    with operational.reading(console().engine) as session:
        found = shares.of_customer(session, id)
    return csv_answer(f"statement-{row['customer_id']}", STATEMENT, map(_stated, checked(invoices, found)))


def _stated(each: Checked) -> list[object]:
    """One invoice as a row; money of different kinds stays apart."""
    row, said = each.row, each.said
    names = ("invoice_id", "number", "status", "period_start", "period_end", "issued_at", "currency")
    amounts = (said.under, said.over, said.exposure) if said else (None, None, None)
    signals = " ".join(f"SIG-{number}" for number in said.signals) if said else ""
    expected = each.billed if each.expected is None else each.expected
    return [*(row[name] for name in names), each.billed, expected, *amounts, row["total"], row["amount_due"], signals]
