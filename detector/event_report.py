"""What became of usage events: for every one the meter, item and line that counted it, or why none did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import duckdb

from billing.dialects import NAMED, Dialects
from detector import derived

OUTCOMES: Mapping[str, str] = {
    "billed": "a line of an invoice counts it",
    "on_draft": "a line of a draft counts it",
    "running": "its billing period has not ended",
    "not_billed": "its period has ended, and no line counts it",
    "no_item": "its customer had no item then that counts its type",
    "no_customer": "its subject belonged to no customer then",
    "no_meter": "no meter counts its type",
    "repeated": "an event received before is the same",
    "refused": "it was refused when it came in",
}
"""What can have become of an event, and what that means; the first three are as they should be."""

_NEEDED = ("usage_streams", "billed_lines", "periods", "repeated_events", "subject_owners", "meters", "invoices")

_TRACED = """
    CREATE OR REPLACE TEMP TABLE traced AS
    SELECT e.integration, e.source, e.event_id, e.event_type, e.subject, e.time, e.value, s.customer_id, s.meter_id,
        s.item_id, l.invoice_id, l.line_id, e.error,
        CASE
            WHEN e.status <> 'accepted' THEN 'refused'
            WHEN r.event_id IS NOT NULL THEN 'repeated'
            WHEN l.line_id IS NOT NULL AND i.status = 'draft' THEN 'on_draft'
            WHEN l.line_id IS NOT NULL THEN 'billed'
            WHEN s.item_no IS NOT NULL AND (p.item_no IS NULL OR p.period_end > as_of()) THEN 'running'
            WHEN s.item_no IS NOT NULL THEN 'not_billed'
            WHEN e.event_type NOT IN (SELECT event_type FROM meters) THEN 'no_meter'
            WHEN NOT EXISTS (
                SELECT 1 FROM subject_owners AS o
                WHERE o.subject = e.subject AND o.valid_from <= e.time AND e.time < o.valid_to) THEN 'no_customer'
            ELSE 'no_item'
        END AS outcome
    FROM books.usage_events AS e
    LEFT JOIN repeated_events AS r USING (integration, source, event_id)
    LEFT JOIN usage_streams AS s ON e.status = 'accepted' AND r.event_id IS NULL
        AND s.event_type = e.event_type AND s.subject = e.subject
        AND s.counts_from <= e.time AND e.time < s.counts_to
    LEFT JOIN billed_lines AS l ON l.item_no = s.item_no AND l.kind = 'usage'
        AND l.period_start <= e.time AND e.time < l.period_end
    LEFT JOIN invoices AS i ON i.integration = l.integration AND i.invoice_id = l.invoice_id
    LEFT JOIN periods AS p ON p.item_no = s.item_no AND p.period_start <= e.time AND e.time < p.period_end
    WHERE e.received_at <= as_of() AND e.time >= ? AND e.time < ? AND (? IS NULL OR e.event_id = ?)
    QUALIFY row_number() OVER (PARTITION BY e.integration, e.source, e.event_id, s.item_no ORDER BY l.line_no DESC) = 1
"""


@dataclass(frozen=True)
class Share:
    """The events of one type with one outcome: how many, and the latest of them."""

    outcome: str
    event_type: str
    events: int
    example: str


@dataclass(frozen=True)
class Traced:
    """The report: how many events there are, what became of them by type, and the single ones that were asked for.

    `rows` has a row for each event and item that counts it.
    """

    events: int
    shares: tuple[Share, ...]
    rows: tuple[Mapping[str, Any], ...] = ()

    def count(self, outcome: str) -> int:
        """How many events came to this."""
        return sum(share.events for share in self.shares if share.outcome == outcome)


def trace(
    con: duckdb.DuckDBPyConnection,
    as_of: datetime,
    start: datetime,
    end: datetime,
    *,
    event_id: str | None = None,
    dialects: Dialects = NAMED,
) -> Traced:
    """What became of the events that happened from `start` until `end`, as the books were known at `as_of`.

    `books.<table>` must resolve on `con`. With an `event_id` only of events of that id, each shown. Raises
    duckdb.Error.
    """
    derived.build(con, as_of, _NEEDED, dialects)
    con.execute(_TRACED, [_naive(start), _naive(end), event_id, event_id])
    shares = con.execute(
        "SELECT outcome, event_type, count(DISTINCT (integration, source, event_id)), arg_max(event_id, time) "
        "FROM traced GROUP BY ALL ORDER BY 3 DESC, 1, 2"
    ).fetchall()
    total = con.execute("SELECT count(DISTINCT (integration, source, event_id)) FROM traced").fetchone()
    return Traced(
        int(total[0]) if total else 0,
        tuple(Share(str(o), str(t), int(n), str(x)) for o, t, n, x in shares),
        _rows(con) if event_id else (),
    )


def _rows(con: duckdb.DuckDBPyConnection) -> tuple[Mapping[str, Any], ...]:
    result = con.execute("SELECT * FROM traced ORDER BY ALL LIMIT 100")
    names = [column[0] for column in result.description or ()]
    return tuple(dict(zip(names, row, strict=True)) for row in result.fetchall())


def _naive(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(tzinfo=None)
