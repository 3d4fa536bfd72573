"""Any books folder as rows of Python values: parquet, csv or jsonl, one file per table."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

from billing.books import BY_NAME
from billing.model import DECIMAL_PLACES, Column, Kind

Row = dict[str, object]
Rows = dict[str, list[Row]]

HELD = (
    "customers",
    "meters",
    "plans",
    "prices",
    "price_tiers",
    "subscriptions",
    "subscription_items",
    "discounts",
    "invoices",
    "invoice_lines",
    "credit_notes",
    "payments",
    "credit_grants",
    "credit_movements",
)
"""The tables that Stripe has objects for."""


def read_folder(folder: Path, integration: str | None = None) -> Rows:
    """The rows of the tables that Stripe has objects for; of one integration only when it is named."""
    rows = {table: list(_table(folder, table)) for table in HELD}
    if integration is None:
        return rows
    return {t: [row for row in held if row.get("integration") in (None, integration)] for t, held in rows.items()}


def typed(table: str, row: Row) -> Row:
    """A row with every value as its column's kind says, from text or as it comes."""
    columns = BY_NAME[table].by_name
    return {name: _value(columns[name], value) for name, value in row.items() if name in columns}


def _table(folder: Path, table: str) -> Iterator[Row]:
    for suffix, read in {".parquet": _parquet, ".csv": _csv, ".jsonl": _jsonl}.items():
        path = folder / f"{table}{suffix}"
        if path.exists():
            yield from (typed(table, row) for row in read(path))


def _parquet(path: Path) -> Iterable[Row]:
    import pyarrow.parquet as pq  # only where there is parquet: it takes a second to load

    return pq.read_table(path).to_pylist()


def _csv(path: Path) -> Iterable[Row]:
    with path.open(newline="", encoding="utf-8") as file:
        yield from csv.DictReader(file)


def _jsonl(path: Path) -> Iterable[Row]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line, parse_float=Decimal)


def _value(column: Column, value: object) -> object:
    if value is None or (value == "" and column.kind is not Kind.TEXT) or (value == "" and column.optional):
        return None
    if column.kind in DECIMAL_PLACES:
        return value if isinstance(value, Decimal) else Decimal(str(value))
    if column.kind is Kind.TS:
        return _instant(value)
    if column.kind is Kind.JSON:
        return json.loads(value, parse_float=Decimal) if isinstance(value, str) else value
    if column.kind is Kind.INT:
        return int(str(value))
    if column.kind is Kind.BOOL:
        return value if isinstance(value, bool) else str(value).lower() in {"true", "t", "1"}
    return str(value)


def _instant(value: object) -> datetime:
    at = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    assert isinstance(at, date)
    return at if at.tzinfo else at.replace(tzinfo=UTC)
