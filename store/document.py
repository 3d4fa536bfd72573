"""The page of documentation about the books, written from their description.

`python -m store.document` writes docs/books.md; a test fails while the page is not what this makes.
"""

from __future__ import annotations

from pathlib import Path

from billing.books import TABLES
from billing.model import SOURCE_COLUMNS, Column, Kind, Table
from store.schema import STORED, sql_type

PAGE = Path(__file__).parent.parent / "docs" / "books.md"

_INTRODUCTION = """\
# The books

Trueup's own copy of every billing record, one table per kind of record. Every integration fills these tables and
every rule reads them. A folder of files in this shape can be imported as it is: `trueup import DIR`. This page is
written by `python -m store.document` from `billing/books.py`.

## A folder of files

One `<table>.parquet`, `<table>.csv` or `<table>.jsonl` per table; a table without a file is left as it is. A column
that may be null may also be absent, which means null. `truth.jsonl`, `lookalikes.jsonl`, `README*` and hidden files
are left alone; any other file is refused by name.

- **csv**: UTF-8 (a byte order mark is fine), separated by commas, quoted with `"`, first line the column names.
  Nothing between two commas is null.
- **jsonl**: one object a line, UTF-8. Numbers may be numbers or text and are read digit by digit, never as a double.
  JSON columns may be nested or text.
- **parquet**: of any writer. Timestamps without a zone are UTC; finer than a microsecond is cut off. A double in an
  amount is taken as the shortest decimal that reads back as it, if that has at most 15 digits, which a double always
  keeps; otherwise it is refused. Write decimals.

Nothing is rounded, guessed or dropped. An unknown or missing column, a value that does not parse, more digits than a
column holds, a currency, timezone or enum value that does not exist, a key given twice in a file: each is told with
file, line (parquet: row), column, value and reason, the first hundred of them and the count of all. Then nothing is
written. With `--keep-good` the good rows are written, and the bad ones saved as they were beside a `report.json`. Of
rows with one key the first is good.

Usage events are append only. The same event again (same key and content, whenever it was received) is counted and not
stored; of one with other content the first received stays and the other is reported. Neither is an error; nor are
events whose status is `invalid` or `rejected`.

Importing again changes only what is different. Content known from an earlier instant never replaces later content.

## Kinds of value
"""

_KINDS: dict[Kind, tuple[str, str]] = {
    Kind.ID: ("an opaque string, unique within table and integration", "text or a whole number"),
    Kind.TEXT: ("text", "text"),
    Kind.TS: ("an instant, UTC, microseconds", "RFC 3339 with an offset, such as `2026-01-31T12:00:00Z`"),
    Kind.MONEY: ("an amount in major units of the row's currency", "`1234.5600`, `1e3`"),
    Kind.PRICE: ("an amount per unit in major units", "`0.000002`, `2e-6`"),
    Kind.QTY: ("a quantity", "`1234.567890123`"),
    Kind.CURRENCY: ("an ISO 4217 code", "`USD`, upper case"),
    Kind.DURATION: ("an ISO 8601 duration in whole numbers", "`P1M`, `P1Y`, `P7D`, `PT1H`"),
    Kind.JSON: ("RFC 8259 text", "JSON"),
    Kind.INT: ("a whole number", "`12`, `12.0`"),
    Kind.BOOL: ("true or false", "`true`, `false`"),
    Kind.ENUM: ("one of the listed words", "the word, lower case"),
}


def page() -> str:
    """The whole page as Markdown."""
    parts = [_INTRODUCTION, _kinds(), _shared(), "## Tables\n", *(_table(table) for table in TABLES)]
    return "\n".join(parts).rstrip() + "\n"


def _kinds() -> str:
    rows = [f"| {kind} | {meaning} | {sql_type(kind)} | {file} |" for kind, (meaning, file) in _KINDS.items()]
    return "\n".join(["| kind | what it is | stored as | in a file |", "| --- | --- | --- | --- |", *rows, ""])


def _shared() -> str:
    return "\n".join(
        [
            "## Columns of every table\n",
            *(f"- `{column.name}`: {_sentence(column.note)}" for column in SOURCE_COLUMNS),
            f"- {', '.join(f'`{column}`' for column in STORED)}: set by Trueup: when the row was written, "
            "and since when its content is known.\n",
            "The primary key of a table is the key given below together with `integration`.\n",
        ]
    )


def _table(table: Table) -> str:
    about = [_sentence(table.note)] if table.note else []
    about.append(f"Key: {', '.join(f'`{key}`' for key in table.key)}.")
    if table.known_at:
        about.append(f"A run as of an earlier instant sees rows whose `{table.known_at}` is not after it.")
    elif table.known_with:
        parent, column = table.known_with
        about.append(f"A row is known with its `{column}` in `{parent}`.")
    lines = ["| column | kind | null | meaning |", "| --- | --- | --- | --- |", *map(_column, table.columns)]
    return "\n".join([f"### {table.name}\n", " ".join(about) + "\n", *lines, ""])


def _column(column: Column) -> str:
    words = ", ".join(f"`{value}`" for value in column.values)
    meaning = "; ".join(part for part in (words, column.note) if part).replace("|", "\\|")
    return f"| `{column.name}` | {column.kind} | {'may be' if column.optional else ''} | {meaning} |"


def _sentence(text: str) -> str:
    return text if text.endswith(".") else f"{text}."


def main() -> None:
    """Writes the page."""
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
