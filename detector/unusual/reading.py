"""Reads files of series and of known changes; what cannot be used is said with file, row, column and remedy."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import numpy as np
from numpy.typing import NDArray

from detector.unusual import newest_day
from detector.unusual.events import KINDS

COLUMNS = ("series", "time", "value")
EVENT_COLUMNS = ("series", "kind", "start", "end")
MEMORY, NEWEST_MEMORY = "280MB", "700MB"
"""DuckDB's, beyond which it spills. The newest day of many series is read in place and needs little but a row each."""
YEARS = (1970, 2200)
QUOTE = "'"
PARQUET = "read_parquet(?)"
CASTS = {"instant": "TIMESTAMPTZ", "number": "DOUBLE"}
PLAIN = {
    "instant": ("DATE", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"),
    "number": ("DOUBLE", "FLOAT", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"),
}
"""Types whose every value is what its column holds: they need no second look, and times no timezone."""


class BadInputError(Exception):
    """A file cannot be used; the message says file, row, column and remedy in one line."""


@dataclass(frozen=True)
class Rows:
    """Rows by series and time: `code` numbers `names`, which are in the order of their first rows."""

    names: NDArray[np.object_]
    code: NDArray[np.int32]
    second: NDArray[np.int64]
    """Seconds since 1970, UTC."""
    value: NDArray[np.float64]
    remarks: tuple[str, ...]
    """What was left out or taken as missing, and how often."""
    newest: np.datetime64 | None = None
    """The begin of the newest day or hour, where only that was asked for."""


@dataclass(frozen=True)
class EventRows:
    """Known changes: name of the series, kind, first and last second (or -1)."""

    name: NDArray[np.object_]
    kind: NDArray[np.object_]
    start: NDArray[np.int64]
    end: NDArray[np.int64]


def read_series(path: Path, *, newest: bool = False) -> Rows:
    """The rows of a parquet or csv file with columns series, time and value. Raises BadInputError.

    With `newest` only those of the series whose newest day, or hour, may stand out, and of a sample of the others.
    """
    in_place = newest and _source(path) == PARQUET
    with _workplace(NEWEST_MEMORY if newest else MEMORY) as con:
        remarks = list(_open(con, path, "given", COLUMNS, in_place=in_place))
        _typed(con, path, "given", {"time": "instant", "value": "number"}, in_place=in_place)
        if not newest:
            return _rows(con, path, "typed", remarks)
        rows = _rows(con, path, newest_day.narrow(con, "typed"), remarks)
        unit = "h" if newest_day.is_hourly(con, "narrowed") else "D"
        return replace(rows, newest=np.datetime64(int(rows.second.max()), "s").astype(f"datetime64[{unit}]"))


def read_events(path: Path) -> EventRows:
    """The known changes of a file with columns series, kind, start and end. Raises BadInputError."""
    with _workplace() as con:
        _open(con, path, "given", EVENT_COLUMNS[:3], EVENT_COLUMNS[3:])
        _typed(con, path, "given", {"start": "instant", "end": "instant"}, needed=("series", "kind", "start"))
        _known_kinds(con, path)
        got = con.execute("""
            SELECT CAST(series AS VARCHAR) AS series, trim(kind) AS kind, epoch(start)::BIGINT AS start,
                coalesce(epoch("end")::BIGINT, -1) AS "end" FROM typed ORDER BY start, series, kind""").fetchnumpy()
    return EventRows(*(np.asarray(got[name]) for name in EVENT_COLUMNS))


@contextmanager
def _workplace(memory: str = MEMORY) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB in little memory, which spills into a folder that goes with it."""
    with (
        tempfile.TemporaryDirectory(prefix="trueup-series-") as spill,
        duckdb.connect(config={"memory_limit": memory, "threads": 2, "temp_directory": spill}) as con,
    ):
        con.execute("SET enable_progress_bar = false")
        yield con


def _open(
    con: duckdb.DuckDBPyConnection, path: Path, name: str, needed: tuple[str, ...], optional: tuple[str, ...] = (),
    *, in_place: bool = False,
) -> list[str]:  # fmt: skip
    """Make the table `name` of a file, numbered by row in n; says which columns are not used.

    A parquet file may stay where it is: then it is a view, and read again by each query.
    """
    con.execute("SET TimeZone = 'UTC'")
    source = _source(path)
    try:
        found = [row[0] for row in con.execute(f"DESCRIBE SELECT * FROM {source}", [str(path)]).fetchall()]
    except (duckdb.Error, UnicodeDecodeError) as error:
        raise BadInputError(
            f"{path} cannot be read: {_first_line(error)}; give a parquet file, or csv in UTF-8"
        ) from None
    spelled = {each.strip().lower(): each for each in found}
    missing = [column for column in needed if column not in spelled]
    if missing:
        shown = ", ".join(found[:8]) or "none"
        raise BadInputError(
            f"{path}, row 1: there is no column {missing[0]} (found: {shown}); name the columns {', '.join(needed)}"
        )
    chosen = ", ".join(
        f'"{_quoted(spelled[column])}" AS "{column}"' if column in spelled else f'NULL::VARCHAR AS "{column}"'
        for column in (*needed, *optional)
    )
    try:
        if in_place:
            lies = f"read_parquet('{str(path).replace(QUOTE, 2 * QUOTE)}', file_row_number = true)"
            con.execute(f"CREATE TEMP VIEW {name} AS SELECT {chosen}, file_row_number AS n FROM {lies}")
        else:
            con.execute(f"CREATE TEMP TABLE {name}_rows AS SELECT {chosen} FROM {source}", [str(path)])
            con.execute(f"CREATE TEMP VIEW {name} AS SELECT *, rowid AS n FROM {name}_rows")
    except (duckdb.Error, UnicodeDecodeError) as error:
        raise BadInputError(f"{path} cannot be read: {_first_line(error)}; mend the file and try again") from None
    more = [each for key, each in spelled.items() if key not in (*needed, *optional)]
    return [f"columns not used: {', '.join(more[:8])}"] if more else []


def _source(path: Path) -> str:
    if path.suffix.lower() in (".parquet", ".pq"):
        return PARQUET
    if path.suffix.lower() in (".csv", ".txt", ".tsv", ".gz"):
        return "read_csv(?, all_varchar = true, header = true, null_padding = false)"
    raise BadInputError(f"{path} is neither .parquet nor .csv; save it as one of them")


def _typed(
    con: duckdb.DuckDBPyConnection,
    path: Path,
    name: str,
    kinds: dict[str, str],
    needed: tuple[str, ...] = ("series", "time"),
    *,
    in_place: bool = False,
) -> None:
    """Make `typed`, with times in UTC, or say where the first value is that is not what its column holds."""
    hints = {"instant": "write times as 2026-11-01 or 2026-11-01T06:00:00Z", "number": "write a plain number"}
    types = {row[0]: row[1] for row in con.execute(f"DESCRIBE {name}").fetchall() if row[0] != "n"}
    for column, kind in kinds.items():
        if kind == "instant" and types[column] in ("BIGINT", "INTEGER", "DOUBLE", "HUGEINT", "BOOLEAN"):
            raise BadInputError(f"{path}, column {column}: {types[column]} is no time; {hints[kind]}")
        wrong = (
            types[column] not in PLAIN[kind]
            and con.execute(f"""
            SELECT n + 1, CAST("{column}" AS VARCHAR) FROM {name}
            WHERE "{column}" IS NOT NULL AND trim(CAST("{column}" AS VARCHAR)) <> ''
                AND TRY_CAST("{column}" AS {CASTS[kind]}) IS NULL LIMIT 1""").fetchone()
        )
        if wrong:
            raise BadInputError(
                f"{path}, row {_place(path, wrong[0])}, column {column}: {wrong[1][:40]!r} is no {kind}; {hints[kind]}"
            )
    for column in needed:
        text = f"""OR trim("{column}") = ''""" if types[column] == "VARCHAR" else ""
        empty = con.execute(f'SELECT n + 1 FROM {name} WHERE "{column}" IS NULL {text} LIMIT 1').fetchone()
        if empty:
            raise BadInputError(
                f"{path}, row {_place(path, empty[0])}, column {column}: it is empty; fill it or leave the row out"
            )
    told = ", ".join(f'"{column}"' for column in types if column not in kinds)
    cast = ", ".join(_cast(column, kind, types[column]) for column, kind in kinds.items())
    made = "VIEW" if in_place else "TABLE"
    con.execute(f"CREATE TEMP {made} typed AS SELECT {told}, {cast}, n FROM {name}")
    if not in_place:
        con.execute(f"DROP VIEW {name}; DROP TABLE {name}_rows")
    for column in (column for column, kind in kinds.items() if kind == "instant"):
        far = con.execute(f"""
            SELECT n + 1, CAST("{column}" AS VARCHAR) FROM typed
            WHERE NOT isfinite("{column}") OR year("{column}") NOT BETWEEN {YEARS[0]} AND {YEARS[1]}
            LIMIT 1""").fetchone()
        if far:
            raise BadInputError(
                f"{path}, row {_place(path, far[0])}, column {column}: {far[1]} lies outside of "
                f"{YEARS[0]} to {YEARS[1]}; mend the time"
            )


def _cast(column: str, kind: str, type: str) -> str:
    """A column as what it holds; times without a timezone, in UTC, since with one all work on them is slow."""
    if kind == "number":
        return f'TRY_CAST("{column}" AS DOUBLE) AS "{column}"'
    if type in PLAIN["instant"]:
        return f'CAST("{column}" AS TIMESTAMP) AS "{column}"'
    at = f'TRY_CAST("{column}" AS TIMESTAMPTZ)'
    plain = f"CASE WHEN isfinite({at}) THEN make_timestamp(epoch_us({at})) ELSE CAST({at} AS TIMESTAMP) END"
    return f'{plain} AS "{column}"'


def _rows(con: duckdb.DuckDBPyConnection, path: Path, table: str, remarks: list[str]) -> Rows:
    odd = con.execute(f"SELECT count(*) FROM {table} WHERE NOT isfinite(value)").fetchall()[0][0]
    if odd:
        remarks.append(f"{odd:,} values are infinite or not a number and count as missing")
    rows = numbered(con, table)
    if not len(rows.names):
        raise BadInputError(f"{path} has no rows; give it some")
    last = np.ones(len(rows.code), dtype=bool)
    last[:-1] = (rows.code[1:] != rows.code[:-1]) | (rows.second[1:] != rows.second[:-1])
    if not last.all():
        remarks.append(f"{np.sum(~last):,} rows repeat a series and time; the last of them counts")
        rows = Rows(rows.names, rows.code[last], rows.second[last], rows.value[last], ())
    return replace(rows, remarks=tuple(remarks))


def numbered(con: duckdb.DuckDBPyConnection, relation: str) -> Rows:
    """The rows of a relation with series, time, value and, for the order of rows that repeat a time, n."""
    con.execute(f"""
        CREATE OR REPLACE TEMP TABLE codes AS
        SELECT series, (row_number() OVER (ORDER BY min(time), CAST(series AS VARCHAR)) - 1)::INTEGER AS code
        FROM {relation} GROUP BY series""")
    got = con.execute(f"""
        SELECT code, epoch(time)::BIGINT AS second,
            CASE WHEN isfinite(value) THEN value ELSE 'nan'::DOUBLE END AS value
        FROM {relation} JOIN codes USING (series) ORDER BY code, time, n""").fetchnumpy()
    names = con.execute("SELECT CAST(series AS VARCHAR) AS series FROM codes ORDER BY code").fetchnumpy()["series"]
    value = np.ma.filled(np.ma.asarray(got["value"], dtype=np.float64), np.nan)
    return Rows(np.asarray(names, dtype=object), np.asarray(got["code"]), np.asarray(got["second"]), value, ())


def _known_kinds(con: duckdb.DuckDBPyConnection, path: Path) -> None:
    wrong = con.execute(
        "SELECT n + 1, CAST(kind AS VARCHAR) FROM typed WHERE NOT list_contains(?, trim(kind)) LIMIT 1", [list(KINDS)]
    ).fetchone()
    if wrong:
        raise BadInputError(
            f"{path}, row {_place(path, wrong[0])}, column kind: {wrong[1][:40]!r} is unknown; use {', '.join(KINDS)}"
        )


def _place(path: Path, number: int) -> int:
    """The number of a row as an editor counts lines: a csv file has its header first."""
    return number if path.suffix.lower() in (".parquet", ".pq") else number + 1


def _quoted(name: str) -> str:
    return name.replace('"', '""')


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:160] if str(error).strip() else type(error).__name__
