"""Chargebee is read completely and kept up with: the same company comes back as it was loaded."""

from __future__ import annotations

import pytest

from integrations.chargebee import from_config
from tests.integrations.pulling import pulled
from tests.integrations.stripe_company import cursors_of, differences, rows_of
from tests.integrations.vendors import CHARGEBEE, Vendor
from tests.peers.chargebee.sample import NOW, company
from tests.peers.stripe.process import Peer

connected = CHARGEBEE.connected


@pytest.fixture(scope="module")
def vendor() -> Vendor:
    return CHARGEBEE


def test_a_later_pull_asks_for_what_was_updated(peer: Peer) -> None:
    cursors = cursors_of(pulled(connected(peer)))
    peer.control("set", list="invoices", key="id", id="inv-3", fields={"updated_at": int(NOW.timestamp()) - 60})
    pages = pulled(connected(peer), cursors)
    assert [row["invoice_id"] for page in pages for row in page.rows.get("invoices", [])] == ["inv-3"]
    assert not [page for page in pages if page.rows.get("customers")]


@pytest.mark.parametrize("kind", ["429", "html502", "truncated"])
def test_a_reading_survives_it_and_brings_the_same_company(peer: Peer, kind: str) -> None:
    peer.fault(kind, path="/api/v2/invoices", times=3)
    peer.fault(kind, path="/api/v2/item_prices")
    assert differences(company(), rows_of(pulled(connected(peer)))) == []


def test_check_says_what_is_wrong_and_never_the_key(peer: Peer) -> None:
    assert connected(peer).check() is None
    wrong = connected(peer, key="secret-key").check()
    assert wrong == "Chargebee refused the key; set the variable that api_key_env names to a valid one."
    peer.control("forbid", paths=["/usages"])
    assert connected(peer).check() == "The key may not read usages at Chargebee; allow it there."


def test_settings_that_are_wrong_are_named() -> None:
    with pytest.raises(ValueError, match=r"integrations.main.base_url"):
        from_config("main", {"api_key": "k"})
    with pytest.raises(ValueError, match=r"integrations.main.proration"):
        from_config("main", {"api_key": "k", "site": "acme", "proration": "week"})
