"""Lago is read completely and kept up with: the same company comes back as it was loaded, whatever happens."""

from __future__ import annotations

from datetime import timedelta

import pytest

from integrations.lago import from_config
from tests.integrations.pulling import pulled
from tests.integrations.stripe_company import cursors_of, differences, rows_of
from tests.integrations.vendors import LAGO, Vendor
from tests.peers.lago.sample import NOW, company
from tests.peers.stripe.process import Peer
from tests.peers.vendor import running

connected = LAGO.connected


@pytest.fixture(scope="module")
def vendor() -> Vendor:
    return LAGO


def test_a_later_pull_asks_only_for_the_fees_of_invoices_that_changed(peer: Peer) -> None:
    cursors = cursors_of(pulled(connected(peer)))
    peer.control("forget")
    peer.control(
        "set",
        list="invoices",
        key="lago_id",
        id=company()["invoices"][1]["invoice_id"],
        fields={"updated_at": "2026-11-20T11:55:00Z"},
    )
    pages = pulled(connected(peer), cursors)
    details = [path for path in peer.asked() if "/invoices/" in path]
    assert details == [f"/api/v1/invoices/{company()['invoices'][1]['invoice_id']}"]
    assert {row["invoice_id"] for page in pages for row in page.rows.get("invoices", [])} == {
        company()["invoices"][1]["invoice_id"]
    }
    assert [query for query in (r["query"] for r in peer.requests()) if "timestamp_from" in str(query)]


@pytest.mark.parametrize("kind", ["429", "500", "html502", "html200", "cut", "truncated"])
def test_a_reading_survives_it_and_brings_the_same_company(peer: Peer, kind: str) -> None:
    peer.fault(kind, path="/api/v1/invoices*", times=3)
    peer.fault(kind, path="/api/v1/plans")
    assert differences(company(), rows_of(pulled(connected(peer)))) == []


def test_what_is_removed_while_it_is_read_hides_nothing() -> None:
    with running("lago", NOW) as peer:
        peer.load(company())
        held, removed = [], False
        for page in connected(peer, page_size=2).pull({}.get, full=False, now=NOW):
            held.append(page)
            if page.stream == "events" and not removed:
                removed = True
                peer.control("remove", list="events", key="transaction_id", id="e1")
        assert len(rows_of(held)["usage_events"]) == len(company()["usage_events"])


def test_what_is_not_understood_is_named_and_the_rest_comes() -> None:
    with running("lago", NOW) as peer:
        peer.load(company())
        peer.control(
            "set",
            list="billable_metrics",
            key="code",
            id="calls",
            fields={"aggregation_type": "custom_agg", "new_field": 1},
        )
        peer.control(
            "set",
            list="invoices",
            key="lago_id",
            id=company()["invoices"][3]["invoice_id"],
            fields={"status": "sleeping"},
        )
        pages = pulled(connected(peer))
        assert [str(remark.reason) for page in pages for remark in page.remarks] == [
            "it adds up by custom_agg, which the books do not know"
        ]
        assert len(rows_of(pages)["invoices"]) == 4


def test_check_says_what_is_wrong_and_never_the_key(peer: Peer) -> None:
    assert connected(peer).check() is None
    assert connected(peer).counts() == {"customers": 3, "plans": 2, "subscriptions": 4, "invoices": 4}
    wrong = connected(peer, key="secret-key").check()
    assert wrong == "Lago refused the key; set the variable that api_key_env names to a valid one."
    peer.control("forbid", paths=["/credit_notes"])
    assert connected(peer).check() == "The key may not read credit_notes at Lago; allow it there."
    assert "secret-key" not in repr(connected(peer, key="secret-key"))


def test_settings_that_are_wrong_are_named() -> None:
    with pytest.raises(ValueError, match=r"integrations.main.api_key_env"):
        from_config("main", {})
    with pytest.raises(ValueError, match=r"integrations.main.events_days"):
        from_config("main", {"api_key": "k", "events_days": "many"})


def test_after_a_long_silence_the_walk_is_stored_page_by_page(peer: Peer) -> None:
    cursors = cursors_of(pulled(connected(peer)))
    pages = pulled(connected(peer), cursors, now=NOW + timedelta(days=3))
    assert all(page.cursors for page in pages)
