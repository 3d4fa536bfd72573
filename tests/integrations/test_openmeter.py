"""OpenMeter is read completely and kept up with: the same company comes back as it was loaded."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.integrations.pulling import pulled
from tests.integrations.stripe_company import cursors_of, differences, rows_of
from tests.integrations.vendors import OPENMETER, Vendor
from tests.peers.openmeter.sample import NOW, company, ulid
from tests.peers.stripe.process import Peer
from tests.peers.vendor import running

connected = OPENMETER.connected


@pytest.fixture(scope="module")
def vendor() -> Vendor:
    return OPENMETER


def test_a_later_pull_reads_invoices_by_change_and_events_by_ingestion(peer: Peer) -> None:
    cursors = cursors_of(pulled(connected(peer)))
    peer.control("forget")
    peer.control("set", list="invoices", key="id", id=ulid("01N3"), fields={"updatedAt": "2026-11-20T11:55:00Z"})
    pages = pulled(connected(peer), cursors)
    assert [row["invoice_id"] for page in pages for row in page.rows.get("invoices", [])] == [ulid("01N3")]
    assert not [page for page in pages if page.rows.get("usage_events")]
    again = [path for path in peer.asked() if "/subscriptions/" in path]
    assert f"/api/v1/subscriptions/{ulid('01S0')}" not in again  # it is over
    assert all(page.cursors for page in pulled(connected(peer), cursors, now=NOW + timedelta(days=3)))


@pytest.mark.parametrize("kind", ["429", "html502", "cut", "truncated"])
def test_a_reading_survives_it_and_brings_the_same_company(peer: Peer, kind: str) -> None:
    peer.fault(kind, path="/api/v1/billing/invoices", times=3)
    peer.fault(kind, path="/api/v2/events")
    assert differences(company(), rows_of(pulled(connected(peer)))) == []


def test_what_is_not_understood_is_named_and_the_rest_comes() -> None:
    with running("openmeter", NOW) as peer:
        peer.load(company())
        peer.control("set", list="features", key="key", id="disk", fields={"meterGroupByFilters": {"region": "eu"}})
        peer.control("set", list="invoices", key="id", id=ulid("01N3"), fields={"status": "sleeping", "new_field": {}})
        peer.control("set", list="invoices", key="id", id=ulid("01N4"), fields={"type": "credit_note"})
        pages = pulled(connected(peer))
    told = {(remark.kind, remark.id): remark.reason for page in pages for remark in page.remarks}
    assert told == {
        ("rate cards", f"{ulid('01P2')}:all:disk"): "its feature disk is not counted by one whole meter",
        ("invoices", ulid("01N4")): "it is a credit note, whose lines name no invoice",
    }
    assert rows_of(pages)["invoices"][(ulid("01N3"),)]["status"] == "open"


def test_check_says_what_is_wrong_and_never_the_key(peer: Peer) -> None:
    assert connected(peer).check() is None
    assert connected(peer).counts() == {"customers": 3, "plans": 3}
    wrong = connected(peer, key="secret-key").check()
    assert wrong == "OpenMeter refused the key; set the variable that api_key_env names to a valid one."
    peer.control("forbid", paths=["/billing/invoices"])
    assert connected(peer).check() == "The key may not read v1/billing/invoices at OpenMeter; allow it there."
