"""Usage that stays in the company's own warehouse: attached read-only beside the lake, and read there through a view.

Nothing of it is copied into the books. On connections that read, `books.usage_events` is what the books hold together
with it. A snapshot of the lake does not hold it still: what a run saw of it is told by `received_at` alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from billing.books import BY_NAME, TABLES
from store.lake import ALIAS, LakeError, load, name, text
from store.schema import CURSORS, columns, sql_type

EVENTS = "usage_events"
PREFIX = "held_"
"""What the names of attached sources begin with."""

COPIED_KINDS = ("postgres", "sqlite")
"""Kinds of which a run takes one copy for itself: reading them again for each relation would cost more."""

_SCANNERS = {"postgres": "postgres_scanner", "sqlite": "sqlite_scanner"}
_OPTIONS = {"duckdb": "(READ_ONLY)", "parquet": ""}


@dataclass(frozen=True)
class Held:
    """The usage of one integration where it lies.

    `kind`: postgres, sqlite, duckdb or parquet. `address`: a connection string, a file, or the folder of the files.
    `source`: the table or view, or of parquet a pattern of files below the folder. `columns`: column of usage_events ->
    column there. `values`: the same in every row. `is_unique`: no event is there twice. `wrong`: why it cannot even be
    tried, where the configuration says no more.
    """

    integration: str
    kind: str
    address: str = field(repr=False)
    source: str
    columns: Mapping[str, str]
    values: Mapping[str, object]
    is_unique: bool = False
    wrong: str | None = None

    @property
    def folders(self) -> list[str]:
        """The folders of this machine that reading it touches."""
        if self.kind == "postgres" or not self.address:
            return []
        return [self.address if self.kind == "parquet" else str(Path(self.address).parent)]

    def attached(self, con: duckdb.DuckDBPyConnection) -> str:
        """Attaches it read-only; the query that gives its rows as usage_events holds them. Raises LakeError."""
        if self.wrong:
            raise LakeError(self._told(self.wrong))
        try:
            if scanner := _SCANNERS.get(self.kind):
                load(con, scanner)
            place = "':memory:'" if self.kind == "parquet" else text(self.address)
            options = _OPTIONS.get(self.kind, f"(TYPE {self.kind}, READ_ONLY)")
            con.execute(f"ATTACH {place} AS {self._alias} {options}")
            there = con.execute(f"DESCRIBE SELECT * FROM {self._relation}").fetchall()
        except (duckdb.Error, OSError) as error:
            raise LakeError(self._told(str(error))) from None
        return self._select({str(row[0]): str(row[1]) for row in there})

    def try_out(self) -> None:
        """Reads a row of it, on a connection of its own. Raises LakeError saying why that cannot be done."""
        with closing(duckdb.connect(config={"autoinstall_known_extensions": False})) as con:
            con.execute("SET TimeZone = 'UTC'")
            query = self.attached(con)
            try:
                con.execute(f"SELECT * FROM ({query}) LIMIT 1").fetchall()
            except duckdb.Error as error:
                raise LakeError(self._told(str(error))) from None

    @property
    def _alias(self) -> str:
        return name(PREFIX + self.integration)

    @property
    def _relation(self) -> str:
        if self.kind == "parquet":
            return f"read_parquet({text(f'{self.address}/{self.source}')}, union_by_name => true)"
        return f"{self._alias}.{'.'.join(name(part) for part in self.source.split('.'))}"

    def _select(self, there: Mapping[str, str]) -> str:
        """Every column of usage_events; of rows with one key the one that was received first."""
        given = {column: _read(self._type(there, source), source, column) for column, source in self.columns.items()}
        given |= {column: f"CAST({text(str(value))} AS {_kind(column)})" for column, value in self.values.items()}
        given["integration"] = text(self.integration)
        given["synced_at"] = given["version_at"] = given["received_at"]
        shown = ", ".join(f"{given.get(column, 'NULL')} AS {name(column)}" for column in columns(BY_NAME[EVENTS]))
        key = f"PARTITION BY {given['source']}, {given['event_id']} ORDER BY {given['received_at']}"
        once = "" if self.is_unique else f" QUALIFY row_number() OVER ({key}) = 1"
        return f"SELECT {shown} FROM {self._relation}{once}"

    def _type(self, there: Mapping[str, str], source: str) -> str:
        if source not in there:
            said = f"it has no column {source!r}; it has {', '.join(sorted(there))}"
            raise LakeError(self._told(said))
        return there[source]

    def _told(self, said: str) -> str:
        """The first line of an error, without the address, which may hold a password."""
        line = said.splitlines()[0]
        line = line.replace(self.address, "...") if self.address else line
        return f"the usage of {self.integration} cannot be read where it lies ({self.kind}, {self.source}): {line}"


def put_beside(con: duckdb.DuckDBPyConnection, held: Sequence[Held], lake: str) -> None:
    """Makes `books` of views over the lake, which is attached as `lake`, with the usage that is held beside its own.

    What cannot be attached is told to whoever reads usage, and to nobody else.
    """
    con.execute(f"ATTACH ':memory:' AS {ALIAS}")
    for table in (*(table.name for table in TABLES), CURSORS):
        lies = f"SELECT * FROM {lake}.{name(table)}"
        more = "".join(rows(con, held)) if table == EVENTS else ""
        con.execute(f"CREATE VIEW {ALIAS}.{name(table)} AS {lies}{more}")


def rows(con: duckdb.DuckDBPyConnection, held: Sequence[Held]) -> Iterator[str]:
    """What is added to a query of the lake's own usage, of each source that is held."""
    for each in held:
        try:
            query = each.attached(con)
        except LakeError as error:
            query = _refusal(str(error))
        yield f" UNION ALL BY NAME {query}"


def _refusal(why: str) -> str:
    """A query that fails with the reason, whichever column or condition of it is asked for."""
    said = f"error({text(why)})"
    shown = ", ".join(f"CAST({said} AS {kind}) AS {name(column)}" for column, kind in columns(BY_NAME[EVENTS]).items())
    return f"SELECT {shown} WHERE CAST({said} AS BOOLEAN)"


def _kind(column: str) -> str:
    return sql_type(BY_NAME[EVENTS].by_name[column].kind)


def _read(there: str, source: str, column: str) -> str:
    """A column as usage_events has it, as it stands where the types are alike, so that filters reach the source.

    What does not parse is null; a float counts by its shortest digits.
    """
    held, kind = name(source), _kind(column)
    if column == "status":
        return f"lower({held})"
    if there == kind:
        return held
    if there == "TIMESTAMP WITH TIME ZONE":
        return f"timezone('UTC', {held})"
    if there in ("DOUBLE", "FLOAT"):
        return f"TRY_CAST(CAST({held} AS VARCHAR) AS {kind})"
    return f"TRY_CAST({held} AS {kind})"
