"""The three formats: what columns a file has, and its rows as a relation that DuckDB reads with all its threads.

Text formats are read twice over only when something is wrong (see lines.py): the fast way here says that a file is
clean or that it is not, without telling where.
"""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from billing.model import Kind, Table
from integrations.files.checks import TEXT, Checked, checked, literal, quoted

EXTENSIONS = (".parquet", ".csv", ".jsonl")

_LONG = "[0-9][0-9.]{16,}"
LONG_NUMBER = rf"[:\[,]\s*-?{_LONG}"
"""A number in JSON with more digits than a double keeps; DuckDB reads JSON numbers as doubles."""

_DOUBTFUL = (
    rf":\s*-?({_LONG}|N|nan|I|inf)",
    rf"\[\s*-?({_LONG}|N|nan|I|inf)",
    rf",\s*([}}\]]|-?({_LONG}|N|nan|I|inf))",
)
"""Long numbers, and what DuckDB takes for JSON though it is none. Three patterns: each starts with one sign, for which
RE2 searches much faster than for one of several."""


class UnreadableFileError(Exception):
    """The file as a whole cannot be read. The message is the reason, without the file's name."""


@dataclass(frozen=True)
class TableFile:
    """One file of the folder and the table that it holds."""

    path: Path
    table: Table

    @property
    def format(self) -> str:
        """parquet, csv or jsonl."""
        return self.path.suffix[1:]

    @property
    def place(self) -> str:
        """What a row number counts: lines of a text file, rows of a parquet file."""
        return "row" if self.format == "parquet" else "line"

    @property
    def source(self) -> str:
        """The path as a SQL literal."""
        return literal(str(self.path.absolute()))


@dataclass(frozen=True)
class Reading:
    """Rows of a file as SQL: a relation, how each column is read, a row's first and last number in the file."""

    relation: str
    columns: tuple[Checked, ...]
    row: str
    last: str
    broken: str = "false"  # rows refused for more than the value of a column

    @property
    def bad(self) -> str:
        """True where any value of the row is refused, otherwise false."""
        return f"coalesce({' OR '.join((self.broken, *(column.bad for column in self.columns)))}, false)"

    @property
    def values(self) -> str:
        """The values of the columns, as a SELECT list."""
        return ", ".join(f"{column.value} AS {column.raw}" for column in self.columns)


def reading(relation: str, columns: Iterable[Checked], row: str, last: str, broken: str = "false") -> Reading:
    """The rows of `relation`, with every value that takes work to parse worked out once per row."""
    columns = tuple(columns)
    parsed = "".join(f", {column.parse} AS {column.value}" for column in columns if column.parse)
    return Reading(f"(SELECT *{parsed} FROM {relation})" if parsed else relation, columns, row, last, broken)


def header(con: duckdb.DuckDBPyConnection, file: TableFile) -> dict[str, str] | None:
    """The columns of the file and their DuckDB types; None for jsonl, where every line names its own.

    Raises UnreadableFileError; also where a column is named twice.
    """
    if file.format == "parquet":
        return _parquet_columns(con, file)
    return _csv_columns(file) if file.format == "csv" else None


def _parquet_columns(con: duckdb.DuckDBPyConnection, file: TableFile) -> dict[str, str]:
    try:
        described = con.execute(f"DESCRIBE FROM {_parquet(file)}").fetchall()
    except duckdb.Error as error:
        raise UnreadableFileError(f"is not a parquet file that can be read: {reason(error, file)}") from error
    return {row[0]: row[1] for row in described if row[0] != "file_row_number"}


def _csv_columns(file: TableFile) -> dict[str, str]:
    try:
        with file.path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as lines:
            names = next(csv.reader(lines, strict=True), None)
    except csv.Error as error:
        raise UnreadableFileError(f"has a first line that is no csv header: {error}") from error
    if not names:
        raise UnreadableFileError("is empty: the first line must name the columns")
    for name in names:
        if not name.isprintable() or not name:
            raise UnreadableFileError(f"has a first line that is no csv header in UTF-8: it names a column {name!r}")
        if names.count(name) > 1:
            raise UnreadableFileError(f"names the column {name!r} twice in its first line")
    return dict.fromkeys(names, TEXT)


def parquet_rows(file: TableFile, forms: dict[str, str]) -> Reading:
    """The rows of a parquet file as they are; the first row has number 1."""
    columns = tuple(checked(file.table.by_name[name], form) for name, form in forms.items())
    return reading(_parquet(file), columns, "file_row_number + 1", "file_row_number + 1")


def parquet_count(con: duckdb.DuckDBPyConnection, file: TableFile) -> int:
    """How many rows the parquet file says it has."""
    row = con.execute(f"SELECT sum(num_rows) FROM parquet_file_metadata({file.source})").fetchone()
    return int(row[0]) if row and row[0] is not None else 0


