"""Bringing rows into the books by key: what is new, what changed, what is older than what we have.

A row is told by its primary key, its content is every other column that a source may set. Content that equals what
is stored is not written again. Content known from an earlier instant (`version_at`) never replaces later content.
Usage events are append only: of one key the first stays, whatever comes later.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

import duckdb

from billing.books import BY_NAME
from billing.model import Table
from store.lake import ALIAS, name
from store.schema import columns

APPEND_ONLY = frozenset({"usage_events"})
"""Tables whose rows never change once they are stored."""

CONFLICTS_KEPT = 100
"""How many keys of conflicting events are named; all of them are counted."""

_NOT_CONTENT = frozenset({"synced_at", "version_at"})
_NOT_EVENT_CONTENT = _NOT_CONTENT | {"received_at", "external_url"}


@dataclass(frozen=True)
class Counts:
    """What became of the rows of one table. `conflicts` counts events whose key is stored with other content."""

    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    older: int = 0
    conflicts: int = 0
    conflict_ids: tuple[str, ...] = ()

    @property
    def written(self) -> int:
        """Rows that the books did not hold like this before."""
        return self.inserted + self.updated


def merge(
    con: duckdb.DuckDBPyConnection, table_name: str, relation: str, *, version_at: datetime, distinct: bool
) -> Counts:
    """Brings the rows of `relation` into `books.<table_name>` within the open transaction of `con`.

    `relation` has a subset of the table's columns, of exactly their types; a column that is not there is null.
    Its own `version_at`, where it has one and it is not null, goes before the given one. Unless the caller vouches
    that keys are `distinct`, of several rows with one key the newest version counts (of events the first received).
    Raises ValueError for a relation with other columns or types.
    """
    table = BY_NAME[table_name]
    given = _given(con, table, relation)
    every = _source(table, relation, given, version_at)
    source = every if distinct else _once(table, every)
    joined = _Join(table, source, own_version="version_at" in given)
    if _one(con, f"SELECT count(*) FROM (SELECT 1 FROM {_target(table)} LIMIT 1)"):
        counts, confirmed = joined.counts(con)
        if counts.updated or confirmed:
            con.execute(joined.merge())
        elif counts.inserted:
            _insert(con, table, joined.missing())
    else:
        counts = Counts(inserted=_insert(con, table, source))
    return counts if distinct or not joined.append_only else _add_repeated(con, joined, every, counts)


@dataclass(frozen=True)
class _Join:
    """The rows `s` that come in beside the rows `t` of the books with the same key, as SQL."""

    table: Table
    source: str
    own_version: bool

    @property
    def append_only(self) -> bool:
        """Whether rows of the table never change once they are there."""
        return self.table.name in APPEND_ONLY

    @property
    def keys(self) -> str:
        """SQL: both sides are the same record."""
        return " AND ".join(f"s.{name(key)} = t.{name(key)}" for key in self.table.primary_key)

    @property
    def differs(self) -> str:
        """SQL: both sides say something else of it."""
        ignored = _NOT_EVENT_CONTENT if self.append_only else _NOT_CONTENT
        content = [c for c in columns(self.table) if c not in ignored and c not in self.table.primary_key]
        return "(" + " OR ".join(f"s.{name(c)} IS DISTINCT FROM t.{name(c)}" for c in content) + ")"

    @property
    def replaces(self) -> str:
        """Rows to rewrite: other content of no older version, or the source says that its version is a newer one."""
        newer = "s.version_at > t.version_at"
        confirmed = f" OR {newer}" if self.own_version else ""
        return f"(({self.differs} AND s.version_at >= t.version_at){confirmed})"

    def counts(self, con: duckdb.DuckDBPyConnection) -> tuple[Counts, int]:
        """The counts, and how many unchanged rows have a newer version of the source's own."""
        matched = "t.integration IS NOT NULL"
        held = f"SELECT * FROM {_target(self.table)}"
        row = con.execute(
            f"""SELECT count(*), count(*) FILTER ({matched}), count(*) FILTER ({matched} AND {self.differs}),
                       count(*) FILTER ({matched} AND {self.differs} AND s.version_at < t.version_at),
                       count(*) FILTER ({matched} AND NOT {self.differs} AND s.version_at > t.version_at)
                FROM ({self.source}) s LEFT JOIN ({held}) t ON {self.keys}"""
        ).fetchone()
        total, here, different, older, confirmed = row or (0, 0, 0, 0, 0)
        if self.append_only:
            ids = self._conflicts(con) if different else ()
            return Counts(total - here, 0, here - different, 0, different, ids), 0
        confirmed = confirmed if self.own_version else 0
        return Counts(total - here, different - older, here - different, older), confirmed

    @property
    def shown_key(self) -> str:
        """SQL: the record's key as people read it."""
        return " || '/' || ".join(f"s.{name(part)}" for part in self.table.key)

    def _conflicts(self, con: duckdb.DuckDBPyConnection) -> tuple[str, ...]:
        rows = con.execute(
            f"""SELECT {self.shown_key} FROM ({self.source}) s JOIN {_target(self.table)} t ON {self.keys}
                WHERE {self.differs} ORDER BY 1 LIMIT {CONFLICTS_KEPT}"""
        ).fetchall()
        return tuple(row[0] for row in rows)

    def missing(self) -> str:
        """The rows whose key the books do not hold yet."""
        return f"SELECT * FROM ({self.source}) s ANTI JOIN {_target(self.table)} t ON {self.keys}"

    def merge(self) -> str:
        """One MERGE for rows that are new and rows that replace."""
        every = [name(column) for column in columns(self.table)]
        content = [column for column in every if column.strip('"') not in self.table.primary_key]
        return f"""MERGE INTO {_target(self.table)} t USING ({self.source}) s ON {self.keys}
            WHEN MATCHED AND {self.replaces} THEN UPDATE SET {", ".join(f"{c} = s.{c}" for c in content)}
            WHEN NOT MATCHED THEN INSERT ({", ".join(every)}) VALUES ({", ".join(f"s.{c}" for c in every)})"""


