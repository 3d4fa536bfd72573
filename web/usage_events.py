"""Reads an item's raw events page by page, each with what is odd about it: a copy of another one, late, refused.

A copy is equal to an event that was received before it in source, type, subject, time, value and properties, under
another id (rules/usage/duplicate_events.yaml). Late is what came in after the invoice of its period had been made
(detector/derived/36_usage_asked.sql).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from duckdb import DuckDBPyConnection

from billing.books import BY_NAME
from store.schema import columns
from web import lookups, places
from web.console import rows
from web.lookups import DAY, Row, added_up
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

_COLUMNS = ", ".join(f"e.{name}" for name in columns(BY_NAME["usage_events"]))
_CAME = "(e.received_at, e.event_id, e.integration)"
_JUDGED = """
    CREATE OR REPLACE TEMP TABLE judged AS
    SELECT {columns}, {came} <> min({came}) OVER same AS repeated, EXISTS (
            FROM (SELECT unnest(CAST($starts AS TIMESTAMP[])) AS period_start,
                unnest(CAST($ends AS TIMESTAMP[])) AS period_end, unnest(CAST($made AS TIMESTAMP[])) AS made) AS cut
            WHERE cut.period_start <= e.time AND e.time < cut.period_end AND cut.made < e.received_at
        ) AS late
    {events}
    WINDOW same AS (
        PARTITION BY e.source, e.event_type, e.subject, e.time, e.value, CAST(e.properties AS VARCHAR))"""


@dataclass(frozen=True)
class Events:
    """An item's events between two instants, read and judged once on a connection; none of an item without a meter."""

    books: DuckDBPyConnection
    item: Mapping[str, Any]

    @property
    def _are_there(self) -> bool:
        return bool(self.item.get("event_type"))

    def by_day(self) -> list[Row]:
        """What they come to, as `lookups.daily`."""
        return added_up(self.books, self.item, DAY, "FROM judged AS e WHERE TRUE", {}) if self._are_there else []

    def counts(self) -> Mapping[str, int]:
        """How many there are of each kind."""
        counted = ", ".join(f'count(*) FILTER ({asks}) AS "{name}"' for name, (_, asks) in KINDS.items())
        return rows(self.books, f"SELECT {counted} FROM judged")[0] if self._are_there else dict.fromkeys(KINDS, 0)

    def page(self, which: str, after: Place | None, most: int = 50) -> tuple[list[Row], str | None]:
        """The newest that are of the kind, after a place in that list, each with `repeated` and `late`; and the place
        where the next page starts.
        """
        if not self._are_there:
            return [], None
        query = f"""
            SELECT * FROM judged
            WHERE {KINDS[which][1]} AND ($at IS NULL OR (time, event_id) < (CAST($at AS TIMESTAMP), $after))
            ORDER BY time DESC, event_id DESC LIMIT $most"""
        values = {"at": after[0] if after else None, "after": after[1] if after else "", "most": most + 1}
        found = rows(self.books, query, values)
        last = found[most - 1] if len(found) > most else None
        return found[:most], places.written(last["time"], last["event_id"]) if last else None


def events_of(
    books: DuckDBPyConnection, item: Mapping[str, Any], billed: Sequence[Row], start: datetime, end: datetime
) -> Events:
    """The item's events between two instants; `billed` are its invoice lines (lookups.billed)."""
    if item.get("event_type"):
        cuts = [row for row in billed if row["kind"] == "usage" and row["status"] != "void"]
        values = {
            "starts": [row["period_start"] for row in cuts],
            "ends": [row["period_end"] for row in cuts],
            "made": [row["created_at"] for row in cuts],
        }
        events, bounds = lookups.events_of(books, item, start, end)
        books.execute(_JUDGED.format(columns=_COLUMNS, came=_CAME, events=events), {**bounds, **values})
    return Events(books, item)
