"""A watched folder: every file comes in once, whatever its format, and a pull that is cut loses and doubles nothing."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from integrations import folder
from integrations.folder import from_config
from store.warehouse import Warehouse
from tests.integrations.pulling import books, lake, pulled, sync

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
CUSTOMERS = "customer_id,name,currency,status,created_at\n"


def write(place: Path, content: str, *, age: float = 60) -> Path:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(content)
    at = (NOW - timedelta(seconds=age)).timestamp()
    os.utime(place, (at, at))
    return place


def customer(id: str, name: str = "Acme") -> str:
    return f"{id},{name},USD,active,2026-01-01T00:00:00Z\n"


def company(place: Path) -> None:
    """Three formats, two files of one table, and one in a folder of its table."""
    write(place / "customers-2026-11.csv", CUSTOMERS + customer("c1") + customer("c2"))
    write(place / "customers-2026-12.csv", CUSTOMERS + customer("c3"))
    write(place / "meters.jsonl", '{"meter_id": "m", "name": "M", "event_type": "api", "aggregation": "sum"}\n')
    target = place / "usage_events" / "part-0.parquet"
    target.parent.mkdir()
    duckdb.sql(
        "SELECT 'e' || i AS event_id, 'app' AS source, 'api' AS event_type, 's' AS subject, "
        "TIMESTAMP '2026-11-01' + to_seconds(i) AS time, i::DECIMAL(18,2) AS value, time AS received_at, "
        "'accepted' AS status FROM range(25) t(i)"
    ).write_parquet(str(target))
    os.utime(target, ((NOW - timedelta(hours=1)).timestamp(),) * 2)


def rows(warehouse: Warehouse, table: str = "customers", what: str = "customer_id, name") -> list[tuple[object, ...]]:
    with warehouse.connect() as con:
        return con.execute(f"SELECT {what} FROM books.{table} ORDER BY ALL").fetchall()


def test_every_file_comes_in_once_and_again_when_it_changes(tmp_path: Path) -> None:
    place, warehouse = tmp_path / "drop", lake(tmp_path / "lake")
    company(place)
    source = from_config("drop", {"path": str(place)})
    assert source.check() is None
    sync(warehouse, source, now=NOW)
    assert rows(warehouse) == [("c1", "Acme"), ("c2", "Acme"), ("c3", "Acme")]
    assert rows(warehouse, "usage_events", "count(*), sum(value), min(integration)") == [(25, 300, "drop")]
    snapshot = warehouse.snapshot()
    assert pulled(source, now=NOW) != []
    sync(warehouse, source, now=NOW)
    assert warehouse.snapshot() == snapshot
    write(place / "customers-2026-11.csv", CUSTOMERS + customer("c1", "Renamed"), age=30)
    write(place / "customers-old.csv", CUSTOMERS + customer("c1", "Older"), age=600)
    write(place / "invoices-now.csv", "half", age=1)
    sync(warehouse, source, now=NOW)
    assert rows(warehouse)[0] == ("c1", "Renamed")
    recorded = warehouse.cursor("drop", "file customers-2026-11.csv")
    assert recorded
    assert '"rows": 1, "refused": 0' in recorded
    assert warehouse.cursor("drop", "file invoices-now.csv") is None  # it may still be written
    warehouse.close()


def test_a_pull_that_is_cut_behind_any_page_loses_and_doubles_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder, "ROWS", 10)
    place = tmp_path / "drop"
    company(place)
    source = from_config("drop", {"path": str(place)})
    whole = lake(tmp_path / "whole")
    pages = sync(whole, source, now=NOW)
    assert pages == 6
    torn = lake(tmp_path / "torn")
    for most in range(1, pages):
        sync(torn, source, now=NOW, most=most)
    sync(torn, source, now=NOW)
    assert books(torn) == books(whole)
    for warehouse in (torn, whole):
        warehouse.close()


def test_bad_rows_and_files_are_named_and_the_rest_comes(tmp_path: Path) -> None:
    place = tmp_path / "drop"
    write(place / "customers-1.csv", CUSTOMERS + customer("c1") + "c2,Bad,USD,active,yesterday\n")
    write(place / "invoices-1.jsonl", "{broken")
    write(place / "notes.txt", "hello")
    source = from_config("drop", {"path": str(place)})
    assert source.check() == (
        f"notes.txt in {place} is no table of the books; name files <table>-....parquet"
    )  # fmt: skip
    pages = pulled(source, now=NOW)
    assert [row["customer_id"] for page in pages for row in page.rows.get("customers", [])] == ["c1"]
    named = {remark.id: remark.reason for page in pages for remark in page.remarks}
    assert "customers-1.csv:3" in named
    assert "'yesterday'" in named["customers-1.csv:3"]
    assert any(id.startswith("invoices-1.jsonl") for id in named)
    assert all(page.cursors for page in pages)


def test_an_object_store_is_read_the_same_way() -> None:
    store = MemoryFileSystem()
    store.pipe("/landing/customers/part-1.csv", (CUSTOMERS + customer("c1")).encode())
    store.pipe("/landing/customers/_part-2.csv", b"not yet")
    later = datetime.now(UTC) + timedelta(minutes=1)
    try:
        (page,) = pulled(from_config("drop", {"path": "memory://landing"}), now=later)
    finally:
        store.rm("/landing", recursive=True)
    assert [row["name"] for row in page.rows["customers"]] == ["Acme"]


@pytest.mark.parametrize(
    ("settings", "said"), [({}, "a folder, or an address"), ({"path": "moon://x"}, "cannot be opened")]
)
def test_a_path_that_is_none_is_named(settings: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=rf"integrations.drop.path: .*{said}"):
        from_config("drop", settings)
