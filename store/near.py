"""The books kept near: the latest snapshot as plain DuckDB tables of this process, for reading single records fast.

Opening a table of the lake costs tens of milliseconds each time, a plain table almost nothing. `gather` copies, aside
from any page, what is not copied yet; whatever was written since is read in the lake until it is copied again. All
tables are always of one and the same snapshot. The copy is a file that goes with its process.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import duckdb

from billing.books import BY_NAME, TABLES
from store.held import EVENTS, Held, rows
from store.lake import ALIAS, latest, name, text
from store.schema import columns

LAKE = "lake"
"""The name of the lake itself beside its copy."""

MOST = 2_000_000
"""A table of more rows is not copied, but read in the lake; usage events see `MOST_EVENTS`."""

MOST_EVENTS = 10_000_000
"""As `MOST`, for usage events: each is small, and new ones are added to the copy."""

TOGETHER = ("customer_id", "subscription_id", "item_id", "invoice_id")
"""Copied rows lie in the order of those of these columns that their table has: what belongs to one record is then read
from a block or two, not from all over the table."""

BLOCK = 16_384
"""The rows of a block. DuckDB knows the least and the most of each column of it: a block that cannot hold a key is not
read, and in one that can a row costs what stands before it."""

KEY = "subject_key"
"""hash(subject), on events: copied ones lie in its order, so that one customer's are found without reading all."""


class Near:
    """The copy of one warehouse in one process, shared by its threads."""

    def __init__(
        self,
        open_lake: Callable[[], duckdb.DuckDBPyConnection],
        changed: Callable[[int], set[str]],
        folder: Path,
        *,
        most: int = MOST,
        most_events: int = MOST_EVENTS,
        prepare: Callable[[duckdb.DuckDBPyConnection], None] = lambda con: None,
        held: Sequence[Held] = (),
    ) -> None:
        """`open_lake` opens the lake as `lake`; `changed` names the tables touched after a snapshot; `folder`: where
        the file goes; `most`, `most_events`: the rows of a table that is copied; `prepare` is called once when lake and
        copy are open; `held`: usage that is read where it lies, for which events are not copied. Nothing is opened yet.
        """
        self._open_lake, self._changed, self._prepare = open_lake, changed, prepare
        self._most, self._most_events = most, -1 if held else most_events
        self._held, self._beside = held, ""
        self._path = folder / f"near-{os.getpid()}-{uuid4().hex[:8]}.duckdb"
        self._con: duckdb.DuckDBPyConnection | None = None
        self._snapshot: int | None = None
        self._copied: set[str] = set()
        self._lock, self._gathering = threading.Lock(), threading.Lock()

    def connect(self) -> duckdb.DuckDBPyConnection:
        """A connection on which `books.<table>` is the latest snapshot; the caller closes it, writes nothing.

        Raises duckdb.Error and LakeError as the lake does.
        """
        with self._lock:
            self._refresh()
            return self._instance().cursor()

    @property
    def snapshot(self) -> int | None:
        """The snapshot that connections show; None before the first."""
        return self._snapshot

    @property
    def copied(self) -> frozenset[str]:
        """The tables that lie here as plain ones."""
        return frozenset(self._copied)

    def gather(self) -> None:
        """Copies the tables that are not copied as they are now: seconds for millions of rows, so not for a page."""
        with self._gathering, closing(self.connect()) as con:
            many = _rows(con)
            for table in (table.name for table in TABLES):
                most = self._most_events if table == EVENTS else self._most
                if table not in self._copied and many.get(table, 0) <= most:
                    self._copy(con, table)

    def close(self) -> None:
        """Lets go of the copy and removes its file."""
        with self._lock:
            if self._con is not None:
                self._con.close()
            self._con, self._snapshot, self._copied = None, None, set()
            for path in (self._path, self._path.with_name(f"{self._path.name}.wal")):
                path.unlink(missing_ok=True)

    def _instance(self) -> duckdb.DuckDBPyConnection:
        if self._con is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            con = self._open_lake()
            con.execute(f"ATTACH {text(str(self._path))} AS {ALIAS} (ROW_GROUP_SIZE {BLOCK})")
            self._beside = "".join(rows(con, self._held))
            self._prepare(con)
            self._con = con
        return self._con

    def _refresh(self) -> None:
        """What was written since the last look is read in the lake, at one snapshot; new events join those copied."""
        with closing(self._instance().cursor()) as con:
            newest = latest(con, LAKE)
            if newest == self._snapshot:
                return
            copied = set(self._copied)
            with _transaction(con):
                for table in self._touched():
                    if not (table == EVENTS and table in copied and self._adds(con, newest)):
                        if table in copied:
                            con.execute(f"DROP TABLE {ALIAS}.{name(table)}")
                        copied.discard(table)
                        lies = f"SELECT * FROM {_at(table, newest)}"
                        if table == EVENTS:
                            lies = f"SELECT *, hash(subject) AS {KEY} FROM ({lies}{self._beside})"
                        con.execute(f"CREATE OR REPLACE VIEW {ALIAS}.{name(table)} AS {lies}")
            self._snapshot, self._copied = newest, copied

    def _touched(self) -> set[str]:
        every = {table.name for table in TABLES}
        return every if self._snapshot is None else self._changed(self._snapshot) & every

    def _adds(self, con: duckdb.DuckDBPyConnection, latest: int) -> bool:
        """Adds the new events to those copied, for events never change; whether that makes them the lake's."""
        named = ", ".join(map(name, columns(BY_NAME[EVENTS])))
        since = f"ducklake_table_insertions('{LAKE}', 'main', '{EVENTS}', {(self._snapshot or 0) + 1}, {latest})"
        added = f"SELECT {named}, hash(subject) AS {KEY} FROM {since} ORDER BY {KEY}, time"
        con.execute(f"INSERT INTO {ALIAS}.{EVENTS} BY NAME {added}")
        return _count(con, f"{ALIAS}.{EVENTS}") == _count(con, _at(EVENTS, latest))

    def _copy(self, con: duckdb.DuckDBPyConnection, table: str) -> None:
        """Copies a table aside, then puts the copy in its place unless the books moved on meanwhile."""
        of = self._snapshot
        lies = (KEY, "time") if table == EVENTS else [each for each in TOGETHER if each in BY_NAME[table].by_name]
        order = f"ORDER BY {', '.join(lies)}" if lies else ""
        con.execute(f"CREATE OR REPLACE TABLE {ALIAS}.gathered AS SELECT * FROM {ALIAS}.{name(table)} {order}")
        with self._lock:
            if of == self._snapshot:
                with _transaction(con):
                    con.execute(f"DROP VIEW {ALIAS}.{name(table)}")
                    con.execute(f"ALTER TABLE {ALIAS}.gathered RENAME TO {name(table)}")
                self._copied.add(table)


@contextmanager
def _transaction(con: duckdb.DuckDBPyConnection) -> Iterator[None]:
    con.begin()
    try:
        yield
        con.commit()
    except BaseException:
        with suppress(duckdb.Error):
            con.rollback()
        raise


def _rows(con: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """About how many rows each table of the lake has."""
    found = con.execute(f"SELECT table_name, estimated_size FROM duckdb_tables() WHERE database_name = '{LAKE}'")
    return dict(found.fetchall())


def _count(con: duckdb.DuckDBPyConnection, relation: str) -> int:
    row = con.execute(f"SELECT count(*) FROM {relation}").fetchone()
    return int(row[0]) if row else 0


def _at(table: str, snapshot: int) -> str:
    return f"{LAKE}.{name(table)} AT (VERSION => {snapshot})"
