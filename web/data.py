"""What the books hold and how fresh it is: sources, loads, rows per table."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from duckdb import DuckDBPyConnection
from flask import Blueprint
from sqlalchemy import select

from billing.books import TABLES
from store import operational
from store.operational_tables import Load
from web import freshness, jobs
from web.console import console, rows
from web.pages import show

pages = Blueprint("data", __name__)

LOADS = 30
"""How many of the latest loads the page lists."""


@dataclass(frozen=True)
class TableRows:
    """One table of the books: how many rows it has, and when the latest of them came in."""

    name: str
    note: str
    rows: int
    fresh: datetime | None


@pages.get("/data")
def listed() -> tuple[str, int]:
    """Sources, tables, loads."""
    with console().books() as books:
        found = tables(books)
    with operational.reading(console().engine) as session:
        loads = session.scalars(select(Load).order_by(Load.id.desc()).limit(LOADS)).all()
        return show(
            "data.html",
            sources=freshness.latest_loads(session),
            loads=loads,
            tables=found,
            asked=jobs.recent(session, "sync"),
            total=sum(table.rows for table in found),
            snapshot=console().warehouse.snapshot(),
        )


def tables(books: DuckDBPyConnection) -> list[TableRows]:
    """Every table, in one query."""
    query = " UNION ALL ".join(
        f"SELECT '{table.name}' AS name, count(*) AS held, max(synced_at) AS fresh FROM books.{table.name}"
        for table in TABLES
    )
    found = {row["name"]: row for row in rows(books, query)}
    return [
        TableRows(table.name, table.note, found[table.name]["held"], found[table.name]["fresh"]) for table in TABLES
    ]


def written(load: Load) -> dict[str, int]:
    """What a load did, over all tables: inserted, updated, unchanged, older, bad; zeros are left out."""
    sums: dict[str, int] = {}
    for counts in (load.rows or {}).values():
        for name, count in counts.items() if isinstance(counts, dict) else ():
            if isinstance(count, int) and count:
                sums[name] = sums.get(name, 0) + count
    return sums
