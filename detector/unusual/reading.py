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
MEMORY = "280MB"
YEARS = (1970, 2200)


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


@dataclass(frozen=True)
class EventRows:
    """Known changes: name of the series, kind, first and last second (or -1)."""

    name: NDArray[np.object_]
    kind: NDArray[np.object_]
    start: NDArray[np.int64]
    end: NDArray[np.int64]


def read_series(path: Path, *, newest: bool = False) -> Rows:
    """The rows of a parquet or csv file with columns series, time and value. Raises BadInputError.

    With `newest` only those of the daily series whose newest day may stand out, and of a sample of the others.
    """
    with _workplace() as con:
        remarks = list(_open(con, path, "given", COLUMNS))
        _typed(con, path, "given", {"time": "instant", "value": "number"})
        if newest:
            newest_day.narrow(con, "typed")
        return _rows(con, path, remarks)


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
def _workplace() -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB in little memory, which spills into a folder that goes with it."""
    with (
        tempfile.TemporaryDirectory(prefix="trueup-series-") as spill,
        duckdb.connect(config={"memory_limit": MEMORY, "threads": 2, "temp_directory": spill}) as con,
    ):
        con.execute("SET enable_progress_bar = false")
        yield con


def _open(
    con: duckdb.DuckDBPyConnection, path: Path, name: str, needed: tuple[str, ...], optional: tuple[str, ...] = ()
) -> list[str]:
    """Make the view `name` of a file, numbered by row; says which columns are not used."""
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
        con.execute(f"CREATE TEMP TABLE {name} AS SELECT {chosen} FROM {source}", [str(path)])
    except (duckdb.Error, UnicodeDecodeError) as error:
        raise BadInputError(f"{path} cannot be read: {_first_line(error)}; mend the file and try again") from None
    more = [each for key, each in spelled.items() if key not in (*needed, *optional)]
    return [f"columns not used: {', '.join(more[:8])}"] if more else []


def _source(path: Path) -> str:
    if path.suffix.lower() in (".parquet", ".pq"):
        return "read_parquet(?)"
    if path.suffix.lower() in (".csv", ".txt", ".tsv", ".gz"):
        return "read_csv(?, all_varchar = true, header = true, null_padding = false)"
    raise BadInputError(f"{path} is neither .parquet nor .csv; save it as one of them")


def _typed(
    con: duckdb.DuckDBPyConnection,
    path: Path,
    name: str,
    kinds: dict[str, str],
    needed: tuple[str, ...] = ("series", "time"),
) -> None:
    """Make the table `typed`, or say where the first value is that is not what its column holds."""
    casts = {"instant": "TIMESTAMPTZ", "number": "DOUBLE"}
    hints = {"instant": "write times as 2026-11-01 or 2026-11-01T06:00:00Z", "number": "write a plain number"}
    types = {row[0]: row[1] for row in con.execute(f"DESCRIBE {name}").fetchall()}
    for column, kind in kinds.items():
        if kind == "instant" and types[column] in ("BIGINT", "INTEGER", "DOUBLE", "HUGEINT", "BOOLEAN"):
            raise BadInputError(f"{path}, column {column}: {types[column]} is no time; {hints[kind]}")
        wrong = con.execute(f"""
            SELECT rowid + 1, CAST("{column}" AS VARCHAR) FROM {name}
            WHERE "{column}" IS NOT NULL AND trim(CAST("{column}" AS VARCHAR)) <> ''
                AND TRY_CAST("{column}" AS {casts[kind]}) IS NULL LIMIT 1""").fetchone()
        if wrong:
            raise BadInputError(
                f"{path}, row {_place(path, wrong[0])}, column {column}: {wrong[1][:40]!r} is no {kind}; {hints[kind]}"
            )
    for column in needed:
        empty = con.execute(f"""
            SELECT rowid + 1 FROM {name}
            WHERE "{column}" IS NULL OR trim(CAST("{column}" AS VARCHAR)) = '' LIMIT 1""").fetchone()
        if empty:
            raise BadInputError(
                f"{path}, row {_place(path, empty[0])}, column {column}: it is empty; fill it or leave the row out"
            )
    others = [column for column in types if column not in kinds]
    told = ", ".join(f'"{column}"' for column in others)
    cast = ", ".join(f'TRY_CAST("{column}" AS {casts[kind]}) AS "{column}"' for column, kind in kinds.items())
    con.execute(f"CREATE TEMP TABLE typed AS SELECT {told}, {cast}, rowid AS n FROM {name}")
    con.execute(f"DROP TABLE {name}")
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


def _rows(con: duckdb.DuckDBPyConnection, path: Path, remarks: list[str]) -> Rows:
    odd = con.execute("SELECT count(*) FROM typed WHERE NOT isfinite(value)").fetchall()[0][0]
    if odd:
        remarks.append(f"{odd:,} values are infinite or not a number and count as missing")
    rows = numbered(con, "typed")
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
    codes = f"""
        SELECT series, (row_number() OVER (ORDER BY min(time), CAST(series AS VARCHAR)) - 1)::INTEGER AS code
        FROM {relation} GROUP BY series"""
    got = con.execute(f"""
        SELECT code, epoch(time)::BIGINT AS second,
            CASE WHEN isfinite(value) THEN value ELSE 'nan'::DOUBLE END AS value
        FROM {relation} JOIN ({codes}) USING (series) ORDER BY code, time, n""").fetchnumpy()
    names = con.execute(f"SELECT CAST(series AS VARCHAR) AS series FROM ({codes}) ORDER BY code").fetchnumpy()["series"]
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
