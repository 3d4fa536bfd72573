"""What hangs on Stripe's main objects: usage counted by meters, credits and balances, schedules, disputes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from integrations.pages import Page
from integrations.stripe import from_config
from integrations.stripe.schedules import planned_rows
from tests.integrations.stripe_company import connected, cursors_of, pulled, rows_of
from tests.integrations.test_stripe_sync import stripe_api
from tests.peers.stripe.process import KEY, Peer, running
from tests.peers.stripe.sample import NOW, at, company
from tests.peers.stripe.shapes import shaped


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    with running("--now", NOW.isoformat()) as started:
        started.load(company(), announce=False)
        yield started


def seconds(day: str) -> int:
    return int(at(day).timestamp())


def told(peer: Peer, *about: tuple[str, dict[str, Any]], before: dict[str, Any] | None = None) -> list[Page]:
    """The pages that deliveries about objects bring."""
    data = [{"object": shown} | ({"previous_attributes": before} if before else {}) for _, shown in about]
    events = [
        {"id": f"evt_{n}", "object": "event", "type": kind, "created": int(NOW.timestamp()), "data": each}
        for n, ((kind, _), each) in enumerate(zip(about, data, strict=True))
    ]
    return list(connected(peer).receive(events))


def test_a_draft_shows_what_stripe_counted_by_now_and_an_issued_invoice_what_it_billed(peer: Peer) -> None:
    event = {"event_name": "api.call", "identifier": "late-1", "timestamp": str(seconds("2026-10-31T23:00"))}
    stripe_api(
        peer,
        "POST",
        "billing/meter_events",
        **event,
        **{"payload[stripe_customer_id]": "cus_acme", "payload[value]": "9"},
    )
    (recorded,) = told(peer, ("invoice.updated", {"id": "in_draft", "object": "invoice"}))[0].rows["reported_usage"]
    assert (recorded["item_id"], recorded["quantity"]) == ("si_acme_packs", 1010)
    (issued,) = told(peer, ("invoice.paid", {"id": "in_paid", "object": "invoice"}))
    counted = {row["item_id"]: row["quantity"] for row in issued.rows["reported_usage"]}
    assert counted["si_acme_calls"] == 1200


def test_what_meters_recorded_is_read_only_where_that_is_said(peer: Peer) -> None:
    """A company that states its own recorded usage would have it twice."""
    by_itself = from_config("stripe", {"api_key": KEY, "base_url": peer.url, "requests_per_second": 10_000})
    assert "reported_usage" not in rows_of(pulled(by_itself))
    assert rows_of(pulled(connected(peer)))["reported_usage"]


def test_a_balance_that_was_used_up_is_in_the_ledger(peer: Peer) -> None:
    fields = {"id": "cbtx_kw_2", "customer": "cus_kuwait", "currency": "kwd", "type": "applied_to_invoice"}
    fields |= {"amount": 1250, "ending_balance": 0, "created": int(NOW.timestamp())}  # type: ignore[dict-item]
    peer.control("put", kind="customer_balance_transaction", fields=fields)
    peer.change("cus_kuwait", announce=False, balance=0)
    shown = {"id": "cus_kuwait", "object": "customer"}
    rows = rows_of(told(peer, ("customer.updated", shown), before={"balance": -1250}))
    assert rows["customers"]["cus_kuwait",]["credit_balance"] is None
    ledger = list(rows["credit_movements"].values())
    assert [(row["kind"], row["amount"], row["balance_after"], row["sequence"]) for row in ledger] == [
        ("adjustment", Decimal("1.250"), Decimal("1.250"), 1),
        ("consumed", Decimal("-1.250"), 0, 2),
    ]


def test_credits_that_are_spent_come_with_their_grant_and_its_whole_ledger(peer: Peer) -> None:
    amount = {"type": "monetary", "monetary": {"currency": "usd", "value": 250}}
    debit = {"amount": amount, "type": "credits_applied"}
    debit["credits_applied"] = {"invoice": "in_draft", "invoice_line_item": "il_draft_1"}
    made = {"id": "cbtxn_8", "credit_grant": "credgr_paid", "type": "debit", "debit": debit, "_customer": "cus_acme"}
    made |= {"created": int(NOW.timestamp()), "effective_at": int(NOW.timestamp())}  # type: ignore[dict-item]
    peer.control("put", kind="billing.credit_balance_transaction", fields=made)
    shown = {"id": "cbtxn_8", "object": "billing.credit_balance_transaction", "credit_grant": "credgr_paid"}
    (page,) = told(peer, ("billing.credit_balance_transaction.created", shown))
    assert [row["grant_id"] for row in page.rows["credit_grants"]] == ["credgr_paid"]
    last = page.rows["credit_movements"][-1]
    assert (last["line_id"], last["amount"], last["balance_after"]) == (
        "il_draft_1",
        Decimal("-2.50"),
        Decimal("97.50"),
    )


def test_of_a_customer_with_credits_and_a_balance_the_ledger_is_that_of_the_credits(peer: Peer) -> None:
    peer.change("cus_acme", announce=False, balance=-700)
    rows = rows_of(told(peer, ("customer.updated", {"id": "cus_acme", "object": "customer"})))
    assert rows["customers"]["cus_acme",]["credit_balance"] is None
    assert all(row["grant_id"] for row in rows["credit_movements"].values())
    peer.change("cus_acme", announce=False, balance=0)


def test_a_dispute_that_was_won_is_over(peer: Peer) -> None:
    def status() -> object:
        shown = {"id": "dp_1", "object": "dispute", "payment_intent": "pi_dispute"}
        return rows_of(told(peer, ("charge.dispute.closed", shown)))["payments"]["pi_dispute",]["status"]

    fields = {"id": "dp_1", "payment_intent": "pi_dispute", "charge": "ch_pi_dispute", "status": "under_review"}
    peer.control("put", kind="dispute", fields=fields | {"created": int(NOW.timestamp())})
    assert status() == "disputed"
    for ended, counts_as in (("lost", "disputed"), ("won", "succeeded")):
        peer.change("dp_1", announce=False, status=ended)
        assert status() == counts_as


def phase(start: str, end: str, *items: tuple[str, int | None]) -> dict[str, Any]:
    listed = [{"price": price, **({} if units is None else {"quantity": units})} for price, units in items]
    return {"start_date": seconds(start), "end_date": seconds(end), "currency": "kwd", "items": listed}


NOW_AND_THEN = [
    phase("2026-11-01", "2026-12-01", ("price_kw", 1), ("price_other", None)),
    phase("2026-12-01", "2027-12-01", ("price_kw", 20), ("price_other", None)),
]
"""Two phases of sub_kuwait: more seats from December."""


def schedule(**more: Any) -> dict[str, Any]:
    fields = {"id": "sub_sched_1", "customer": "cus_kuwait", "subscription": "sub_kuwait", "status": "active"}
    fields |= {"created": seconds("2026-11-02"), "phases": NOW_AND_THEN, "end_behavior": "release"}  # type: ignore[dict-item]
    current = {"start_date": NOW_AND_THEN[0]["start_date"], "end_date": NOW_AND_THEN[0]["end_date"]}
    return fields | {"current_phase": current} | more


def spans(rows: dict[tuple[object, ...], dict[str, object]], price: str) -> list[tuple[object, object, object]]:
    """Quantity, beginning and end of the items with a price, in time."""
    held = [row for row in rows.values() if row["price_id"] == price]
    return sorted(
        ((row["quantity"], row["active_from"], row["active_to"]) for row in held), key=lambda span: str(span[1])
    )


def test_what_a_schedule_will_change_is_in_the_books_before_it_happens_and_leaves_them_when_withdrawn(
    peer: Peer,
) -> None:
    peer.control("put", kind="subscription_schedule", fields=schedule())
    peer.change("sub_kuwait", announce=False, schedule="sub_sched_1")
    created = ("subscription_schedule.created", peer.object("sub_sched_1"))
    items = rows_of(told(peer, created))["subscription_items"]
    began, december = at("2026-01-15T08:00"), at("2026-12-01")
    assert spans(items, "price_kw") == [(1, began, december), (20, december, None)]
    assert spans(items, "price_other") == []
    again = rows_of(pulled(connected(peer), full=True))["subscription_items"]
    assert items.items() <= again.items()

    peer.change("sub_kuwait", announce=False, schedule=None)
    peer.change("sub_sched_1", announce=False, status="released", subscription=None, released_subscription="sub_kuwait")
    released = ("subscription_schedule.released", peer.object("sub_sched_1"))
    after = rows_of(told(peer, released))["subscription_items"]
    assert spans(after, "price_kw") == [(1, began, None), (20, december, december)]


def test_a_phase_that_has_begun_leaves_the_real_items_alone() -> None:
    """Stripe has moved on: the subscription holds what the phase brought, and the plan's own row is closed."""
    begun = schedule(current_phase={"start_date": NOW_AND_THEN[1]["start_date"]})
    real = [{"item_id": "si_new", "price_id": "price_kw", "quantity": Decimal(20), "active_to": None}]
    rows = planned_rows({"id": "sub_kuwait", "currency": "kwd"}, real, begun, lambda price, code: price)
    assert rows[0] == real[0]
    assert [row["active_from"] == row["active_to"] for row in rows[1:]] == [True, True]


