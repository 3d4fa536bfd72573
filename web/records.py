"""The pages of an invoice line and of any record by its fields, and what all pages of records have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from duckdb import DuckDBPyConnection
from flask import Blueprint, abort, request

from billing.books import BY_NAME
from billing.model import Kind
from detector import inbox
from detector.explain import explain
from detector.explain_text import reason_text
from detector.inbox import Filter
from store import operational
from store.operational_tables import Signal
from web import lookups
from web.addresses import address
from web.console import console, now
from web.match import line_numbers, match
from web.pages import show
from web.what_if import tried, what_if_form
from web.working import working

pages = Blueprint("records", __name__)

SHOWN = 20
"""How many signals a page of a record lists."""


@dataclass(frozen=True)
class NamedBy:
    """The open signals that name a record, the first of them; how many are open, how many there ever were, and where
    all of them are listed.
    """

    first: tuple[Signal, ...]
    opened: int
    every: int
    address: str


@pages.get("/lines/<path:id>")
def line(id: str) -> tuple[str, int]:
    """An invoice line: how its amount should come about, beside what was billed."""
    with console().books() as books:
        row, others = one(books, "invoice_line", id)
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
            named=named_by(entity=id),
        )


@pages.get("/records/<type>/<path:id>")
def record(type: str, id: str) -> tuple[str, int]:
    """Any record by its fields, whatever its type; a source or integration by the signals that name it."""
    named = named_by(entity=id)
    if type not in lookups.TABLES:
        if not named.every:
            abort(404, description=f"There is no {type[:40]} {id[:80]} in the books.")
        return show("record.html", type=type, id=id, rows=[], tiers=[], named=named, sources=[id])
    with console().books() as books:
        found = lookups.record(books, type, id)
        if not found:
            abort(404, description=f"There is no {type} {id[:80]} in the books.")
        tiers = lookups.tiers_of(books, id) if type == "price" else []
    sources = [row["integration"] for row in found]
    fields = [_fields(type, row) for row in found]
    return show("record.html", type=type, id=id, rows=fields, tiers=tiers, named=named, sources=sources)


def one(books: DuckDBPyConnection, type: str, id: str) -> tuple[dict[str, Any], list[str]]:
    """The record of the integration that the address names, else the first, and the other integrations that have it.

    Answers 404 when no record has the id.
    """
    found = lookups.record(books, type, id)
    if not found:
        abort(404, description=f"There is no {type.replace('_', ' ')} {id[:80]} in the books.")
    wanted = request.args.get("integration")
    row = next((row for row in found if row["integration"] == wanted), found[0])
    return row, [other["integration"] for other in found if other is not row]


def named_by(*, customer: str = "", entity: str = "") -> NamedBy:
    """The signals that name a customer or another record."""
    wanted = Filter(view="every", status="any", customer=customer, entity=entity)
    with operational.reading(console().engine) as session:
        opened = inbox.page(session, replace(wanted, status="open"), now(), limit=SHOWN)
        every = inbox.overview(session, wanted, now()).total
    return NamedBy(opened.items, opened.total, every, address(wanted))


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
