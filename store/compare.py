"""The books beside what a source says now: how many rows each has, a checksum of both, and which rows are apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

import duckdb

from billing.books import BY_NAME
from store.lake import ALIAS, name, text
from store.rows import Row, arrow
from store.schema import columns
from store.warehouse import Warehouse

NAMED = 100
"""Keys that are named of each kind of difference; all of them are counted."""

_NOT_CONTENT = frozenset({"synced_at", "version_at"})


@dataclass(frozen=True)
class Apart:
    """Rows that are apart in one way: how many, and the first of their keys."""

    count: int = 0
    keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class Compared:
    """One table: rows there and here, a checksum of all content of each, and what is apart.

    missing: there and not in the books. different: with other content. only_here: not there (any more).
    """

    table: str
    source: int
    books: int
    source_sum: str
    books_sum: str
    missing: Apart
    different: Apart
    only_here: Apart

    @property
    def agrees(self) -> bool:
        """Whether the books hold everything that is there, as it is there."""
        return not self.missing.count and not self.different.count


def compare(
    warehouse: Warehouse, integration: str, pages: Iterable[Mapping[str, Sequence[Row]]], tables: Sequence[str]
) -> list[Compared]:
    """Compares the rows of a whole reading with the books, table by table; of a row that comes twice the last counts.

    Nothing is written to the books, and the rows of the reading may be more than fit in memory.
    """
    with closing(warehouse.connect(read_only=True)) as con:
        for table in tables:
            con.execute(f"CREATE TEMP TABLE {_seen(table)} AS SELECT * FROM {ALIAS}.{name(table)} LIMIT 0")
        for page in pages:
            for table, rows in page.items():
                if rows and table in tables:
                    con.register("arrived", arrow(table, rows, integration))
                    con.execute(f"INSERT INTO {_seen(table)} BY NAME SELECT * FROM arrived")
                    con.unregister("arrived")
        return [_compared(con, table, integration) for table in tables]


def _compared(con: duckdb.DuckDBPyConnection, table: str, integration: str) -> Compared:
    keys = BY_NAME[table].primary_key
    named = ", ".join(name(key) for key in keys)
    content = ", ".join(name(column) for column in columns(BY_NAME[table]) if column not in _NOT_CONTENT)
    shown = " || '/' || ".join(name(key) for key in keys if key != "integration")
    told = f"SELECT {named}, {shown} AS shown, hash({content}) AS sum"
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE beside AS
            WITH s AS (
                {told} FROM {_seen(table)} QUALIFY row_number() OVER (PARTITION BY {named} ORDER BY rowid DESC) = 1
            ), t AS ({told} FROM {ALIAS}.{name(table)} WHERE integration = {text(integration)})
            SELECT coalesce(s.shown, t.shown) AS shown, s.sum AS source, t.sum AS books
            FROM s FULL JOIN t USING ({named})"""
    )
    counted = con.execute(
        "SELECT count(source), count(books), coalesce(bit_xor(source), 0), coalesce(bit_xor(books), 0) FROM beside"
    ).fetchone()
    source, books, source_sum, books_sum = counted or (0, 0, 0, 0)
    return Compared(
        table,
        source,
        books,
        f"{source_sum:016x}",
        f"{books_sum:016x}",
        missing=_apart(con, "books IS NULL"),
        different=_apart(con, "source <> books"),
        only_here=_apart(con, "source IS NULL"),
    )


def _apart(con: duckdb.DuckDBPyConnection, way: str) -> Apart:
    chosen = f"SELECT shown, count(*) OVER () FROM beside WHERE {way} ORDER BY shown LIMIT {NAMED}"
    found = con.execute(chosen).fetchall()
    return Apart(int(found[0][1]), tuple(str(row[0]) for row in found)) if found else Apart()


def _seen(table: str) -> str:
    return f"temp.{name(f'seen_{table}')}"
