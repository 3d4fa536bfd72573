"""Reads an item's raw events page by page, each with what is odd about it: a copy of another one, late, refused.

A copy is equal to an event that was received before it in source, type, subject, time, value and properties, under
another id (rules/usage/duplicate_events.yaml). Late is what came in after the invoice of its period had been made
(detector/derived/36_usage_asked.sql).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from duckdb import DuckDBPyConnection

from web import places
from web.console import rows
from web.lookups import EVENTS_OF_ITEM, Row, bounds
from web.places import Place

KINDS: Mapping[str, tuple[str, str]] = {
    "all": ("All", "TRUE"),
    "duplicates": ("Duplicates", "repeated AND status = 'accepted'"),
    "late": ("Late", "late AND status = 'accepted'"),
    "refused": ("Refused", "status <> 'accepted'"),
}
"""What the events can be narrowed to: the name on the page, and what it asks of an event."""

MOST = 100_000
"""How many events a sheet has at most."""

_JUDGED = f"""
    WITH cut AS (
        SELECT l.period_start, l.period_end, i.created_at
        FROM books.invoice_lines AS l
        JOIN books.invoices AS i ON i.integration = l.integration AND i.invoice_id = l.invoice_id
        WHERE l.item_id = $item_id AND l.kind = 'usage' AND i.status <> 'void'
    ), judged AS (
        SELECT e.*, row_number() OVER same > 1 AS repeated,
            coalesce(e.received_at > (
                SELECT min(cut.created_at) FROM cut WHERE cut.period_start <= e.time AND e.time < cut.period_end
            ), FALSE) AS late
        {EVENTS_OF_ITEM}
        WINDOW same AS (
            PARTITION BY e.source, e.event_type, e.subject, e.time, e.value, CAST(e.properties AS VARCHAR)
            ORDER BY e.received_at, e.event_id)
    )"""


def page(
    books: DuckDBPyConnection,
    item: Mapping[str, Any],
    start: datetime,
    end: datetime,
    which: str,
    after: Place | None,
    most: int = 50,
) -> tuple[list[Row], str | None]:
    """The newest events between two instants that are of the kind, after a place in that list, each with `repeated`
    and `late`; and the place where the next page starts.
    """
    if not item.get("event_type"):
        return [], None
    query = f"""{_JUDGED}
        SELECT * FROM judged
        WHERE {KINDS[which][1]} AND ($at IS NULL OR (time, event_id) < (CAST($at AS TIMESTAMP), $after))
        ORDER BY time DESC, event_id DESC LIMIT $most"""
    values = {"at": after[0] if after else None, "after": after[1] if after else "", "most": most + 1}
    found = rows(books, query, {**bounds(item, start, end), "item_id": item["item_id"], **values})
    last = found[most - 1] if len(found) > most else None
    return found[:most], places.written(last["time"], last["event_id"]) if last else None


def counts(books: DuckDBPyConnection, item: Mapping[str, Any], start: datetime, end: datetime) -> Mapping[str, int]:
    """How many events of each kind there are between two instants."""
    if not item.get("event_type"):
        return dict.fromkeys(KINDS, 0)
    counted = ", ".join(f'count(*) FILTER ({asks}) AS "{name}"' for name, (_, asks) in KINDS.items())
    values = {**bounds(item, start, end), "item_id": item["item_id"]}
    return rows(books, f"{_JUDGED} SELECT {counted} FROM judged", values)[0]
