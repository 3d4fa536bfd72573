"""The books as plain tables in memory: for the cases inside rules, and for binding a query before anything is run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb

from billing.books import TABLES
from store.rows import arrow
from store.schema import creation

Rows = Mapping[str, Sequence[Mapping[str, Any]]]


def open(rows: Rows) -> duckdb.DuckDBPyConnection:
    """A DuckDB in memory whose schema `books` holds every table with these typed rows; the caller closes it."""
    con = duckdb.connect(":memory:", config={"python_enable_replacements": False})
    con.execute(
        "SET TimeZone = 'UTC'; SET threads = 1; CREATE SCHEMA books"
    )  # a few rows: threads cost more than they save
    for table in TABLES:
        con.execute(creation(table))
    for name, given in rows.items():
        for integration in sorted({str(row["integration"]) for row in given}):
            _insert(con, name, [row for row in given if row["integration"] == integration], integration)
    return con


def _insert(con: duckdb.DuckDBPyConnection, table: str, rows: Sequence[Mapping[str, Any]], integration: str) -> None:
    con.register("given", arrow(table, rows, integration))
    stored = "TIMESTAMP '1970-01-01' AS synced_at, TIMESTAMP '1970-01-01' AS version_at"
    con.execute(f"INSERT INTO books.{table} BY NAME SELECT *, {stored} FROM given")
    con.unregister("given")
