"""Writes the company as a folder in the shape of books.yaml: large tables as parquet, the others as csv and jsonl.

All three forms are used, so that importing the example exercises each of them. Decimals are written as text or as
decimals, never as binary numbers; instants in UTC. The same company gives the same bytes.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from billing.books import BY_NAME
from billing.model import DECIMAL_PLACES, Column, Kind
from integrations.example.catalogue import METERS
from integrations.example.company import Company
from integrations.example.streams import ACCEPTED, INVALID, STATUSES, UNREADABLE, VALUE_PLACES, Events, Stream
from integrations.example.usage import PROPERTIES

Row = Mapping[str, object]

BILLING, PRODUCT, CONTRACTS = "stripe", "product", "contracts"

SOURCES = {
    "subjects": PRODUCT,
    "provisioned": PRODUCT,
    "usage_events": PRODUCT,
    "credit_grants": PRODUCT,
    "credit_movements": PRODUCT,
    "topup_rules": PRODUCT,
    "alerts_sent": PRODUCT,
    "entitlements": PRODUCT,
    "price_overrides": CONTRACTS,
    "discounts": CONTRACTS,
    "plan_migrations": CONTRACTS,
}
"""The integration of tables that the billing system does not hold."""

FORMS = {
    "usage_events": "parquet",
    "reported_usage": "parquet",
    "invoice_lines": "parquet",
    "invoices": "parquet",
    "customers": "jsonl",
    "price_overrides": "jsonl",
    "credit_grants": "jsonl",
    "provisioned": "jsonl",
}
"""The form of each table's file; csv where none is named."""

_ERRORS = (
    "",
    "refused: this delivery was accepted before",
    "value is not a number",
    "refused: the timestamp is more than 35 days old",
    "$.value is missing",
)
"""What is said of an event, by its status."""


def write_books(company: Company, directory: Path) -> dict[str, int]:
    """Write every table that has rows; the number of rows by table."""
    counts = {}
    for name, rows in _tables(company).items():
        if rows:
            _write(directory, name, rows)
            counts[name] = len(rows)
    counts["usage_events"] = _write_events(company, directory / "usage_events.parquet")
    return counts


def write_jsonl(path: Path, rows: Iterable[Row]) -> None:
    """One JSON object per line, decimals as text and instants as RFC 3339."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(json.dumps({name: _plain(value) for name, value in row.items()}) + "\n" for row in rows)


def _tables(company: Company) -> dict[str, Sequence[object]]:
    tiers = [tier for price in company.prices.values() for tier in price.tiers]
    return {
        "customers": list(company.customers.values()),
        "subjects": company.subjects,
        "meters": METERS,
        "plans": list(company.plans.values()),
        "prices": list(company.prices.values()),
        "price_tiers": tiers,
        "subscriptions": list(company.subscriptions.values()),
        "subscription_items": list(company.items.values()),
        "price_overrides": company.overrides,
        "discounts": company.discounts,
        "plan_migrations": company.migrations,
        "provisioned": company.provisioned,
        "reported_usage": company.reported,
        "bill_runs": list(company.bill_runs.values()),
        "invoices": list(company.invoices.values()),
        "invoice_lines": list(company.lines.values()),
        "credit_notes": company.credit_notes,
        "payments": company.payments,
        "credit_grants": list(company.grants.values()),
        "credit_movements": company.movements,
        "topup_rules": company.topup_rules,
        "alerts_sent": company.alerts,
        "entitlements": company.entitlements,
    }


def _write(directory: Path, name: str, records: Sequence[object]) -> None:
    columns = BY_NAME[name].columns
    source = SOURCES.get(name, BILLING)
    match FORMS.get(name, "csv"):
        case "parquet":
            _write_parquet(directory / f"{name}.parquet", columns, source, records)
        case "jsonl":
            write_jsonl(directory / f"{name}.jsonl", _rows(columns, source, records))
        case _:
            _write_csv(directory / f"{name}.csv", columns, source, records)


def _rows(columns: Sequence[Column], source: str, records: Sequence[object]) -> Iterator[Row]:
    for record in records:
        row = {column.name: getattr(record, column.name) for column in columns}
        yield {name: value for name, value in row.items() if value is not None} | {"integration": source}


def _write_csv(path: Path, columns: Sequence[Column], source: str, records: Sequence[object]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*(column.name for column in columns), "integration"])
        writer.writerows([*(_text(getattr(each, column.name)) for column in columns), source] for each in records)


def _text(value: object) -> str:
    if value is None:
        return ""
    plain = _plain(value)
    return plain if isinstance(plain, str) else json.dumps(plain)


def _plain(value: object) -> object:
    """The value as JSON holds it."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return value


