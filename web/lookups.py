"""Reads single records of the books and what hangs on them, for the pages that a signal's records lead to.

Small queries by key on the newest snapshot. Nothing here decides what is right: expected amounts come from the
detector.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    found = rows(books, "SELECT * FROM books.subscription_items WHERE item_id = ? LIMIT 1", [id])
    if not found:
        return None
    own = found[0]
    query = """
        SELECT s.customer_id, s.status, s.timezone, c.name AS customer_name FROM books.subscriptions AS s
        LEFT JOIN books.customers AS c ON c.integration = s.integration AND c.customer_id = s.customer_id
        WHERE s.subscription_id = ? AND s.integration = ?"""
    of = rows(books, query, [own["subscription_id"], own["integration"]])
    terms = prices_of(books, [own], own["integration"]).get(own["price_id"], {})
    columns = ("price_name", "model", "currency", "meter_name", "event_type", "aggregation", "unit")
    unknown = dict.fromkeys(("customer_id", "status", "timezone", "customer_name"))
    priced = {name: terms.get(name) for name in columns} | {"meter_id": terms.get("known_meter")}
    return own | (of[0] if of else unknown) | priced


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


def prices_of(books: DuckDBPyConnection, items: Sequence[Row], integration: str) -> dict[str, Row]:
    """The prices of items by their ids, each with what its meter and its plan are called."""
    query = """
        SELECT p.price_id, p.name AS price_name, p.model, p.currency, p.unit_amount, p.flat_amount, p.payment_term,
            p.meter_id, m.meter_id AS known_meter, m.name AS meter_name, m.event_type, m.aggregation, m.unit,
            l.name AS plan_name, l.version AS plan_version, l.plan_id
        FROM books.prices AS p
        LEFT JOIN books.plans AS l ON l.integration = p.integration AND l.plan_id = p.plan_id
        LEFT JOIN books.meters AS m ON m.integration = p.integration AND m.meter_id = p.meter_id
        WHERE p.integration = $integration AND p.price_id = ANY($ids)"""
    ids = list({item["price_id"] for item in items})
    return {row["price_id"]: row for row in rows(books, query, {"integration": integration, "ids": ids})}


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
    return added_up(books, of, DAY, *events_of(books, of, start, end)) if of.get("event_type") else []


def hourly(books: DuckDBPyConnection, of: Mapping[str, Any], start: datetime, end: datetime) -> list[Row]:
    """The same by UTC hour: hour, quantity, events."""
    span = "date_trunc('hour', e.time) AS hour"
    return added_up(books, of, span, *events_of(books, of, start, end)) if of.get("event_type") else []


DAY = "CAST(e.time AS DATE) AS day"


def added_up(
    books: DuckDBPyConnection, of: Mapping[str, Any], span: str, events: str, values: Mapping[str, Any]
) -> list[Row]:
    """What the accepted ones of an item's events come to by its meter in each span; `events` as `events_of` has it."""
    aggregate = _AGGREGATES[of["aggregation"]]
    property = {"property": "$.value"} if "$property" in aggregate else {}
    query = f"SELECT {span}, {aggregate} AS quantity, count(*) AS events {events} AND e.status = 'accepted'"
    return rows(books, f"{query} GROUP BY ALL ORDER BY 1", {**values, **property})


def events_of(
    books: DuckDBPyConnection, item: Mapping[str, Any], start: datetime, end: datetime
) -> tuple[str, dict[str, Any]]:
    """From where the item's events between two instants are read, with the condition, and the values of that."""
    subjects = attribution.subjects_of(Books(books, now()), item["customer_id"])
    owned, values = attribution.owned(subjects, start, end, keyed=True)
    asks = f"{owned} AND e.event_type = $event_type AND e.time >= $start AND e.time < $end"
    return f"FROM books.usage_events AS e WHERE {asks}", {
        **values,
        "event_type": item["event_type"],
        "start": start.replace(tzinfo=None),
        "end": end.replace(tzinfo=None),
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