def test_a_subscription_to_come_is_scheduled_until_it_begins(peer: Peer) -> None:
    fields = schedule(id="sub_sched_2", subscription=None, status="not_started", current_phase=None)
    fields["phases"] = [NOW_AND_THEN[1]]
    peer.control("put", kind="subscription_schedule", fields=fields)
    rows = rows_of(pulled(connected(peer)))
    coming = rows["subscriptions"]["sub_sched_2",]
    assert (coming["status"], coming["started_at"], coming["cadence"]) == ("scheduled", at("2026-12-01"), "P1Y")
    assert len(spans({k: r for k, r in rows["subscription_items"].items() if "sched_2" in str(k)}, "price_kw")) == 1
    peer.change("sub_sched_2", announce=False, status="canceled")
    rows = rows_of(told(peer, ("subscription_schedule.canceled", peer.object("sub_sched_2"))))
    assert rows["subscriptions"]["sub_sched_2",]["status"] == "ended"
    closed = [row for row in rows["subscription_items"].values() if row["subscription_id"] == "sub_sched_2"]
    assert [row["active_to"] for row in closed] == [at("2026-12-01")] * 2


@pytest.mark.parametrize("version", ["2017-08-15", "2022-11-15", "2024-06-20", "2026-10-28.endive"])
def test_an_event_in_any_api_version_brings_the_object_in_ours(peer: Peer, version: str) -> None:
    """The event only names its object; old versions had other fields, and the pull brings what a new one would."""
    old = {"id": "in_paid", "object": "invoice", "lines": {"data": [{"plan": {"id": "x"}, "proration": False}]}}
    event = {"id": "evt", "object": "event", "type": "invoice.updated", "created": int(NOW.timestamp())}
    (page,) = connected(peer).receive([event | {"api_version": version, "data": {"object": old}}])
    assert page.rows["invoices"] == [rows_of(pulled(connected(peer)))["invoices"]["in_paid",]]


