"""Reads single records of the books and what hangs on them, for the pages that a signal's records lead to.

Small queries by key on the newest snapshot. Nothing here decides what is right: expected amounts come from the
detector.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from duckdb import DuckDBPyConnection

from billing.books import BY_NAME
from detector import attribution
from detector.line_records import Books
from detector.record_tables import KEYS, TABLES, TYPES
from web import places
from web.console import now, rows
from web.places import Place

__all__ = ["KEYS", "TABLES", "TYPES"]

Row = dict[str, Any]

MOST = 200


def name_of(books: DuckDBPyConnection, customer: str, integration: str) -> str | None:
    """The customer's name."""
    query = "SELECT name FROM books.customers WHERE customer_id = ? AND integration = ?"
    found = books.execute(query, [customer, integration]).fetchone()
    return found[0] if found else None


def record(books: DuckDBPyConnection, type: str, id: str) -> list[Row]:
    """Every row with the id; more than one only where several sources use it."""
    return rows(books, f"SELECT * FROM books.{TABLES[type]} WHERE {KEYS[type]} = ? LIMIT 20", [id])


def subscriptions_of(books: DuckDBPyConnection, customer: str) -> list[Row]:
    """The customer's subscriptions with their plan's name, the newest first."""
    return rows(
        books,
        """
        SELECT s.*, p.name AS plan_name, p.version AS plan_version
        FROM books.subscriptions AS s
        LEFT JOIN books.plans AS p ON p.integration = s.integration AND p.plan_id = s.plan_id
        WHERE s.customer_id = ? ORDER BY s.started_at DESC LIMIT 200""",
        [customer],
    )


def invoices_of(
    books: DuckDBPyConnection, column: str, id: str, after: Place | None = None, most: int = 24
) -> tuple[list[Row], str | None]:
    """The newest invoices of a customer (`customer_id`) or subscription (`subscription_id`) after a place in that
    list, and the place where the next page starts; None at the end.
    """
    assert column in ("customer_id", "subscription_id")
    found = rows(
        books,
        f"""
        SELECT * FROM books.invoices
        WHERE {column} = $id AND ($at IS NULL OR (created_at, invoice_id) < (CAST($at AS TIMESTAMP), $after))
        ORDER BY created_at DESC, invoice_id DESC LIMIT $most""",
        {"id": id, "at": after[0] if after else None, "after": after[1] if after else "", "most": most + 1},
    )
    last = found[most - 1] if len(found) > most else None
    return found[:most], places.written(last["created_at"], last["invoice_id"]) if last else None


def credits_of(books: DuckDBPyConnection, customer: str) -> list[Row]:
    """What the credit ledger says the customer has left, by currency, with when it was last booked."""
    return rows(
        books,
        """
        SELECT currency, arg_max(balance_after, sequence) AS balance, max(booked_at) AS booked_at, count(*) AS movements
        FROM books.credit_movements WHERE customer_id = ? GROUP BY ALL ORDER BY currency""",
        [customer],
    )


def lines_of(books: DuckDBPyConnection, invoice: str, integration: str) -> list[Row]:
    """The invoice's lines with the price's name and the credit notes issued for them."""
    of = {"invoice": invoice, "integration": integration}
    lines = rows(
        books,
        """
        SELECT * FROM books.invoice_lines WHERE invoice_id = $invoice AND integration = $integration
        ORDER BY period_start NULLS LAST, line_id LIMIT 500""",
        of,
    )
    query = "SELECT price_id, name, model FROM books.prices WHERE integration = $integration AND price_id = ANY($ids)"
    ids = list({line["price_id"] for line in lines})
    prices = {row["price_id"]: row for row in rows(books, query, {"integration": integration, "ids": ids})}
    query = """
        SELECT line_id, sum(amount) AS credited FROM books.credit_notes
        WHERE invoice_id = $invoice AND integration = $integration AND status = 'issued' GROUP BY ALL"""
    credited = {row["line_id"]: row["credited"] for row in rows(books, query, of)}
    for line in lines:
        price = prices.get(line["price_id"], {})
        line |= {"price_name": price.get("name"), "model": price.get("model")}
        line["credited"] = credited.get(line["line_id"], Decimal(0))
    return lines


def payments_of(books: DuckDBPyConnection, invoice: str) -> list[Row]:
    """The invoice's payments, the newest first."""
    return rows(books, "SELECT * FROM books.payments WHERE invoice_id = ? ORDER BY created_at DESC LIMIT 50", [invoice])


def notes_of(books: DuckDBPyConnection, invoice: str) -> list[Row]:
    """The invoice's credit notes, the newest first."""
    query = "SELECT * FROM books.credit_notes WHERE invoice_id = ? ORDER BY created_at DESC LIMIT 50"
    return rows(books, query, [invoice])


def tiers_of(books: DuckDBPyConnection, price: str) -> list[Row]:
    """The price's tiers in order."""
    return rows(books, "SELECT * FROM books.price_tiers WHERE price_id = ? ORDER BY tier LIMIT 200", [price])


def item(books: DuckDBPyConnection, id: str) -> Row | None:
    """The item with its subscription, customer, price and meter."""
    found = rows(
        books,
        """
        SELECT i.*, s.customer_id, s.status, s.timezone, c.name AS customer_name, p.name AS price_name, p.model,
            p.currency, m.meter_id, m.name AS meter_name, m.event_type, m.aggregation, m.unit
        FROM books.subscription_items AS i
        LEFT JOIN books.subscriptions AS s ON s.integration = i.integration AND s.subscription_id = i.subscription_id
        LEFT JOIN books.customers AS c ON c.integration = s.integration AND c.customer_id = s.customer_id
        LEFT JOIN books.prices AS p ON p.integration = i.integration AND p.price_id = i.price_id
        LEFT JOIN books.meters AS m ON m.integration = p.integration AND m.meter_id = p.meter_id
        WHERE i.item_id = ? LIMIT 1""",
        [id],
    )
    return found[0] if found else None


