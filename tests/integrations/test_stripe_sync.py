"""Stripe is read once in full, then kept up with; nothing is lost or doubled, whatever happens on the way."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, timedelta
from pathlib import Path

import pytest

from billing.books import TABLES
from integrations.pages import Page
from integrations.stripe import TABLES as FILLED
from integrations.stripe.objects import Rows
from integrations.stripe.sync import WALK, Walk
from store.warehouse import Warehouse
from tests.integrations.stripe_company import connected, cursors_of, differences, pulled, rows_of
from tests.integrations.stripe_reading import NAME, sync, sync_in_child
from tests.lakes import lake
from tests.peers.stripe.process import KEY, Peer, running
from tests.peers.stripe.sample import NOW, company

Dump = dict[str, list[tuple[object, ...]]]


@pytest.fixture
def peer() -> Iterator[Peer]:
    with running("--now", NOW.isoformat()) as started:
        started.load(company(), announce=False)
        yield started


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[Warehouse]:
    made = lake(tmp_path)
    yield made
    made.close()


def books(warehouse: Warehouse) -> Dump:
    """Everything that the books hold, but for when it was read."""
    with closing(warehouse.connect(read_only=True)) as con:
        return {
            table.name: con.execute(
                f'SELECT * EXCLUDE (synced_at, version_at) FROM books."{table.name}" ORDER BY ALL'
            ).fetchall()
            for table in TABLES
        }


def value(warehouse: Warehouse, sql: str) -> object:
    """One value from the books."""
    with closing(warehouse.connect(read_only=True)) as con:
        row = con.execute(sql).fetchone()
    return row and (row[0] if len(row) == 1 else row)


def stripe_api(peer: Peer, method: str, path: str, **form: str) -> dict[str, object]:
    """A change that someone makes in Stripe."""
    answer = peer.http.request(method, f"{peer.url}/v1/{path}", data=form, headers={"Authorization": f"Bearer {KEY}"})
    answer.raise_for_status()
    changed: dict[str, object] = answer.json()
    return changed


def test_the_first_sync_brings_the_whole_company_into_the_books(peer: Peer, warehouse: Warehouse) -> None:
    counts = sync(warehouse, peer.url)
    assert {table: count.inserted for table, count in counts.items()} == {
        table: len(rows) for table, rows in company().items()
    }
    assert set(counts) == set(FILLED)
    amounts = "SELECT subtotal, tax_total, amount_due FROM books.invoices WHERE invoice_id = '{}'"
    assert [str(amount) for amount in value(warehouse, amounts.format("in_jp"))] == [
        "8400.0000",
        "764.0000",
        "8400.0000",
    ]  # type: ignore[attr-defined]
    assert [str(amount) for amount in value(warehouse, amounts.format("in_kw"))] == ["15.1250", "0.0000", "15.1250"]  # type: ignore[attr-defined]
    url = value(warehouse, "SELECT external_url FROM books.invoices WHERE invoice_id = 'in_kw'")
    assert url == "https://dashboard.stripe.com/test/invoices/in_kw"


def test_a_second_sync_changes_nothing(peer: Peer, warehouse: Warehouse) -> None:
    sync(warehouse, peer.url)
    before, snapshot = books(warehouse), warehouse.snapshot()
    counts = sync(warehouse, peer.url)
    assert not [table for table, count in counts.items() if count.inserted or count.updated or count.older]
    assert warehouse.snapshot() == snapshot
    peer.control("pass", seconds=7200)
    sync(warehouse, peer.url, now=NOW + timedelta(hours=2))
    assert warehouse.snapshot() == snapshot
    sync(warehouse, peer.url, full=True)
    assert warehouse.changes_since(snapshot) == set()
    assert books(warehouse) == before


def test_a_later_sync_reads_what_changed_and_the_open_set_only(peer: Peer) -> None:
    cursors = cursors_of(pulled(connected(peer)))
    peer.control("forget")
    pulled(connected(peer), cursors)
    lists = {path for path in peer.asked() if path.count("/") == 2}
    assert lists == {"/v1/events", "/v1/subscriptions", "/v1/subscription_items", "/v1/invoices"}


def test_changes_in_stripe_arrive_with_the_next_sync(peer: Peer, warehouse: Warehouse) -> None:
    sync(warehouse, peer.url)
    peer.control("pass", seconds=3600)
    stripe_api(peer, "POST", "customers/cus_acme", name="Acme & Sons")
    stripe_api(peer, "POST", "invoices/in_draft/finalize")
    stripe_api(peer, "POST", "invoices/in_kw/pay")
    stripe_api(peer, "POST", "invoices/in_jp/void")
    stripe_api(peer, "POST", "subscriptions/sub_acme", cancel_at_period_end="true")
    peer.load({"credit_notes": [company()["credit_notes"][0] | {"credit_note_id": "cn_new"}]})
    peer.load({"prices": [company()["prices"][1] | {"status": "archived"}]})
    sync(warehouse, peer.url, now=NOW + timedelta(hours=1))
    assert value(warehouse, "SELECT name FROM books.customers WHERE customer_id = 'cus_acme'") == "Acme & Sons"
    instants = "finalizes_at IS NULL, issued_at IS NULL, voided_at IS NULL"
    states = f"SELECT status, {instants} FROM books.invoices WHERE invoice_id = '{{}}'"
    assert value(warehouse, states.format("in_draft")) == ("open", True, False, True)
    assert value(warehouse, states.format("in_jp")) == ("void", True, False, False)
    assert value(warehouse, "SELECT status, amount_due FROM books.invoices WHERE invoice_id = 'in_kw'") == ("paid", 0)
    assert value(warehouse, "SELECT status FROM books.payments WHERE payment_id = 'pi_in_kw'") == "succeeded"
    assert value(warehouse, "SELECT status FROM books.subscriptions WHERE subscription_id = 'sub_acme'") == "canceled"
    assert value(warehouse, "SELECT count(*) FROM books.credit_notes WHERE credit_note_id = 'cn_new'") == 1
    assert value(warehouse, "SELECT status FROM books.prices WHERE price_id = 'price_seats'") == "archived"


def test_what_is_removed_in_stripe_ends_in_the_books(peer: Peer, warehouse: Warehouse) -> None:
    sync(warehouse, peer.url)
    peer.control("pass", seconds=3600)
    stripe_api(peer, "DELETE", "invoices/in_draft")
    stripe_api(peer, "DELETE", "customers/cus_new")
    gone = {"items[0][id]": "si_tokyo_seats", "items[0][deleted]": "true", "items[1][price]": "price_jp_calls"}
    stripe_api(peer, "POST", "subscriptions/sub_tokyo", **gone)
    stripe_api(peer, "DELETE", "subscriptions/sub_kuwait")
    sync(warehouse, peer.url, now=NOW + timedelta(hours=1))
    assert value(warehouse, "SELECT status, voided_at IS NULL FROM books.invoices WHERE invoice_id = 'in_draft'") == (
        "void",
        False,
    )
    assert value(warehouse, "SELECT status FROM books.customers WHERE customer_id = 'cus_new'") == "deleted"
    ended = value(
        warehouse, "SELECT active_to, quantity FROM books.subscription_items WHERE item_id = 'si_tokyo_seats'"
    )
    assert ended[0].replace(tzinfo=UTC) >= NOW + timedelta(hours=1)  # type: ignore[index]
    added = "SELECT count(*) FROM books.subscription_items WHERE item_id LIKE 'si_new%' AND price_id = 'price_jp_calls'"
    assert value(warehouse, added) == 1
    assert value(warehouse, "SELECT status FROM books.subscriptions WHERE subscription_id = 'sub_kuwait'") == "ended"


def test_a_change_without_an_event_is_found_in_the_open_set(peer: Peer, warehouse: Warehouse) -> None:
    sync(warehouse, peer.url)
    peer.change("in_draft", announce=False, attempt_count=3)
    peer.change("sub_due", announce=False, status="active")
    sync(warehouse, peer.url)
    assert value(warehouse, "SELECT attempt_count FROM books.invoices WHERE invoice_id = 'in_draft'") == 3
    assert value(warehouse, "SELECT status FROM books.subscriptions WHERE subscription_id = 'sub_due'") == "active"


def test_changes_during_a_full_reading_are_not_missed(peer: Peer) -> None:
    pages = []
    for page in connected(peer).pull({}.get, full=False, now=NOW):
        pages.append(page)
        if page.stream == "invoices":
            stripe_api(peer, "POST", "customers/cus_acme", name="Changed behind the reader's back")
    assert rows_of(pages)["customers"][("cus_acme",)]["name"] == "Changed behind the reader's back"


def test_an_older_version_never_replaces_a_newer_one(peer: Peer, warehouse: Warehouse) -> None:
    old = [page for page in pulled(connected(peer)) if page.stream == "customers"]
    peer.control("pass", seconds=60)
    stripe_api(peer, "POST", "customers/cus_acme", name="Acme & Sons")
    sync(warehouse, peer.url)
    counts = warehouse.upsert_rows(old[0].rows, integration=NAME, version_at=old[0].version_at)
    assert counts["customers"].older == 1
    assert value(warehouse, "SELECT name FROM books.customers WHERE customer_id = 'cus_acme'") == "Acme & Sons"


def test_after_a_month_of_silence_everything_is_read_again(peer: Peer) -> None:
    cursors = cursors_of(pulled(connected(peer)))
    peer.change("in_paid", announce=False, description="changed, and the event long gone")
    pages = pulled(connected(peer), cursors, now=NOW + timedelta(days=31))
    assert differences({"invoices": company()["invoices"]}, {"invoices": rows_of(pages)["invoices"]}) == []
    assert json.loads(cursors_of(pages)["backfill"])["since"] >= json.loads(cursors["backfill"])["since"]


def test_a_quiet_account_moves_the_cursor_once_a_day(peer: Peer) -> None:
    cursors = cursors_of(pulled(connected(peer)))
    peer.control("pass", seconds=3600)
    assert cursors_of(pulled(connected(peer), cursors)) == {}
    peer.control("pass", seconds=25 * 3600)
    moved = cursors_of(pulled(connected(peer), cursors))
    assert json.loads(moved["events"])["since"] > json.loads(cursors["events"])["since"] + 86_400


def test_a_cursor_whose_object_was_deleted_begins_its_list_again(peer: Peer) -> None:
    cursors = {
        "backfill": json.dumps({"since": int(NOW.timestamp()), "stream": "invoices", "after": "in_deleted_since"})
    }
    held = rows_of(pulled(connected(peer), cursors))
    assert differences({"invoices": company()["invoices"]}, {"invoices": held["invoices"]}) == []
    assert "customers" not in held


def test_a_reading_goes_on_behind_its_last_stored_page(peer: Peer) -> None:
    reading = [page for page in pulled(connected(peer, page_size=1)) if page.stream in WALK]
    within = [n for n in range(1, len(reading)) if reading[n].stream == reading[n - 1].stream != "prices"]
    assert within
    for stored in within:
        rest = pulled(connected(peer, page_size=1), cursors_of(reading[:stored]))
        assert [of_lists(page) for page in rest[: len(reading) - stored]] == [
            of_lists(page) for page in reading[stored:]
        ]


def of_lists(page: Page) -> Rows:
    """What a page brings, but for ledgers: a reading that is taken up reads those again that it meets again."""
    return {table: rows for table, rows in page.rows.items() if table != "credit_movements"}


def test_a_reading_killed_at_any_page_is_taken_up_again(peer: Peer, tmp_path: Path) -> None:
    """SIGKILL with every page of every list in hand, the one before it stored; then one reading to the end."""
    clean, torn = lake(tmp_path / "clean"), lake(tmp_path / "torn")
    sync(clean, peer.url)
    reached = [killed(peer, tmp_path / "torn", steps=3) for _ in WALK[1:]]
    assert set(reached) == {"read"}
    assert Walk.parse(torn.cursor(NAME, "backfill")).stream == WALK[-1]  # type: ignore[union-attr]
    sync(torn, peer.url)
    assert books(torn) == books(clean)


def killed(peer: Peer, folder: Path, steps: int) -> str:
    """A reading into the folder that is killed at that step; what it said there."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.integrations.stripe_reading"])
    ours, theirs = context.Pipe()
    child = context.Process(target=sync_in_child, args=(str(folder), peer.url, theirs))
    child.start()
    theirs.close()
    for _ in range(steps - 1):
        ours.recv()
        ours.send("go on")
    said = str(ours.recv())
    os.kill(child.pid or 0, signal.SIGKILL)
    child.join()
    return said


def test_check_says_what_is_wrong_and_what_to_do(peer: Peer) -> None:
    assert connected(peer).check() is None
    wrong = connected(peer, key="sk_test_wrong").check()
    assert wrong == "Stripe refused the key; set a valid api_key for this integration."
    peer.control("forbid", paths=["credit_notes"])
    assert connected(peer).check() == "The key may not read credit notes; allow it in Stripe, Developers, API keys."
