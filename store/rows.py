"""Rows of the books as Python values, turned into Arrow tables of exactly the stored types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

import pyarrow as pa

from billing.books import BY_NAME
from billing.canonical import json_text
from billing.model import DECIMAL_PLACES, Column, Kind, Table
from store.upsert import APPEND_ONLY, utc

Row = Mapping[str, object]


def arrow(table_name: str, rows: Sequence[Row], integration: str) -> pa.Table:
    """One Arrow table with a column for everything that any of the rows sets, `integration` always.

    Values: str, Decimal (or int) for amounts, aware datetime, bool, int; dict, list or JSON text for json columns.
    Of several rows with one key the newest `version_at` stays, of equal ones the last; events all stay, for the
    warehouse to tell which was received first. Raises ValueError naming table, column and value for an unknown
    column, a float, digits that the column cannot hold.
    """
    table = BY_NAME[table_name]
    every = [{"integration": integration, **row} for row in rows]
    kept = every if table_name in APPEND_ONLY else _newest(table, every)
    known = {**table.by_name, "version_at": Column("version_at", Kind.TS, optional=True)}
    used = dict.fromkeys(column for row in kept for column in row)
    for column in used:
        if column not in known:
            raise ValueError(f"{table_name} has no column {column!r}.")
    return pa.table({column: _array(table_name, known[column], kept) for column in used})


def _newest(table: Table, rows: list[dict[str, object]]) -> list[dict[str, object]]:
    newest: dict[tuple[object, ...], dict[str, object]] = {}
    for row in rows:
        key = tuple(row.get(part) for part in table.primary_key)
        held = newest.get(key)
        if held is None or not _older(row.get("version_at"), held.get("version_at")):
            newest[key] = row
    return list(newest.values())


def _older(version: object, than: object) -> bool:
    return isinstance(version, datetime) and isinstance(than, datetime) and version < than


def _array(table_name: str, column: Column, rows: list[dict[str, object]]) -> pa.Array:
    values = []
    for row in rows:
        try:
            values.append(_value(column, row.get(column.name)))
        except (TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"{table_name}.{column.name} cannot hold {row.get(column.name)!r}: {error}") from error
    try:
        return pa.array(values, type=_arrow_type(column.kind))
    except pa.ArrowException as error:
        raise ValueError(f"{table_name}.{column.name}: {error}") from error


def _value(column: Column, value: object) -> object:
    if value is None:
        return None
    if column.kind in DECIMAL_PLACES:
        return _decimal(value, *DECIMAL_PLACES[column.kind])
    if column.kind is Kind.TS:
        return _instant(value)
    if column.kind is Kind.BOOL:
        return _truth(value)
    if column.kind is Kind.INT:
        return _whole(value)
    if column.kind is Kind.JSON and not isinstance(value, str):
        return json_text(value)
    if isinstance(value, bool | int | float):
        raise TypeError("text is needed")
    return str(value)


def _instant(value: object) -> datetime:
    if not isinstance(value, datetime):
        raise TypeError("an aware datetime is needed")
    return utc(value)


def _truth(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError("True or False is needed")
    return value


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError("a whole number is needed")
    return value


def _decimal(value: object, digits: int, places: int) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, Decimal | int):
        raise TypeError("a Decimal is needed, never a float")
    exact = Decimal(value)
    if not exact.is_finite():
        raise ValueError("a finite number is needed")
    if exact != round(exact, places) if exact.adjusted() < digits - places else True:
        raise ValueError(f"at most {digits - places} digits before and {places} after the point")
    return exact


def _arrow_type(kind: Kind) -> pa.DataType:
    if kind in DECIMAL_PLACES:
        return pa.decimal128(*DECIMAL_PLACES[kind])
    return {Kind.TS: pa.timestamp("us"), Kind.INT: pa.int64(), Kind.BOOL: pa.bool_()}.get(kind, pa.string())
