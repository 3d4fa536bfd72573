"""Rules that an event runs read books that are kept open: the same findings, the same lock, of one snapshot."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from sqlalchemy import Engine

from detector import cycle, derived
from detector.cycle import Setting
from detector.limits import USUAL
from detector.ready import Ready
from detector.schedule import Slot
from store.warehouse import Warehouse
from tests.detector.test_unchanged import NOW, TIERS, books_of


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[Warehouse]:
    made = books_of(TIERS, tmp_path / "lake")
    yield made
    made.close()


@pytest.fixture
def ready(warehouse: Warehouse) -> Iterator[Ready]:
    made = Ready(warehouse, USUAL)
    yield made
    made.close()


def rename(warehouse: Warehouse, name: str) -> None:
    rows = [{"customer_id": "acme", "name": name, "status": "active", "created_at": NOW}]
    warehouse.upsert_rows({"customers": rows}, integration="billing", version_at=NOW.replace(hour=23))


@pytest.mark.parametrize("copied", [False, True])
def test_an_event_finds_what_another_run_finds(
    warehouse: Warehouse, ready: Ready, sqlite_engine: Engine, copied: bool
) -> None:
    if copied:
        ready.gather()
    setting = Setting(warehouse, sqlite_engine, lambda: NOW, "w", ready=ready)
    slots = {TIERS.name: Slot("event/1")}
    (first,) = cycle.run(setting, [TIERS], NOW, trigger="event", slots=slots)
    (other,) = cycle.run(replace(setting, ready=None), [TIERS], NOW)
    assert (first.status, first.findings) == ("ok", len(TIERS.cases[0].expect))
    assert (other.reason, other.findings) == ("unchanged", first.findings)


def test_the_books_are_those_of_the_snapshot_or_none(warehouse: Warehouse, ready: Ready) -> None:
    before = warehouse.snapshot()
    ready.gather()
    rename(warehouse, "Acme & Sons")
    with ready.books(before) as opened:
        assert opened is None
    with ready.books(warehouse.snapshot()) as opened:
        assert opened is not None
        derived.build(opened.con, NOW.replace(hour=23), {"customers"}, in_place=opened.large)
        rename(warehouse, "Acme after that")
        ready.gather()  # somebody holds the books: nothing moves under them
        names = opened.con.execute("SELECT name FROM books.customers WHERE customer_id = 'acme'").fetchall()
        assert names == [("Acme & Sons",)]
        with ready.books(warehouse.snapshot()) as second:
            assert second is None


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM read_text('/etc/hostname')",
        "COPY (SELECT 1) TO '/tmp/out.csv'",
        "ATTACH '/tmp/other.duckdb' AS other",
        "SET enable_external_access = true",
    ],
)
def test_nothing_of_the_machine_is_reached_from_them(warehouse: Warehouse, ready: Ready, query: str) -> None:
    with ready.books(warehouse.snapshot()) as opened:
        assert opened is not None
        with pytest.raises(duckdb.Error):
            opened.con.execute(query)


def test_who_stops_the_process_does_not_take_the_books_from_a_run(warehouse: Warehouse, ready: Ready) -> None:
    ready.gather()
    stopping = threading.Thread(target=ready.close)
    with ready.books(warehouse.snapshot()) as opened:
        assert opened is not None
        stopping.start()
        stopping.join(0.2)
        assert opened.con.execute("SELECT count(*) > 0 FROM books.customers").fetchone() == (True,)
    stopping.join(10)
    assert not stopping.is_alive()