def _given(con: duckdb.DuckDBPyConnection, table: Table, relation: str) -> dict[str, str]:
    """The columns of the relation with their types, checked against the table."""
    given = {row[0]: row[1] for row in con.execute(f"DESCRIBE {relation}").fetchall()}
    expected = columns(table)
    for column, kind in given.items():
        if column not in expected:
            raise ValueError(f"{table.name} has no column {column!r}.")
        if kind != expected[column]:
            raise ValueError(f"{table.name}.{column} must be {expected[column]}, but {relation} has {kind}.")
    if "integration" not in given:
        raise ValueError(f"{relation} has no column 'integration': the key of {table.name} needs it.")
    return given


def _source(table: Table, relation: str, given: dict[str, str], version_at: datetime) -> str:
    """SELECT of every stored column, in order, from the relation."""
    version = f"coalesce(version_at, {literal(version_at)})" if "version_at" in given else literal(version_at)
    set_here = {"synced_at": literal(version_at), "version_at": version}
    chosen = [
        f"{set_here.get(column, name(column) if column in given else 'NULL')}::{kind} AS {name(column)}"
        for column, kind in columns(table).items()
    ]
    return f"SELECT {', '.join(chosen)} FROM {relation}"


def _once(table: Table, source: str) -> str:
    order = "received_at, time" if table.name in APPEND_ONLY else "version_at DESC"
    keys = ", ".join(name(key) for key in table.primary_key)
    return f"SELECT * FROM ({source}) QUALIFY row_number() OVER (PARTITION BY {keys} ORDER BY {order}) = 1"


def _add_repeated(con: duckdb.DuckDBPyConnection, joined: _Join, every: str, counts: Counts) -> Counts:
    """Counts the rows of append-only `every` that `joined` left out because an earlier one has their key."""
    more = _one(con, f"SELECT count(*) FROM ({every})") - _one(con, f"SELECT count(*) FROM ({joined.source})")
    if not more:
        return counts
    against_kept = f"({every}) s JOIN ({joined.source}) t ON {joined.keys} WHERE {joined.differs}"
    found = con.execute(f"SELECT {joined.shown_key} FROM {against_kept} ORDER BY 1").fetchall()
    return replace(
        counts,
        unchanged=counts.unchanged + more - len(found),
        conflicts=counts.conflicts + len(found),
        conflict_ids=(*counts.conflict_ids, *(row[0] for row in found))[:CONFLICTS_KEPT],
    )


def _insert(con: duckdb.DuckDBPyConnection, table: Table, source: str) -> int:
    return _one(con, f"INSERT INTO {_target(table)} {source}")


def _target(table: Table) -> str:
    return f"{ALIAS}.{name(table.name)}"


def _one(con: duckdb.DuckDBPyConnection, sql: str) -> int:
    row = con.execute(sql).fetchone()
    return int(row[0]) if row else 0


def literal(instant: datetime) -> str:
    """An aware instant as a TIMESTAMP literal in UTC. Raises ValueError for one without a timezone."""
    return f"TIMESTAMP '{utc(instant):%Y-%m-%d %H:%M:%S.%f}'"


def utc(instant: datetime) -> datetime:
    """An aware instant as the naive UTC that the lake stores. Raises ValueError for one without a timezone."""
    if instant.tzinfo is None:
        raise ValueError(f"The instant {instant.isoformat()} has no timezone.")
    return instant.astimezone(UTC).replace(tzinfo=None)
