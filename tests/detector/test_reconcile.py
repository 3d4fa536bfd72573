"""The books beside their source: what is missing, other, or only here is told; a repair and a backfill mend it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from detector import arrivals
from detector.cycle import Setting
from detector.reconcile import compared_text, reconcile, repair
from integrations.catalogue import find
from integrations.pages import Page
from tests.integrations.pulling import lake, sync
from tests.integrations.stripe_company import connected
from tests.peers.stripe.process import Peer, running
from tests.peers.stripe.sample import NOW, company

TABLES = find("stripe").capabilities.reads


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    with running("--now", NOW.isoformat()) as started:
        started.load(company(), announce=False)
        yield started


@pytest.fixture
def setting(sqlite_engine: Engine, tmp_path: Path, peer: Peer) -> Iterator[Setting]:
    warehouse = lake(tmp_path)
    sync(warehouse, connected(peer))
    yield Setting(warehouse, sqlite_engine, lambda: NOW, "tests")
    warehouse.close()


def store(setting: Setting, *pages: Page) -> None:
    for _ in arrivals.stored(setting, "stripe", pages, "test"):
        pass


def test_drift_is_told_row_by_row_and_mended_by_id(setting: Setting, peer: Peer) -> None:
    stripe = connected(peer)
    whole = reconcile(setting, stripe, TABLES)
    assert all(each.agrees and each.source == each.books and each.source_sum == each.books_sum for each in whole)
    assert {each.table: each.source for each in whole}["invoices"] == len(company()["invoices"])

    skewed = NOW + timedelta(minutes=5)  # what was written while our clock was ahead
    with setting.warehouse.connect() as con:
        con.execute(f"UPDATE books.invoices SET total = 1, version_at = TIMESTAMP '{skewed:%Y-%m-%d %H:%M:%S}' "
                    "WHERE invoice_id = 'in_paid'")  # fmt: skip
        con.execute("DELETE FROM books.customers WHERE customer_id = 'cus_tokyo'")
    store(setting, Page("customers", {"customers": [
        {"customer_id": "cus_ghost", "name": "Gone", "currency": "USD", "status": "active", "created_at": NOW}
    ]}, NOW))  # fmt: skip
    apart = {each.table: each for each in reconcile(setting, stripe, TABLES) if not each.agrees}
    assert set(apart) == {"invoices", "customers"}
    assert apart["invoices"].different.keys == ("in_paid",)
    assert apart["customers"].missing.keys == ("cus_tokyo",)
    assert apart["customers"].only_here.keys == ("cus_ghost",)
    assert apart["invoices"].source_sum != apart["invoices"].books_sum
    assert "        1 only here: cus_ghost" in compared_text(list(apart.values()))

    for record in (("invoice", "in_paid"), ("customer", "cus_tokyo")):
        assert sum(c.written for _, counts in repair(setting, stripe, "stripe", record) for c in counts.values())
    assert all(each.agrees for each in reconcile(setting, stripe, TABLES))


def test_a_window_is_read_again_whatever_the_cursors_say(setting: Setting, peer: Peer) -> None:
    stripe, snapshot = connected(peer), setting.warehouse.snapshot()
    with setting.warehouse.connect() as con:
        con.execute("DELETE FROM books.invoices; DELETE FROM books.customers")
    window = arrivals.Window(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC))
    store(setting, *arrivals.pulled(setting, stripe, full=False, window=window))
    found = {each.table: each for each in reconcile(setting, stripe, ["invoices", "customers"])}
    assert (found["invoices"].agrees, found["customers"].books) == (True, 0)  # customers are from long before
    cursors = [setting.warehouse.cursor("stripe", stream) for stream in ("backfill", "events")]
    always = arrivals.Window(datetime(2020, 1, 1, tzinfo=UTC))
    store(setting, *arrivals.pulled(setting, stripe, full=False, window=always))
    assert all(each.agrees for each in reconcile(setting, stripe, TABLES))
    assert [setting.warehouse.cursor("stripe", stream) for stream in ("backfill", "events")] == cursors
    assert setting.warehouse.snapshot() > snapshot
