"""An invoice: each line as expected and as billed, its own sums, how its draft stands at the gate, what was paid."""

from __future__ import annotations

from flask import Blueprint

from detector import shares
from detector.explain_invoice import explain_invoice
from remediation import gate
from store import operational
from web import freshness, lookups
from web.console import console, now
from web.invoice_check import invoice_check
from web.pages import show
from web.records import named_by, one

pages = Blueprint("invoice", __name__)


@pages.get("/invoices/<path:id>")
def shown(id: str) -> tuple[str, int]:
    """The page of an invoice."""
    with console().books() as books:
        row, others = one(books, "invoice", id)
        explained = explain_invoice(books, id, now(), row["integration"], console().warehouse.dialects)
        lines = lookups.lines_of(books, id, row["integration"])
        payments, notes = lookups.payments_of(books, id), lookups.notes_of(books, id)
    late = freshness.behind()
    with operational.reading(console().engine) as session:
        draft = gate.of_draft(session, row, late, now())
        money, _ = shares.on_all(session, [id])
    return show(
        "invoice.html",
        row=row,
        others=others,
        customer=explained.invoice.customer_name,
        lines=lines,
        payments=payments,
        notes=notes,
        checked=invoice_check(explained),
        money=money,
        draft=draft,
        named=named_by(entity=id),
    )
