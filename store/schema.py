"""How the tables of the books are stored: SQL types derived from billing.model, and the columns that Trueup adds."""

from __future__ import annotations

from billing.books import TABLES
from billing.model import DECIMAL_PLACES, Kind, Table
from store.lake import ALIAS, name

CURSORS = "_cursors"
"""The table of cursors: it lies in the lake, so that a cursor moves in the same transaction as the rows."""

STORED = {"synced_at": "TIMESTAMP", "version_at": "TIMESTAMP"}
"""Columns that Trueup sets: when the row was last written, and the instant from which its content is known."""


def sql_type(kind: Kind) -> str:
    """The DuckDB type of a kind of value. Instants are TIMESTAMP in UTC, JSON is text."""
    if kind in DECIMAL_PLACES:
        digits, places = DECIMAL_PLACES[kind]
        return f"DECIMAL({digits},{places})"
    return {Kind.TS: "TIMESTAMP", Kind.INT: "BIGINT", Kind.BOOL: "BOOLEAN"}.get(kind, "VARCHAR")


def columns(table: Table) -> dict[str, str]:
    """Every stored column of a table with its SQL type, in order; the columns that Trueup sets come last."""
    return {column.name: sql_type(column.kind) for column in table.by_name.values()} | STORED


def required(table: Table) -> frozenset[str]:
    """The stored columns that are never null."""
    own = {column.name for column in table.columns if not column.optional}
    return frozenset(own | {"integration", *STORED})


def creation(table: Table) -> str:
    """CREATE TABLE of one table of the books."""
    needed = required(table)
    lines = [
        f"{name(column)} {kind}{' NOT NULL' if column in needed else ''}" for column, kind in columns(table).items()
    ]
    return f"CREATE TABLE IF NOT EXISTS {ALIAS}.{name(table.name)} ({', '.join(lines)})"


def additions(table: Table, existing: set[str]) -> list[str]:
    """ALTER TABLE statements for columns described since the lake was made. Rows that are there hold null in them."""
    return [
        f"ALTER TABLE {ALIAS}.{name(table.name)} ADD COLUMN {name(column)} {kind}"
        for column, kind in columns(table).items()
        if column not in existing
    ]


def statements(existing: dict[str, set[str]]) -> list[str]:
    """What has to run so that a lake with `existing` (table -> columns) holds every table as described now."""
    cursors = f"CREATE TABLE {ALIAS}.{CURSORS} (integration VARCHAR, stream VARCHAR, value VARCHAR, moved_at TIMESTAMP)"
    needed = [] if CURSORS in existing else [cursors]
    for table in TABLES:
        here = existing.get(table.name)
        needed += [creation(table)] if here is None else additions(table, here)
    return needed
