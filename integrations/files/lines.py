"""Reading a text file line by line, so that everything wrong is told with its line.

Slower than DuckDB's reader, and exact where that is not: lines are counted as an editor counts them, whatever quoted
line breaks and blank lines come before; bytes that are no UTF-8, a wrong number of fields, an open quote and broken
JSON are each told apart; JSON numbers stay the text that they are.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from billing.model import Kind, Table

ROW, LAST, BROKEN = "_row", "_last", "_broken"
_BATCH = 50_000


@dataclass(frozen=True)
class Flaw:
    """What is wrong with a record beyond what the kinds of its columns ask."""

    reason: str
    column: str | None = None
    value: str | None = None


@dataclass(frozen=True)
class Record:
    """One record: its first and last line, its values as text (None when it cannot be told apart), its flaws."""

    first: int
    last: int
    values: Mapping[str, str | None] | None
    flaws: tuple[Flaw, ...] = ()


def store(records: Iterator[Record], names: Sequence[str], target: Path) -> Iterator[Record]:
    """Writes the records that have values into a parquet file of text columns; yields every record with a flaw."""
    schema = pa.schema(
        [*((name, pa.string()) for name in names), (ROW, pa.int64()), (LAST, pa.int64()), (BROKEN, pa.bool_())]
    )
    with pq.ParquetWriter(target, schema, compression="lz4") as writer:
        while batch := list(islice(records, _BATCH)):
            whole = [record for record in batch if record.values is not None]
            columns = {name: [(record.values or {}).get(name) for record in whole] for name in names}
            numbers = {ROW: [r.first for r in whole], LAST: [r.last for r in whole]}
            broken = {BROKEN: [bool(record.flaws) for record in whole]}
            writer.write_table(pa.table({**columns, **numbers, **broken}, schema=schema))
            yield from (record for record in batch if record.flaws)


def csv_records(path: Path, names: Sequence[str]) -> Iterator[Record]:
    """The records of a csv file after its header. Blank lines count as lines and hold no record."""
    limit = csv.field_size_limit(sys.maxsize)
    try:
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as lines:
            reader = csv.reader(lines, strict=True)
            next(reader, None)
            yield from _numbered(reader, names)
    finally:
        csv.field_size_limit(limit)


def _numbered(reader: Iterator[list[str]], names: Sequence[str]) -> Iterator[Record]:
    while True:
        first = reader.line_num + 1  # type: ignore[attr-defined]
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Record(first, reader.line_num, None, (_csv_flaw(error),))  # type: ignore[attr-defined]
            continue
        if fields:
            yield _csv_record(first, reader.line_num, fields, names)  # type: ignore[attr-defined]


def _csv_flaw(error: csv.Error) -> Flaw:
    if "unexpected end of data" in str(error):
        return Flaw("a quote opens here and is never closed")
    return Flaw(f"is no csv: {error}")


def _csv_record(first: int, last: int, fields: list[str], names: Sequence[str]) -> Record:
    """One record; empty fields beyond the header's count as nothing, as DuckDB's reader has it."""
    if len(fields) < len(names) or any(fields[len(names) :]):
        return Record(first, last, None, (Flaw(f"has {len(fields)} fields, but the header names {len(names)}"),))
    for name, field in zip(names, fields, strict=False):
        if not _is_text(field):
            return Record(first, last, None, (Flaw("is not UTF-8", name, _readable(field)),))
        if field.startswith(" ") and field.lstrip(" ").startswith('"'):
            return Record(first, last, None, (Flaw("has a space before its quote", name, field),))
    return Record(first, last, {name: field or None for name, field in zip(names, fields, strict=False)})


def jsonl_records(path: Path, table: Table) -> Iterator[Record]:
    """The records of a jsonl file. Blank lines count as lines and hold no record."""
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            content = line.removeprefix(b"\xef\xbb\xbf").strip() if number == 1 else line.strip()
            if content:
                yield _jsonl_record(number, content, table)


def _jsonl_record(number: int, content: bytes, table: Table) -> Record:
    try:
        members = _members(content.decode())
    except UnicodeDecodeError:
        return Record(number, number, None, (Flaw("is not UTF-8", None, content[:200].decode(errors="replace")),))
    except json.JSONDecodeError as error:
        return Record(number, number, None, (Flaw(f"is not a JSON object: {error.msg} at character {error.pos + 1}"),))
    except (ValueError, RecursionError) as error:
        return Record(number, number, None, (Flaw(f"is not a JSON object: {error}"),))
    values: dict[str, str | None] = {}
    flaws: list[Flaw] = []
    for name, (value, raw) in members:
        column = table.by_name.get(name)
        if column is None:
            flaws.append(Flaw(f"is not a column of {table.name}", name, raw))
        elif name in values:
            flaws.append(Flaw("is given twice on the line", name, raw))
        else:
            values[name] = value if isinstance(value, str) else None if value is None else raw
            if isinstance(value, dict | list) and column.kind in (Kind.ID, Kind.TEXT):
                flaws.append(Flaw("is a JSON object or list, but the column needs text", name, raw))
    return Record(number, number, values, tuple(flaws))


def _members(line: str) -> list[tuple[str, tuple[object, str]]]:
    """The members of a JSON object in order, each value with the text that it was written as."""
    decoder = json.JSONDecoder(parse_constant=_refuse)
    members: list[tuple[str, tuple[object, str]]] = []
    at = _expect(line, 0, "{")
    if line[at : at + 1] == "}":
        return _ended(line, at + 1, members)
    while True:
        name, at = decoder.raw_decode(line, at)
        if not isinstance(name, str):
            raise ValueError(f"a name in quotes is needed before character {at}")
        start = _expect(line, at, ":")
        value, at = decoder.raw_decode(line, start)
        members.append((name, (value, line[start:at])))
        if _skip(line, at) < len(line) and line[_skip(line, at)] == "}":
            return _ended(line, _skip(line, at) + 1, members)
        at = _expect(line, at, ",")


def _ended(line: str, at: int, members: list[tuple[str, tuple[object, str]]]) -> list[tuple[str, tuple[object, str]]]:
    if _skip(line, at) != len(line):
        raise ValueError(f"there is more after its end at character {at + 1}")
    return members


def _expect(line: str, at: int, sign: str) -> int:
    """Where the text goes on after the sign, spaces skipped. Raises ValueError when the sign is not there."""
    at = _skip(line, at)
    if line[at : at + 1] != sign:
        raise ValueError(f"{sign!r} is needed at character {at + 1}")
    return _skip(line, at + 1)


def _skip(line: str, at: int) -> int:
    while at < len(line) and line[at] in " \t\r\n":
        at += 1
    return at


def _refuse(constant: str) -> object:
    raise ValueError(f"{constant} is no JSON number")


def _is_text(field: str) -> bool:
    try:
        field.encode()
    except UnicodeEncodeError:
        return False
    return True


def _readable(field: str) -> str:
    return field.encode(errors="surrogateescape").decode(errors="replace")
