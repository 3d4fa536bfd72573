"""The warehouse: the books in a DuckLake, on a SQLite or PostgreSQL catalog."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import duckdb

from billing.books import BY_NAME, TABLES
from billing.dialects import Dialect
from store.cursors import Cursors, move, read
from store.held import EVENTS, Held, put_beside
from store.lake import ALIAS, Catalog, instance, latest, name, text
from store.near import LAKE, MOST, MOST_EVENTS, Near
from store.rows import Row, arrow
from store.schema import statements
from store.upsert import APPEND_ONLY, Counts, literal, merge
from store.writing import again_when_lost, sole_writer

__all__ = ["Counts", "Warehouse"]

T = TypeVar("T")

_ROW_CHANGES = ("tables_inserted_into", "tables_deleted_from", "inlined_insert", "inlined_delete")
"""The kinds of change in a snapshot that touch rows; flushing and compacting do not."""


class Warehouse:
    """The books of one home. One object serves a whole process and all its threads."""

    def __init__(
        self,
        catalog: str,
        data_path: Path | str,
        dialects: Mapping[str, Dialect] | None = None,
        held: Sequence[Held] = (),
    ) -> None:
        """`catalog`: "sqlite:/abs/catalog.sqlite" or "postgres:dbname=... host=..."; `data_path`: where files go.

        `dialects`: how the integrations bill whose records these are, by name; one that is left out speaks the dialect
        of its name (billing.dialects.dialect_of). `held`: usage that is read where it lies. Nothing is opened or made
        yet. Raises ValueError for a catalog of another kind.
        """
        self.catalog = Catalog.parse(catalog)
        self.data_path = str(data_path) if "://" in str(data_path) else str(Path(data_path).absolute())
        self.dialects = dict(dialects or {})
        self.held = tuple(held)
        self._open: dict[bool, duckdb.DuckDBPyConnection] = {}
        self._opening = threading.Lock()
        self.near = self.copy()
        """The latest snapshot as plain tables of this process: for reading single records many times."""

    def copy(
        self,
        most: int = MOST,
        most_events: int = MOST_EVENTS,
        prepare: Callable[[duckdb.DuckDBPyConnection], None] = lambda con: None,
    ) -> Near:
        """A copy of the latest snapshot in this process, see store.near; the caller closes it."""
        return Near(
            self._lake,
            self.changes_since,
            self._spill,
            most=most,
            most_events=most_events,
            prepare=prepare,
            held=self.held,
        )

    @property
    def places(self) -> list[str]:
        """The folders that reading the lake touches, beside where DuckDB spills to."""
        catalog = [str(Path(self.catalog.place).parent)] if self.catalog.scheme == "sqlite" else []
        return [self.data_path, *catalog, *(folder for each in self.held for folder in each.folders)]

    def connect(self, *, snapshot: int | None = None, read_only: bool = False) -> duckdb.DuckDBPyConnection:
        """A connection on which `books.<table>` is the lake: as it is now, or as it was at `snapshot` (read only).

        Connections without a snapshot share one DuckDB in memory (temporary relations stay each connection's own)
        and cost a millisecond; with a snapshot each has a DuckDB of its own, so that it can be locked down.
        The caller closes it. Raises LakeError.
        """
        if snapshot is not None:
            return self._reading(snapshot)
        with self._opening:
            if read_only not in self._open:
                opened = self._reading(None) if read_only else self._instance(snapshot=None, read_only=False)
                self._open[read_only] = opened
            return self._open[read_only].cursor()

    def _reading(self, snapshot: int | None) -> duckdb.DuckDBPyConnection:
        """The lake for reading, with the usage that lies elsewhere beside its own."""
        if not self.held:
            return self._instance(snapshot=snapshot, read_only=True)
        con = self._instance(snapshot=snapshot, read_only=True, alias=LAKE)
        put_beside(con, self.held, LAKE)
        return con

    def _instance(self, *, snapshot: int | None, read_only: bool, alias: str = ALIAS) -> duckdb.DuckDBPyConnection:
        if self.catalog.scheme == "sqlite":
            Path(self.catalog.place).parent.mkdir(parents=True, exist_ok=True)
        if "://" not in self.data_path:
            Path(self.data_path).mkdir(parents=True, exist_ok=True)
        return instance(self.catalog, self.data_path, self._spill, snapshot=snapshot, read_only=read_only, alias=alias)

    def _lake(self) -> duckdb.DuckDBPyConnection:
        return self._instance(snapshot=None, read_only=True, alias=LAKE)

    @property
    def _spill(self) -> Path:
        """Where DuckDB puts what does not fit in memory: beside the data, or in a temporary folder of the machine."""
        if "://" in self.data_path:
            return Path(tempfile.gettempdir()) / "trueup-spill"
        return Path(self.data_path).parent / "spill"

    def close(self) -> None:
        """Closes what connections share. Connections that are still open go on working."""
        with self._opening:
            for con in self._open.values():
                con.close()
            self._open.clear()
        self.near.close()

    def create(self) -> None:
        """Makes every table of the books that is not there, and adds columns described since. Safe to repeat."""
        with closing(self.connect()) as con:
            self.alone(con, lambda: _bring_up_to_date(con))
        _sweep(self._spill)

    def snapshot(self) -> int:
        """The id of the latest snapshot. Every commit that changed something made one."""
        with closing(self.connect()) as con:
            return latest(con, ALIAS)

    def snapshots(self) -> list[tuple[int, datetime]]:
        """Every snapshot since the first that brought rows, oldest first, with the instant at which it was made."""
        kinds = ", ".join(f"'{kind}'" for kind in _ROW_CHANGES)
        with closing(self.connect()) as con:
            listed = con.execute(
                f"SELECT snapshot_id, timezone('UTC', snapshot_time), list_has_any(map_keys(changes), [{kinds}]) "
                f"FROM {ALIAS}.snapshots() ORDER BY snapshot_id"
            ).fetchall()
        first = next((place for place, (_, _, brought) in enumerate(listed) if brought), len(listed))
        return [(int(number), made.replace(tzinfo=UTC)) for number, made, _ in listed[first:]]

    def upsert(
        self,
        con: duckdb.DuckDBPyConnection,
        staged: Mapping[str, str],
        *,
        version_at: datetime,
        cursors: Cursors | None = None,
        load: str | None = None,
        distinct: bool = False,
    ) -> dict[str, Counts]:
        """Brings staged relations on `con` into the books, all tables and cursors in one transaction.

        `staged`: table of the books -> relation with a subset of its columns, `integration` always; `version_at`:
        the instant from which the content is known, unless a row has its own (which then must be the source's, not
        the time of reading: a newer one is stored even where nothing else changed). `distinct`: no key occurs
        twice in a relation. `load` is noted in the snapshot. Data that is already there makes no snapshot.
        Waits for other writers; a lost commit race is tried again. Raises ValueError for wrong relations and for a
        row without a value that its table needs.
        """

        def write() -> dict[str, Counts]:
            """Everything of one transaction: the rows, and the cursors with them."""
            counts = {
                table: merge(con, table, relation, version_at=version_at, distinct=distinct)
                for table, relation in staged.items()
            }
            moved = move(con, cursors or {}, version_at)
            if load and (moved or any(count.written for count in counts.values())):
                con.execute(f"CALL {ALIAS}.set_commit_message('trueup', ?)", [load])
            return counts

        try:
            return self.alone(con, write)
        except duckdb.ConstraintException as error:
            raise ValueError(f"A row lacks a value that the books need: {error}") from error

    def upsert_rows(
        self,
        rows: Mapping[str, Sequence[Row]],
        *,
        integration: str,
        version_at: datetime,
        cursors: Cursors | None = None,
        load: str | None = None,
    ) -> dict[str, Counts]:
        """As `upsert`, for rows as Python values: table -> rows, whose `integration` is the given one unless set.

        Raises ValueError naming table, column and value for one that the column cannot hold exactly.
        """
        tables = {table: arrow(table, chosen, integration) for table, chosen in rows.items() if chosen}
        with closing(self.connect()) as con:
            for table, content in tables.items():
                con.register(f"staged_{table}", content)
            staged = {table: f"staged_{table}" for table in tables}
            distinct = not APPEND_ONLY.intersection(tables)
            return self.upsert(con, staged, version_at=version_at, cursors=cursors, load=load, distinct=distinct)

    def cursor(self, integration: str, stream: str) -> str | None:
        """Where the stream of the integration was read up to; None before its first upsert with a cursor."""
        with closing(self.connect()) as con:
            return read(con, integration, stream)

    def counts(self, integration: str | None = None) -> dict[str, int]:
        """How many rows each table of the books holds, of one integration or of all."""
        only = "" if integration is None else f" WHERE integration = {text(integration)}"
        selected = " UNION ALL ".join(f"SELECT '{t.name}', count(*) FROM {ALIAS}.{name(t.name)}{only}" for t in TABLES)
        with closing(self.connect()) as con:
            return dict(con.execute(selected).fetchall())

    def latest_version(self, integration: str, tables: Sequence[str]) -> datetime | None:
        """The latest instant as of which any row of the integration in these tables is known."""
        if not tables:
            return None
        own = f"WHERE integration = {text(integration)}"
        parts = " UNION ALL ".join(f"SELECT max(version_at) AS latest FROM {ALIAS}.{name(t)} {own}" for t in tables)
        with closing(self.connect()) as con:
            row = con.execute(f"SELECT max(latest) FROM ({parts})").fetchone()
        return row[0].replace(tzinfo=UTC) if row and row[0] else None

    def changes_since(self, snapshot: int) -> set[str]:
        """The tables of the books in which rows were written or removed after `snapshot`, or may have been."""
        with closing(self.connect()) as con:
            listed = con.execute(
                f"SELECT changes FROM {ALIAS}.snapshots() WHERE snapshot_id > ?", [snapshot]
            ).fetchall()
            names = dict(con.execute(f"SELECT table_id, table_name FROM ducklake_table_info('{ALIAS}')").fetchall())
        touched = {
            names.get(int(table))
            for (changes,) in listed
            for kind, tables in changes.items()
            if kind in _ROW_CHANGES
            for table in tables
        }
        always = {EVENTS} if self.held else set()  # nobody says when they change
        return {table for table in touched if table in BY_NAME} | always

    def drafts_since(self, snapshot: int) -> set[str]:
        """The integrations of which draft invoices were written or changed after `snapshot`."""
        with closing(self.connect()) as con:
            newest = self.snapshot()
            if newest <= snapshot:
                return set()
            changes = f"ducklake_table_changes('{ALIAS}', 'main', 'invoices', {int(snapshot) + 1}, {newest})"
            rows = con.execute(
                f"SELECT DISTINCT integration FROM {changes} "
                "WHERE status = 'draft' AND change_type IN ('insert', 'update_postimage')"
            ).fetchall()
        return {str(integration) for (integration,) in rows}

    def compact(self, now: datetime, *, files: int = 50) -> None:
        """Joins the small files that many small writes leave, once a table has more than `files` of them.

        Every snapshot stays readable. Files that were joined are removed after a day, when no reader holds them.
        """
        with sole_writer(self.catalog, self.data_path), closing(self.connect()) as con:
            most = con.execute(f"SELECT max(file_count) FROM ducklake_table_info('{ALIAS}')").fetchone()
            if most and (most[0] or 0) > files:
                again_when_lost(lambda: con.execute(f"CALL ducklake_merge_adjacent_files('{ALIAS}')"))
            day_ago = f"{literal(now - timedelta(days=1))}::TIMESTAMPTZ"
            again_when_lost(lambda: con.execute(f"CALL ducklake_cleanup_old_files('{ALIAS}', older_than => {day_ago})"))

    def alone(self, con: duckdb.DuckDBPyConnection, write: Callable[[], T]) -> T:
        """One transaction on `con` around `write`, under the lake's lock; a lost commit race is tried again."""
        with sole_writer(self.catalog, self.data_path):
            return again_when_lost(lambda: _transaction(con, write))


def _transaction(con: duckdb.DuckDBPyConnection, write: Callable[[], T]) -> T:
    con.begin()
    try:
        result = write()
        con.commit()
    except BaseException:
        with suppress(duckdb.TransactionException):  # a commit that failed has already ended the transaction
            con.rollback()
        raise
    return result


def _bring_up_to_date(con: duckdb.DuckDBPyConnection) -> None:
    existing: dict[str, set[str]] = {}
    listed = con.execute(f"SELECT table_name, column_name FROM duckdb_columns() WHERE database_name = '{ALIAS}'")
    for table, column in listed.fetchall():
        existing.setdefault(table, set()).add(column)
    for statement in statements(existing):
        con.execute(statement)


def _sweep(spill: Path) -> None:
    """Removes what processes that were killed left in the spill folder more than a day ago, by the disk's clock."""
    if not spill.is_dir():
        return
    os.utime(spill)
    day_ago = spill.stat().st_mtime - 86_400
    for entry in spill.iterdir():
        if entry.stat().st_mtime > day_ago:
            continue
        if entry.is_dir():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)
