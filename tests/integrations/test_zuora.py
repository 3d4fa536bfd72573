"""Zuora is read completely and kept up with, by a token that ends every hour."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal

import pytest

from integrations.zuora import from_config
from integrations.zuora.catalog import price_rows
from tests.integrations.fake_time import FakeTime
from tests.integrations.pulling import pulled
from tests.integrations.stripe_company import cursors_of, differences, rows_of
from tests.integrations.vendors import ZUORA, Vendor
from tests.peers.rows import NOW
from tests.peers.stripe.process import Peer
from tests.peers.vendor import KEY
from tests.peers.zuora.sample import company

connected = ZUORA.connected
TOKEN = "/oauth/token"
MOON = {"chargeModel": "By Moon", "chargeType": "Usage", "billingPeriod": "Month"}
FEE = {
    "chargeNumber": "C-40",
    "chargeModel": "Flat Fee Pricing",
    "chargeType": "Recurring",
    "billingPeriod": "Month",
    "effectiveStartDate": "2026-06-20",
    "ratePlanChargeTiers": [{"price": 5}],
}
QUARTERLY = {
    "name": "base",
    "chargeModel": "Per Unit Pricing",
    "chargeType": "Recurring",
    "billingPeriod": "Quarter",
    "currency": "EUR",
    "tiers": [{"price": Decimal("0.123456789012")}],
}


@pytest.fixture(scope="module")
def vendor() -> Vendor:
    return ZUORA


@contextmanager
def changed(peer: Peer, list: str, id: str, field: str, value: object) -> Iterator[None]:
    """A field of an object that is another for a while."""
    before = peer.control("get", list=list, key="id", id=id)[field]
    peer.control("set", list=list, key="id", id=id, fields={field: value})
    try:
        yield
    finally:
        peer.control("set", list=list, key="id", id=id, fields={field: before})


def tokens(peer: Peer) -> int:
    """How often a token was asked for."""
    return sum(request["path"] == TOKEN for request in peer.requests())


def test_one_token_serves_a_reading_and_is_renewed_a_minute_before_it_ends(peer: Peer) -> None:
    time = FakeTime()
    source = connected(peer, pace=time.pace)
    pulled(source)
    time.seconds += 3500
    pulled(source)
    assert tokens(peer) == 1
    time.seconds += 50
    pulled(source)
    assert tokens(peer) == 2


def test_a_token_that_is_refused_is_renewed_once(peer: Peer) -> None:
    source = connected(peer)
    pulled(source)
    peer.control("pass", seconds=3700)  # it ended there, and the client does not know
    try:
        assert differences(company(), rows_of(pulled(source))) == []
    finally:
        peer.control("pass", seconds=-3700)
    assert tokens(peer) == 2
    peer.control("forget")
    peer.fault("401", path="/object-query/*", times=9)
    assert "refused the key" in str(source.check())
    plans = "/object-query/product-rate-plans"
    assert [request["path"] for request in peer.requests()] == [plans, TOKEN, plans]


def test_a_later_pull_asks_for_what_was_updated_and_for_the_catalogue(peer: Peer) -> None:
    cursors = cursors_of(pulled(connected(peer)))
    late = (NOW - timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    peer.control("set", list="invoices", key="id", id="inv-3", fields={"updatedDate": late})
    held = rows_of(pulled(connected(peer), cursors))
    assert set(held["invoices"]) == {("inv-3",)}
    assert set(held) == {"invoices", "invoice_lines", "meters", "plans", "prices", "price_tiers"}


def test_single_records_are_read_again(peer: Peer) -> None:
    page = connected(peer).pull_records([("subscription", "S-1"), ("bill_run", "id-BR-2"), ("invoice", "inv-2")])
    assert [run["status"] for run in page.rows["bill_runs"]] == ["completed"]
    assert {row["bill_run_id"] for row in page.rows["invoices"]} == {"BR-2"}
    assert len(page.rows["subscription_items"]) == 8


def test_what_zuora_adds_passes_and_what_cannot_be_read_is_named(peer: Peer) -> None:
    moon = {"id": "odd", **MOON, "productRatePlanChargeTiers": [{"currency": "EUR", "price": 1}]}
    with (
        changed(peer, "product-rate-plans", "quarter", "productRatePlanCharges", [moon]),
        changed(peer, "billing-runs", "id-BR-1", "status", "Napping"),
    ):
        pages = pulled(connected(peer))
    assert rows_of(pages)["bill_runs"][("BR-1",)]["status"] == "pending"
    said = [(remark.kind, remark.id, remark.reason) for page in pages for remark in page.remarks]
    assert said == [("charges", "odd/EUR", "it charges by By Moon, which is not known")]
    assert ("C-30:1",) in rows_of(pages)["prices"]  # the catalogue has its price no more, the subscription keeps it


def test_an_odd_charge_costs_its_subscription_nothing_else(peer: Peer) -> None:
    plans = [{"productRatePlanId": "pro", "ratePlanCharges": [{"chargeNumber": "C-99", **MOON}, FEE]}]
    with changed(peer, "subscriptions", "v2-S-4", "ratePlans", plans):
        page = connected(peer).pull_records([("subscription", "S-4")])
    assert [item["item_id"] for item in page.rows["subscription_items"]] == ["C-40:1"]
    assert [(remark.kind, remark.id) for remark in page.remarks] == [("charges", "C-99")]


def test_a_credit_memo_that_is_applied_to_nothing_is_listed_until_it_is(peer: Peer) -> None:
    with changed(peer, "credit-memos", "cn-1", "invoiceId", None):
        pages = pulled(connected(peer))
    said = [(remark.kind, remark.id, remark.reason) for page in pages for remark in page.remarks]
    assert said == [("credit-memos", "cn-1", "it is applied to no invoice")]


def test_a_memo_in_preparation_credits_nothing_yet(peer: Peer) -> None:
    with changed(peer, "credit-memos", "cn-1", "status", "Draft"):
        assert ("cn-1",) not in rows_of(pulled(connected(peer)))["credit_notes"]


def test_check_says_what_is_wrong_and_never_the_secret(peer: Peer) -> None:
    assert connected(peer).check() is None
    wrong = str(connected(peer, key="secret-key").check())
    assert wrong.startswith("Zuora refused the key; set client_id and what api_key_env names to")
    assert KEY not in repr(connected(peer)) and "secret-key" not in wrong
    peer.control("forbid", paths=["/usages"])
    assert connected(peer).check() == "The key may not read object-query/usages at Zuora; allow it there."


def test_a_list_price_by_the_month_is_billed_for_the_months_of_its_period_exactly() -> None:
    monthly = price_rows({**QUARTERLY, "listPriceBase": "Per Month"}, "p", None, "day")
    assert monthly["prices"][0]["unit_amount"] == Decimal("0.370370367036")
    with pytest.raises(ValueError, match="its price is Per Year and it is billed every P3M"):
        price_rows({**QUARTERLY, "listPriceBase": "Per Year"}, "p", None, "day")


def test_settings_that_are_wrong_are_named() -> None:
    with pytest.raises(ValueError, match=r"integrations.main.client_id"):
        from_config("main", {"api_key": "k"})
    with pytest.raises(ValueError, match=r"integrations.main.timezone"):
        from_config("main", {"api_key": "k", "client_id": "c", "timezone": "Mars/Base"})