def test_a_discount_and_a_removed_item_are_understood_in_old_versions(peer: Peer) -> None:
    """Before 2025 the coupon stood in the discount itself, and items of a subscription had a plan beside the price."""
    coupon = {"id": "c", "object": "coupon", "duration": "forever", "percent_off": 10.0}
    shown = {
        "id": "di_old",
        "object": "discount",
        "customer": "cus_acme",
        "start": seconds("2026-05-01"),
        "coupon": coupon,
    }
    (page,) = told(peer, ("customer.discount.deleted", shown))
    (row,) = page.rows["discounts"]
    assert (row["value"], row["ends_at"]) == (10, NOW)
    price = json.loads(json.dumps(shaped("price", id="price_seats", currency="usd", recurring={"interval": "month"})))
    item = {"id": "si_old", "object": "subscription_item", "price": price, "plan": {"id": "price_seats"}, "quantity": 3}
    item |= {"created": seconds("2026-03-01")}
    shown = peer.object("sub_tokyo")
    pages = told(peer, ("customer.subscription.updated", shown), before={"items": {"object": "list", "data": [item]}})
    closed = rows_of(pages)["subscription_items"]["si_old",]
    assert isinstance(closed["active_to"], datetime)


def test_cursors_do_not_move_by_deliveries(peer: Peer) -> None:
    assert cursors_of(told(peer, ("invoice.paid", {"id": "in_paid", "object": "invoice"}))) == {}
