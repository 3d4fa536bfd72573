"""How much comes in of an integration: rows of the last day beside a usual one, each table's rows, numbers left out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median

import duckdb
from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.books import TABLES
from detector import derived
from store.operational_tables import Load

DAY = timedelta(days=1)
BEFORE = 14
"""Days that a usual one is told by."""

LEAST_DAYS = 3
"""Days with a load, without which nothing is usual."""

FEW = 20
"""A day that usually brings fewer rows says nothing by bringing none."""


@dataclass(frozen=True)
class Flow:
    """Rows that syncs brought in the last 24 hours, and on a usual day; None before a few days are known."""

    day: int = 0
    usual: int | None = None

    @property
    def low(self) -> bool:
        """Whether far less came in than usual."""
        return self.usual is not None and self.usual >= FEW and self.day < self.usual / 2


@dataclass(frozen=True)
class Held:
    """How many rows of a table the books hold of one integration, and when one was last written."""

    table: str
    rows: int
    written_at: datetime


@dataclass(frozen=True)
class Hole:
    """Invoice numbers that the books lack between two that they have."""

    after: str
    before: str
    left_out: int


def flows(session: Session, now: datetime) -> dict[str, Flow]:
    """By integration, of everything that was ever loaded lately."""
    query = select(Load).where(Load.finished_at >= now - (BEFORE + 1) * DAY, Load.rows.is_not(None))
    days: dict[str, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for load in session.scalars(query):
        if load.finished_at is not None:
            days[load.integration][(now - load.finished_at) // DAY] += _written(load)
    return {name: Flow(held.get(0, 0), _usual(held)) for name, held in days.items()}


def _usual(days: Mapping[int, int]) -> int | None:
    """The middle of the days before the last, since the first that is known of."""
    first = max(days)
    before = [days.get(day, 0) for day in range(1, first + 1)]
    return round(median(before)) if len(before) >= LEAST_DAYS else None


def _written(load: Load) -> int:
    return sum(int(counts.get(way, 0)) for counts in (load.rows or {}).values() for way in ("inserted", "updated"))


def held(books: duckdb.DuckDBPyConnection) -> dict[str, list[Held]]:
    """The tables that hold rows of each integration."""
    parts = " UNION ALL ".join(
        f"SELECT integration, '{table.name}' AS held, count(*) AS many, max(synced_at) AS last FROM books.{table.name} "
        "GROUP BY integration"
        for table in TABLES
    )
    found: dict[str, list[Held]] = {}
    for name, table, many, last in books.execute(parts).fetchall():
        found.setdefault(str(name), []).append(Held(str(table), int(many), last.replace(tzinfo=UTC)))
    return found


def holes(books: duckdb.DuckDBPyConnection, integration: str | None = None) -> dict[str, Sequence[Hole]]:
    """Invoice numbers that were left out, by integration: records that never came in."""
    books.execute("CREATE OR REPLACE TEMP VIEW invoices AS FROM books.invoices")  # all that is derived of nothing else
    books.execute(derived.derivation("number_gaps").sql)
    found: dict[str, list[Hole]] = {}
    gaps = "SELECT integration, number, next_number, left_out FROM number_gaps ORDER BY integration, series, place"
    for name, after, before, left_out in books.execute(gaps).fetchall():
        if integration in (None, name):
            found.setdefault(str(name), []).append(Hole(str(after), str(before), int(left_out)))
    return dict(found)
