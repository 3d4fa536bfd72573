"""The books beside what a source says now: how many rows each has, a checksum of both, and which rows are apart."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import duckdb

from billing.books import BY_NAME
from store.lake import ALIAS, name, text
from store.rows import Row, arrow
from store.schema import columns
from store.warehouse import Warehouse

NAMED = 100
"""Keys that are named of each kind of difference; all of them are counted."""

TOLD = 1_000
"""Records of each kind of difference that are told with what both sides say of them."""

FACTS = (
    "customer_id", "subscription_id", "item_id", "price_id", "plan_id", "invoice_id", "status", "currency", "number",
    "quantity", "total", "amount", "started_at", "cancel_at", "ended_at", "active_from", "active_to", "period_start",
    "period_end", "created_at",
)  # fmt: skip
"""Columns that tell whose a record is, in which state, and how much it is about."""

_NOT_CONTENT = frozenset({"synced_at", "version_at"})


@dataclass(frozen=True)
class Apart:
    """Rows that are apart in one way: how many, and the first of their keys."""

    count: int = 0
    keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class Differing:
    """One record that is apart: its key, in which way, which columns differ, and what each side says of it."""

    key: str
    way: str  # missing | different | only_here
    changed: tuple[str, ...]
    there: Mapping[str, Any] | None
    here: Mapping[str, Any] | None


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
    records: tuple[Differing, ...] = ()

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
    told = f"SELECT {named}, {key_shown(table)} AS shown, hash({content}) AS sum"
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE beside AS
            WITH s AS (
                {told} FROM {_seen(table)} QUALIFY row_number() OVER (PARTITION BY {named} ORDER BY rowid DESC) = 1
            ), t AS ({told} FROM {ALIAS}.{name(table)} WHERE integration = {text(integration)})
            SELECT {named}, coalesce(s.shown, t.shown) AS shown, s.sum AS source, t.sum AS books
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
        records=tuple(_records(con, table)),
    )


def key_shown(table: str) -> str:
    """SQL for a row's key without the integration, as it is told."""
    return " || '/' || ".join(name(key) for key in BY_NAME[table].primary_key if key != "integration")


def _apart(con: duckdb.DuckDBPyConnection, way: str) -> Apart:
    chosen = f"SELECT shown, count(*) OVER () FROM beside WHERE {way} ORDER BY shown LIMIT {NAMED}"
    found = con.execute(chosen).fetchall()
    return Apart(int(found[0][1]), tuple(str(row[0]) for row in found)) if found else Apart()


def _records(con: duckdb.DuckDBPyConnection, table: str) -> Iterator[Differing]:
    """The first of the records that are apart in each way, with what both sides say of them."""
    named = ", ".join(name(key) for key in BY_NAME[table].primary_key)
    kept = columns(BY_NAME[table])
    facts = [fact for fact in FACTS if fact in kept] or [BY_NAME[table].primary_key[-1]]
    sides = (
        ", ".join(f"{name(fact)} := CAST({side}.{name(fact)} AS VARCHAR)" for fact in facts) for side in ("s", "t")
    )
    there, here = (f"to_json(struct_pack({side}))" for side in sides)
    changed = ", ".join(
        f"CASE WHEN s.{name(column)} IS DISTINCT FROM t.{name(column)} THEN {text(column)} END"
        for column in kept
        if column not in _NOT_CONTENT
    )
    rows = con.execute(
        f"""WITH apart AS (
                SELECT *, CASE WHEN books IS NULL THEN 'missing' WHEN source IS NULL THEN 'only_here'
                    ELSE 'different' END AS way
                FROM beside WHERE source IS DISTINCT FROM books
                QUALIFY row_number() OVER (PARTITION BY way ORDER BY shown) <= {TOLD}
            ), s AS (
                SELECT * FROM {_seen(table)} AS seen SEMI JOIN apart USING ({named})
                QUALIFY row_number() OVER (PARTITION BY {named} ORDER BY seen.rowid DESC) = 1
            )
            SELECT a.shown, a.way, list_filter([{changed}], lambda each: each IS NOT NULL),
                CASE WHEN a.source IS NOT NULL THEN {there} END, CASE WHEN a.books IS NOT NULL THEN {here} END
            FROM apart AS a
            LEFT JOIN s USING ({named})
            LEFT JOIN {ALIAS}.{name(table)} AS t USING ({named})
            ORDER BY a.way, a.shown"""
    ).fetchall()
    for shown, way, columns_apart, said, held in rows:
        differing = tuple(columns_apart) if way == "different" else ()
        yield Differing(str(shown), str(way), differing, _said(said), _said(held))


def _said(value: str | None) -> dict[str, Any] | None:
    """The facts of one side that are not null."""
    return None if value is None else {fact: said for fact, said in json.loads(value).items() if said is not None}


def _seen(table: str) -> str:
    return f"temp.{name(f'seen_{table}')}"
