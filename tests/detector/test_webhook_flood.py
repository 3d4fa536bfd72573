"""Thousands of webhooks at once, in any order and twice: the books are those of a sync, the vendor is asked little."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine

from detector import deliveries
from detector.cycle import Setting
from detector.deliveries import Refusal
from detector.delivering import TOGETHER, Applying
from integrations.catalogue import find
from store import operational
from tests.integrations.delivering import SECRET, SENDERS, SETTINGS
from tests.integrations.pulling import books, lake, sync
from tests.integrations.vendors import CHARGEBEE, LAGO, OPENMETER, Vendor
from tests.peers.stripe import process as stripe_process
from tests.peers.stripe.sample import NOW, company
from tests.peers.vendor import running

FLOOD = 2_000


@pytest.fixture
def setting(sqlite_engine: Engine, tmp_path: Path) -> Iterator[Setting]:
    warehouse = lake(tmp_path)
    yield Setting(warehouse, sqlite_engine, lambda: datetime.now(UTC), "tests")
    warehouse.close()


def send(setting: Setting, source: object, kind: str, event: str, invoice: str) -> Refusal | None:
    now = setting.clock()
    body, headers = SENDERS[kind].delivery(event, invoice, now)
    return deliveries.take(setting.engine, kind, source.proven, body, headers, now).refusal  # type: ignore[attr-defined]


def test_a_flood_is_applied_whole_and_what_it_names_is_asked_for_once_per_batch(setting: Setting) -> None:
    with stripe_process.running("--now", NOW.isoformat()) as peer:
        peer.load(company(), announce=False)
        settings = {"api_key": stripe_process.KEY, "base_url": peer.url, SETTINGS["stripe"]: SECRET}
        source = find("stripe").from_config("stripe", {**settings, "requests_per_second": 10_000})
        sync(setting.warehouse, source)
        peer.change("in_paid", announce=False, description="Changed since", auto_advance=False)
        peer.change("in_draft", announce=False, currency="usd", number="N-later")
        peer.control("forget")
        invoices = [str(row["invoice_id"]) for row in company()["invoices"]]
        order = [(f"evt_{number}", invoices[number % len(invoices)]) for number in range(FLOOD)]
        random.Random(7).shuffle(order)
        refusals = [send(setting, source, "stripe", *each) for each in [*order, *order[:100]]]
        assert refusals.count(None) == FLOOD
        assert refusals[FLOOD:] == [Refusal.REPLAYED] * 100

        Applying(setting, "stripe", source.receive).work()
        with operational.reading(setting.engine) as session:
            tally = deliveries.tallies(session)["stripe"]
        assert (tally.applied, tally.waiting, tally.failed) == (FLOOD, 0, 0)
        asked = [path for path in peer.asked() if path.startswith("/v1/invoices/in_")]
        assert len(asked) <= FLOOD / TOGETHER * len(invoices) * 2  # each invoice, and its lines where they are many
        again = lake(Path(setting.warehouse.data_path).parent / "again")
        sync(again, source, full=True)
        flooded, synced = books(setting.warehouse)["invoices"], books(again)["invoices"]
        again.close()
        assert flooded == synced


@pytest.mark.parametrize("vendor", [LAGO, OPENMETER, CHARGEBEE], ids=lambda vendor: vendor.name)
def test_every_invoice_told_twice_and_out_of_order_leaves_the_books_as_a_sync_made_them(
    vendor: Vendor, setting: Setting
) -> None:
    with running(vendor.name, NOW) as peer:
        peer.load(vendor.company())
        source = vendor.connected(peer)
        sync(setting.warehouse, source)
        synced, snapshot = books(setting.warehouse), setting.warehouse.snapshot()
        told = [SENDERS[vendor.name].told(f"e{n}", str(row["invoice_id"])) for n, row in _twice(vendor)]
        for chunk in (told[::2], told[1::2]):
            for page in source.receive(chunk):
                setting.warehouse.upsert_rows(page.rows, integration=vendor.name, version_at=page.version_at)
        assert books(setting.warehouse) == synced
        assert setting.warehouse.changes_since(snapshot) == set()


def _twice(vendor: Vendor) -> list[tuple[int, dict[str, object]]]:
    """Every invoice of the company two times, in an order of its own."""
    every = list(enumerate([*vendor.company()["invoices"]] * 2))
    random.Random(3).shuffle(every)
    return every