def _write_parquet(path: Path, columns: Sequence[Column], source: str, records: Sequence[object]) -> None:
    arrays = [pa.array([getattr(each, column.name) for each in records], type=_type(column.kind)) for column in columns]
    arrays.append(pa.array([source] * len(records)).dictionary_encode())
    parquet.write_table(pa.table(arrays, names=[*(column.name for column in columns), "integration"]), path)


def _type(kind: Kind) -> pa.DataType:
    if kind in DECIMAL_PLACES:
        return pa.decimal128(*DECIMAL_PLACES[kind])
    return {Kind.TS: pa.timestamp("us", tz="UTC"), Kind.INT: pa.int64(), Kind.BOOL: pa.bool_()}.get(kind, pa.string())


def _write_events(company: Company, path: Path) -> int:
    """All events of all streams in the order in which they were received."""
    streams = list(company.streams.values())
    columns = (np.concatenate(column) for column in zip(*(each.events.columns for each in streams), strict=True))
    events = Events(*columns)
    stream = np.repeat(np.arange(len(streams)), [len(each.events) for each in streams])
    order = np.argsort(events.received, kind="stable")
    table = _event_table(company, streams, events.where(order), stream[order])
    parquet.write_table(table, path, row_group_size=250_000, compression="zstd")
    return len(events)


def _event_table(company: Company, streams: list[Stream], events: Events, stream: np.ndarray) -> pa.Table:
    counted = np.array([each.aggregation == "count" for each in streams])[stream]
    return pa.table(
        {
            "event_id": _event_ids(events),
            "source": _coded([each.source for each in streams], stream),
            "event_type": _coded([each.event_type for each in streams], stream),
            "subject": _coded(_subjects(company), events.subjects),
            "time": pa.array(events.times, type=pa.timestamp("us", tz="UTC")),
            "value": _decimals(events.values, counted | np.isin(events.status, (INVALID, UNREADABLE))),
            "properties": _coded([*PROPERTIES, *company.said[::-1]], events.properties),
            "received_at": pa.array(events.received, type=pa.timestamp("us", tz="UTC")),
            "status": _coded(STATUSES, events.status),
            "error": _coded(_ERRORS, events.status, events.status == ACCEPTED),
            "integration": _coded([PRODUCT], np.zeros(len(events), dtype=np.int64)),
        }
    )


def _subjects(company: Company) -> list[str]:
    """The names of subjects by their numbers: those that are nobody's count from the end."""
    return [each.subject for each in company.subjects] + company.strays[::-1]


def _coded(words: Sequence[str], codes: np.ndarray, missing: np.ndarray | None = None) -> pa.Array:
    """A column of words, given by their places in a list; null where `missing`."""
    places = {word: place for place, word in enumerate(dict.fromkeys(words))}  # each word once, or the bytes vary
    place_of = np.array([places[word] for word in words], dtype=np.int32)
    indices = pa.array(place_of[codes], mask=missing)
    return pa.DictionaryArray.from_arrays(indices, pa.array(list(places), type=pa.string()))


def _event_ids(events: Events) -> pa.Array:
    """The ids as `integrations.example.streams.event_id` writes them, all at once."""
    digits = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)
    shifts = np.arange(60, -4, -4, dtype=np.uint64)
    text = np.empty((len(events), 20), dtype=np.uint8)
    text[:, :4] = np.frombuffer(b"evt_", dtype=np.uint8)
    text[:, 4:] = digits[((events.keys.view(np.uint64)[:, None] >> shifts) & np.uint64(15)).astype(np.uint8)]
    offsets = np.arange(0, 20 * len(events) + 1, 20, dtype=np.int32)
    buffers = [pa.py_buffer(offsets), pa.py_buffer(text)]
    return pa.StringArray.from_buffers(len(events), *buffers)


def _decimals(thousandths: np.ndarray, missing: np.ndarray) -> pa.Array:
    """Exact decimals of the books' quantity type: the 128-bit integers are laid out as arrow keeps them."""
    digits, places = DECIMAL_PLACES[Kind.QTY]
    scaled = thousandths * 10 ** (places - VALUE_PLACES)
    words = np.empty((len(scaled), 2), dtype=np.int64)
    words[:, 0], words[:, 1] = scaled, scaled >> 63
    present = np.packbits(~missing, bitorder="little")
    buffers = [pa.py_buffer(present), pa.py_buffer(words)]
    return pa.Array.from_buffers(pa.decimal128(digits, places), len(scaled), buffers)