def metered_items_of(books: DuckDBPyConnection, subscription: str, integration: str | None) -> list[Row]:
    """The metered items of a subscription: item, meter and price by id and name; those in service first."""
    return rows(
        books,
        """
        SELECT i.item_id, i.active_to, m.meter_id, m.name AS meter_name, p.name AS price_name
        FROM books.subscription_items AS i
        JOIN books.prices AS p ON p.integration = i.integration AND p.price_id = i.price_id
        JOIN books.meters AS m ON m.integration = p.integration AND m.meter_id = p.meter_id
        WHERE i.subscription_id = $subscription AND i.integration = coalesce($integration, i.integration)
        ORDER BY i.active_to DESC NULLS FIRST, i.active_from DESC, i.item_id LIMIT 50""",
        {"subscription": subscription, "integration": integration},
    )


EVENTS_OF_ITEM = f"""
    FROM books.usage_events AS e
    SEMI JOIN ({attribution.SUBJECTS}) AS m ON {attribution.KEYED}
    WHERE e.event_type = $event_type AND e.time >= $start AND e.time < $end"""
"""An item's events between two instants, from the copy that is near; `bounds` has the values."""

_AGGREGATES = {
    "sum": "sum(e.value)",
    "count": "CAST(count(*) AS DECIMAL(27, 9))",
    "max": "max(e.value)",
    "min": "min(e.value)",
    "avg": "CAST(avg(e.value) AS DECIMAL(27, 9))",
    "latest": "arg_max(e.value, e.time)",
    "unique_count": """CAST(count(DISTINCT coalesce(
        json_extract_string(e.properties, $property), CAST(e.value AS VARCHAR))) AS DECIMAL(27, 9))""",
}


DAY = "CAST(e.time AS DATE) AS day"


def daily(books: DuckDBPyConnection, of: Mapping[str, Any], start: datetime, end: datetime) -> list[Row]:
    """The item's usage by UTC day between two instants: day, quantity, events. Days without events have no row."""
    return added_up(books, of, DAY, EVENTS_OF_ITEM, bounds(books, of, start, end)) if of.get("event_type") else []


def hourly(books: DuckDBPyConnection, of: Mapping[str, Any], start: datetime, end: datetime) -> list[Row]:
    """The same by UTC hour: hour, quantity, events."""
    span = "date_trunc('hour', e.time) AS hour"
    return added_up(books, of, span, EVENTS_OF_ITEM, bounds(books, of, start, end)) if of.get("event_type") else []


def added_up(
    books: DuckDBPyConnection, of: Mapping[str, Any], span: str, events: str, values: Mapping[str, Any]
) -> list[Row]:
    """What the accepted ones of an item's events come to by its meter in each span; `events`: as EVENTS_OF_ITEM."""
    aggregate = _AGGREGATES[of["aggregation"]]
    property = {"property": "$.value"} if "$property" in aggregate else {}
    query = f"SELECT {span}, {aggregate} AS quantity, count(*) AS events {events} AND e.status = 'accepted'"
    return rows(books, f"{query} GROUP BY ALL ORDER BY 1", {**values, **property})


def bounds(books: DuckDBPyConnection, of: Mapping[str, Any], start: datetime, end: datetime) -> dict[str, Any]:
    """What EVENTS_OF_ITEM asks for."""
    return {
        "event_type": of["event_type"],
        "start": start.replace(tzinfo=None),
        "end": end.replace(tzinfo=None),
        **attribution.subjects_of(Books(books, now()), of["customer_id"]),
    }


def reported(books: DuckDBPyConnection, item_id: str, most: int) -> list[Row]:
    """What the billing system recorded for the item, the newest first."""
    query = "SELECT * FROM books.reported_usage WHERE item_id = ? ORDER BY period_start DESC LIMIT ?"
    return rows(books, query, [item_id, most])


def billed(books: DuckDBPyConnection, item_id: str) -> list[Row]:
    """The item's invoice lines with what their invoice says of itself, the newest first."""
    return rows(
        books,
        """
        SELECT l.line_id, l.invoice_id, l.kind, l.period_start, l.period_end, l.quantity, l.unit_amount, l.amount,
            i.number, i.status, i.currency, i.created_at
        FROM books.invoice_lines AS l
        JOIN books.invoices AS i ON i.integration = l.integration AND i.invoice_id = l.invoice_id
        WHERE l.item_id = ? ORDER BY l.period_start DESC, l.line_id""",
        [item_id],
    )


def found(books: DuckDBPyConnection, text: str) -> list[tuple[str, str, str]]:
    """Records that a person may mean: exact ids and invoice numbers, then customers by name. (type, id, name)"""
    by_id = " UNION ALL ".join(
        f"SELECT '{type}' AS type, {key} AS id, {_name(table)} AS name FROM books.{table} WHERE {key} = $text"
        for type, key, table in ((type, KEYS[type], TABLES[type]) for type in TABLES)
    )
    named = """
        SELECT 'invoice', invoice_id, number FROM books.invoices WHERE number = $text
        UNION ALL
        SELECT 'customer', customer_id, name FROM books.customers WHERE contains(lower(name), lower($text))"""
    query = f"SELECT DISTINCT * FROM ({by_id} UNION ALL {named}) ORDER BY name, id LIMIT 50"
    return [(row["type"], row["id"], row["name"]) for row in rows(books, query, {"text": text})]


def _name(table: str) -> str:
    columns = BY_NAME[table].by_name
    return next((column for column in ("name", "number", "description") if column in columns), "NULL")
