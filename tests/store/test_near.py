"""The copy that is near is the lake: the same rows, of one snapshot, whatever is written meanwhile."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from billing.books import BY_NAME, TABLES
from store.schema import columns
from store.warehouse import Warehouse

AT = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[Warehouse]:
    made = Warehouse(f"sqlite:{tmp_path / 'catalog.sqlite'}", tmp_path / "lake")
    made.create()
    yield made
    made.close()


def customer(number: int, name: str) -> dict[str, Any]:
    return {"customer_id": f"c{number}", "name": name, "status": "active", "created_at": AT}


def event(number: int, subject: str = "acme") -> dict[str, Any]:
    return {"event_id": f"e{number}", "source": "app", "event_type": "call", "subject": subject, "time": AT,
            "value": Decimal(number), "received_at": AT, "status": "accepted"}  # fmt: skip


def write(warehouse: Warehouse, **rows: list[dict[str, Any]]) -> None:
    warehouse.upsert_rows(rows, integration="files", version_at=AT)


def held(con: duckdb.DuckDBPyConnection, table: str, of: str = "*") -> list[Any]:
    return sorted(con.execute(f"SELECT {of} FROM books.{table}").fetchall(), key=repr)


def test_every_table_is_the_lakes(warehouse: Warehouse) -> None:
    write(warehouse, customers=[customer(1, "Acme")], usage_events=[event(n) for n in range(30)])
    with closing(warehouse.near.connect()) as near, closing(warehouse.connect(read_only=True)) as lake:
        for table in TABLES:
            stored = ", ".join(columns(table))
            assert held(near, table.name, stored) == held(lake, table.name, stored), table.name


def test_what_was_written_since_is_there_at_the_next_look(warehouse: Warehouse) -> None:
    write(warehouse, customers=[customer(1, "Acme")], usage_events=[event(1)])
    warehouse.near.connect().close()
    write(warehouse, customers=[customer(1, "Bolt"), customer(2, "Core")], usage_events=[event(2)])
    with closing(warehouse.near.connect()) as near:
        assert held(near, "customers", "name") == [("Bolt",), ("Core",)]
        assert held(near, "usage_events", "event_id") == [("e1",), ("e2",)]


def test_events_have_the_key_of_their_subject_before_they_are_kept_and_after(warehouse: Warehouse) -> None:
    write(warehouse, usage_events=[event(1, "acme"), event(2, "bolt")])
    for keep in (lambda: None, warehouse.near.gather):
        keep()
        with closing(warehouse.near.connect()) as near:
            found = near.execute("SELECT subject FROM books.usage_events WHERE subject_key = hash('acme')").fetchall()
            assert found == [("acme",)]


def test_what_belongs_to_one_customer_is_kept_together(warehouse: Warehouse) -> None:
    items = [
        {"subscription_id": f"s{n % 3}", "item_id": f"i{n}", "price_id": "p", "quantity": Decimal(1), "active_from": AT}
        for n in range(9)
    ]
    write(warehouse, subscription_items=items)
    warehouse.near.gather()
    with closing(warehouse.near.connect()) as near:
        near.execute("SET threads = 1")
        lie = [row[0] for row in near.execute("SELECT subscription_id FROM books.subscription_items").fetchall()]
    assert lie == sorted(lie)


@pytest.mark.parametrize("before", [[], [1, 2, 3]])
def test_kept_events_gain_the_new_ones_and_nothing_else(warehouse: Warehouse, before: list[int]) -> None:
    write(warehouse, usage_events=[event(n, f"s{n}") for n in before])
    warehouse.near.gather()
    write(warehouse, usage_events=[event(4), event(5)])
    write(warehouse, customers=[customer(1, "Acme")])
    write(warehouse, usage_events=[event(5), event(6)])
    every = ", ".join(columns(BY_NAME["usage_events"]))
    with closing(warehouse.near.connect()) as near, closing(warehouse.connect(read_only=True)) as lake:
        assert len(held(near, "usage_events")) == len(before) + 3
        assert held(near, "usage_events", every) == held(lake, "usage_events", every)
        keys = near.execute("SELECT count(*) FROM books.usage_events WHERE subject_key <> hash(subject)").fetchone()
        assert keys == (0,)


def test_a_page_sees_one_state_while_others_write_and_look(warehouse: Warehouse) -> None:
    write(warehouse, customers=[customer(1, "Acme")], usage_events=[event(1)])
    with closing(warehouse.near.connect()) as page:
        page.begin()
        assert held(page, "customers", "name") == [("Acme",)]
        write(warehouse, customers=[customer(1, "Bolt")], usage_events=[event(2)])
        with closing(warehouse.near.connect()) as other:
            assert held(other, "customers", "name") == [("Bolt",)]
        assert held(page, "customers", "name") == [("Acme",)]
        assert held(page, "usage_events", "event_id") == [("e1",)]


def test_a_connection_that_looks_once_is_of_one_snapshot_in_every_table(warehouse: Warehouse) -> None:
    """Tables that are read where they lie are read at the snapshot that the others were copied of."""
    write(warehouse, customers=[customer(1, "Acme")], usage_events=[event(1)])
    with closing(warehouse.near.connect()) as near:
        write(warehouse, customers=[customer(2, "Bolt")], usage_events=[event(2)])
        assert (len(held(near, "customers")), len(held(near, "usage_events"))) == (1, 1)


def test_its_file_goes_with_it(warehouse: Warehouse, tmp_path: Path) -> None:
    warehouse.near.gather()
    assert list((tmp_path / "spill").glob("near-*"))
    warehouse.close()
    assert not list((tmp_path / "spill").glob("near-*"))