def _parquet(file: TableFile) -> str:
    return f"read_parquet({file.source}, file_row_number = true, binary_as_string = true, hive_partitioning = false)"


def csv_rows(file: TableFile, names: Iterable[str], rejects: str) -> Reading:
    """The rows of a csv file by DuckDB's parallel reader; rows that are no csv go to the temporary table `rejects`.

    Every column has to be selected: DuckDB does not look for broken rows in what is not asked for.
    """
    names = list(names)
    columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in names)
    relation = (
        f"read_csv({file.source}, auto_detect = false, header = true, delim = ',', quote = '\"', escape = '\"', "
        f"nullstr = '', allow_quoted_nulls = true, columns = {{{columns}}}, store_rejects = true, "
        f"rejects_table = {literal(rejects)}, rejects_scan = {literal(rejects + '_scan')}, hive_partitioning = false)"
    )
    return reading(relation, (checked(file.table.by_name[name], TEXT) for name in names), "0", "0")


def jsonl_rows(file: TableFile) -> Reading:
    """The rows of a jsonl file by DuckDB's parallel reader, with every column of the table."""
    table = file.table
    shape = literal(json.dumps(dict.fromkeys(table.by_name, TEXT)))
    texts = [quoted(name) for name, column in table.by_name.items() if column.kind in (Kind.ID, Kind.TEXT)]
    doubtful = [
        "_line IS NULL",
        _unusual_keys(file),
        *(f"regexp_matches(_line::VARCHAR, '{pattern}')" for pattern in _DOUBTFUL),
        *(f"prefix({name}, '{{') OR prefix({name}, '[')" for name in texts),
    ]
    relation = (
        f"(SELECT _line, unnest(json_transform(_line, {shape})) "
        f"FROM read_ndjson_objects({file.source}, ignore_errors = true, hive_partitioning = false) AS _lines(_line))"
    )
    columns = (_valid_once_compact(column) for column in jsonl_columns(table))
    return reading(relation, columns, "0", "0", broken=" OR ".join(doubtful))


def _unusual_keys(file: TableFile) -> str:
    """True for a line that is no object, names an unknown column or one twice; most lines look like the first."""
    known = ", ".join(literal(name) for name in file.table.by_name)
    unusual = (
        f"NOT list_has_all([{known}], json_keys(_line)) OR len(json_keys(_line)) = 0 "
        "OR len(json_keys(_line)) <> len(list_distinct(json_keys(_line)))"
    )
    first = _first_keys(file)
    if not first or not set(first) <= set(file.table.by_name):
        return f"({unusual})"
    return f"CASE WHEN json_keys(_line) = [{', '.join(map(literal, first))}] THEN false ELSE {unusual} END"


def _first_keys(file: TableFile) -> list[str]:
    with file.path.open("rb") as lines, suppress(ValueError):
        first = json.loads(lines.readline())
        return list(first) if isinstance(first, dict) else []
    return []


def jsonl_columns(table: Table) -> tuple[Checked, ...]:
    """How the values of a jsonl file are read once they are text: nested JSON is written without spaces."""
    read = [checked(column, TEXT) for column in table.by_name.values()]
    return tuple(_compact(column) if column.column.kind is Kind.JSON else column for column in read)


def _compact(column: Checked) -> Checked:
    exact = f"regexp_matches({column.raw}, '{LONG_NUMBER}')"
    parse = f"CASE WHEN {exact} THEN {column.value} ELSE TRY(json({column.value}))::VARCHAR END"
    return replace(column, value=quoted(f"parsed {column.column.name}"), parse=parse)


def _valid_once_compact(column: Checked) -> Checked:
    """For lines without doubtful JSON: what DuckDB can write again is JSON, and has no long numbers."""
    if column.column.kind is not Kind.JSON:
        return column
    text = f"nullif({column.raw}, '')"
    return replace(column, parse=f"TRY(json({text}))::VARCHAR", quick=f"{text} IS NOT NULL AND {column.value} IS NULL")


def estimated_lines(path: Path) -> int:
    """How many lines a text file has, judged by its size and its first lines."""
    with path.open("rb") as file:
        sizes = [len(line) for line in itertools.islice(file, 1000)]
    return round(path.stat().st_size * len(sizes) / sum(sizes)) if sizes else 0


def reason(error: duckdb.Error, file: TableFile) -> str:
    """DuckDB's reason in one line, with the file's own name."""
    first = str(error).splitlines()[0].split("Error: ", 1)[-1]
    return first.replace(str(file.path.absolute()), file.path.name)
