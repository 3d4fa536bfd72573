"""The books as plain tables in memory: for the cases inside rules, and for binding a query before anything is run."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
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
        "SET GLOBAL TimeZone = 'UTC'; SET threads = 1; CREATE SCHEMA books"
    )  # a few rows: threads cost more than they save
    for table in TABLES:
        con.execute(creation(table))
    con.begin()
    _put(con, rows)
    con.commit()
    return con


@contextmanager
def changed(base: Rows, rows: Rows) -> Iterator[duckdb.DuckDBPyConnection]:
    """Plain books as `open` makes them, for rows that are mostly those of `base`: this thread keeps their tables.

    Only the tables that differ are written, and are put back afterwards; what is made on the connection goes with it.
    """
    kept = _kept(base)
    differ = {name: rows.get(name, ()) for name in {*base, *rows} if [*rows.get(name, ())] != [*base.get(name, ())]}
    try:
        with closing(kept.cursor()) as con:
            con.begin()
            for name in differ:
                con.execute(f"DELETE FROM books.{name}")
            _put(con, differ)
            con.commit()
            yield con
        kept.begin()
        for name in differ:
            kept.execute(f"DELETE FROM books.{name}; INSERT INTO books.{name} FROM {_BASE}.{name}")
        kept.commit()
    except BaseException:
        _forget()
        raise


_BASE = "base"
"""The schema of the tables with the rows of the base, from which those of `books` are put back."""

_own = threading.local()
"""The plain books that a thread keeps, and the rows that they were opened with."""


def _kept(base: Rows) -> duckdb.DuckDBPyConnection:
    if getattr(_own, "base", None) is not base:
        _forget()
        con = open(base)
        con.execute(f"CREATE SCHEMA {_BASE}")
        for table in TABLES:
            con.execute(f"CREATE TABLE {_BASE}.{table.name} AS FROM books.{table.name}")
        _own.con, _own.base = con, base
    kept: duckdb.DuckDBPyConnection = _own.con
    return kept


def _forget() -> None:
    """Closes what this thread keeps."""
    if getattr(_own, "base", None) is not None:
        _own.con.close()
    _own.base = None


def _put(con: duckdb.DuckDBPyConnection, rows: Rows) -> None:
    for name, given in rows.items():
        for integration in sorted({str(row["integration"]) for row in given}):
            _insert(con, name, [row for row in given if row["integration"] == integration], integration)
    con.unregister("given")


def _insert(con: duckdb.DuckDBPyConnection, table: str, rows: Sequence[Mapping[str, Any]], integration: str) -> None:
    con.register("given", arrow(table, rows, integration))
    stored = "TIMESTAMP '1970-01-01' AS synced_at, TIMESTAMP '1970-01-01' AS version_at"
    con.execute(f"INSERT INTO books.{table} BY NAME SELECT *, {stored} FROM given")
