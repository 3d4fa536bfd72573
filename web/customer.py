"""A customer: what is at risk by month, what is open, their subscriptions, their invoices beside what signals say."""

from __future__ import annotations

from flask import Blueprint

from detector import shares
from store import operational
from web import lookups, places
from web.console import console, now
from web.exposure import checked, exposure_charts
from web.pages import show
from web.records import named_by, one

pages = Blueprint("customer", __name__)


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
    )
