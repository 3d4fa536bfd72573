"""A small company as books rows, and its derived relations: a test says only what matters to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import duckdb

from detector import derived, plain_books

Row = dict[str, Any]


def at(text: str) -> datetime:
    """An instant from ISO text; UTC where no offset is written."""
    instant = datetime.fromisoformat(text)
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


DEFAULTS: dict[str, Row] = {
    "customers": {"customer_id": "cus", "name": "Acme", "status": "active", "created_at": at("2025-01-01")},
    "subjects": {"subject": "acme", "customer_id": "cus", "kind": "subject", "valid_from": at("2025-01-01")},
    "meters": {"meter_id": "calls", "name": "Calls", "event_type": "call", "aggregation": "sum"},
    "prices": {
        "price_id": "per_call",
        "meter_id": "calls",
        "name": "Calls",
        "model": "per_unit",
        "currency": "USD",
        "cadence": "P1M",
        "payment_term": "in_arrears",
        "unit_amount": Decimal("0.10"),
        "status": "active",
    },
    "price_tiers": {"price_id": "per_call"},
    "subscriptions": {
        "subscription_id": "sub",
        "customer_id": "cus",
        "status": "active",
        "currency": "USD",
        "started_at": at("2025-01-01"),
        "billing_anchor": at("2025-01-01"),
        "cadence": "P1M",
        "timezone": "UTC",
        "collection_method": "charge_automatically",
    },
    "subscription_items": {
        "item_id": "item",
        "subscription_id": "sub",
        "price_id": "per_call",
        "active_from": at("2025-01-01"),
    },
    "usage_events": {"source": "app", "event_type": "call", "subject": "acme", "value": 1, "status": "accepted"},
    "reported_usage": {"item_id": "item", "status": "processed"},
    "invoices": {
        "customer_id": "cus",
        "subscription_id": "sub",
        "status": "open",
        "currency": "USD",
        "subtotal": 0,
        "discount_total": 0,
        "tax_total": 0,
        "credits_applied": 0,
        "total": 0,
        "amount_paid": 0,
        "amount_due": 0,
    },
    "invoice_lines": {
        "invoice_id": "inv",
        "subscription_id": "sub",
        "item_id": "item",
        "kind": "usage",
        "amount": 0,
        "discount_amount": 0,
        "tax_amount": 0,
        "proration": False,
    },
    "credit_notes": {"invoice_id": "inv", "customer_id": "cus", "currency": "USD", "status": "issued"},
    "discounts": {"kind": "percent", "starts_at": at("2025-01-01")},
    "price_overrides": {"customer_id": "cus", "price_id": "per_call", "valid_from": at("2025-01-01")},
}
ALWAYS = ("customers", "subjects", "meters", "prices", "subscriptions", "subscription_items")


def rows(**given: list[Row]) -> dict[str, list[Row]]:
    """The books: one metered item of one customer, unless `given` has rows for the table; defaults fill each row."""
    tables = {table: given.get(table, [{}]) for table in ALWAYS} | given
    return {
        table: [{"integration": "files"} | DEFAULTS.get(table, {}) | row for row in found]
        for table, found in tables.items()
    }


@contextmanager
def derived_from(*relations: str, as_of: str = "2025-04-01", **given: list[Row]) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with these relations, and what they are made from, derived from such books."""
    with closing(plain_books.open(rows(**given))) as con:
        derived.build(con, at(as_of), relations)
        yield con


def event(event_id: str, time: str, value: object = 1, received: str | None = None, **more: Any) -> Row:
    """A usage event, received when it happened unless said otherwise."""
    given = value if value is None else Decimal(str(value))
    return {"event_id": event_id, "time": at(time), "value": given, "received_at": at(received or time), **more}


def invoice(invoice_id: str = "inv", created: str = "2025-02-01", **more: Any) -> Row:
    """An issued invoice."""
    return {"invoice_id": invoice_id, "created_at": at(created), "issued_at": at(created), **more}


def line(line_id: str, start: str, end: str, quantity: object, amount: object, **more: Any) -> Row:
    """A usage line of the item."""
    billed = None if quantity is None else Decimal(str(quantity))
    return {
        "line_id": line_id,
        "period_start": at(start),
        "period_end": at(end),
        "raw_quantity": billed,
        "quantity": billed,
        "amount": Decimal(str(amount)),
        **more,
    }


def said(con: duckdb.DuckDBPyConnection, query: str) -> list[tuple[Any, ...]]:
    """The rows of a query, decimals without the zeros at their end."""
    return [tuple(_plain(value) for value in row) for row in con.execute(query).fetchall()]


def _plain(value: Any) -> Any:
    return f"{value.normalize():f}" if isinstance(value, Decimal) else value
