"""The peer speaks Stripe: the official SDK decodes every resource, and the rules that readers rely on hold."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest
import stripe

from tests.peers.stripe.process import KEY, Peer, running
from tests.peers.stripe.sample import NOW, company

BASES = ("api", "files", "connect", "meter_events")


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    with running("--now", NOW.isoformat()) as started:
        started.load(company(), announce=False)
        yield started


@pytest.fixture
def sdk(peer: Peer) -> stripe.StripeClient:
    return client(peer, KEY)


def client(peer: Peer, key: str) -> stripe.StripeClient:
    bases = dict.fromkeys(BASES, peer.url)
    return stripe.StripeClient(key, base_addresses=bases, max_network_retries=0)  # type: ignore[arg-type]


def test_the_sdk_decodes_every_list_into_its_own_types(sdk: stripe.StripeClient) -> None:
    lists = {
        stripe.Customer: sdk.v1.customers.list(),
        stripe.Product: sdk.v1.products.list(),
        stripe.Price: sdk.v1.prices.list({"expand": ["data.tiers", "data.product"]}),
        stripe.billing.Meter: sdk.v1.billing.meters.list(),
        stripe.Subscription: sdk.v1.subscriptions.list({"status": "all"}),
        stripe.SubscriptionItem: sdk.v1.subscription_items.list({"subscription": "sub_acme"}),
        stripe.Invoice: sdk.v1.invoices.list(),
        stripe.InvoiceLineItem: sdk.v1.invoices.line_items.list("in_paid"),
        stripe.CreditNote: sdk.v1.credit_notes.list(),
        stripe.CreditNoteLineItem: sdk.v1.credit_notes.line_items.list("cn_line"),
        stripe.InvoicePayment: sdk.v1.invoice_payments.list(),
        stripe.PaymentIntent: sdk.v1.payment_intents.list(),
        stripe.Charge: sdk.v1.charges.list(),
        stripe.Coupon: sdk.v1.coupons.list(),
        stripe.TaxId: sdk.v1.customers.tax_ids.list("cus_acme"),
    }
    for kind, listed in lists.items():
        assert listed.data, f"no {kind}"
        assert {type(thing) for thing in listed.data} == {kind}
        assert [thing.to_dict()["id"] for thing in listed.data]


def test_the_sdk_reads_exact_decimals(sdk: stripe.StripeClient) -> None:
    price = sdk.v1.prices.retrieve("price_calls")
    assert price.unit_amount_decimal == Decimal("0.0025")
    tiers = sdk.v1.prices.retrieve("price_tokens", {"expand": ["tiers"]}).tiers
    assert tiers
    assert [tier.up_to for tier in tiers] == [1000, 50_000, None]
    lines = sdk.v1.invoices.line_items.list("in_paid", {"limit": 100}).data
    assert Decimal("1500.25") in [line.quantity_decimal for line in lines]


def test_expanding_follows_ids_up_to_four_levels(sdk: stripe.StripeClient) -> None:
    paths = ["data.payment.payment_intent.latest_charge"]
    linked = sdk.v1.invoice_payments.list({"expand": paths, "limit": 100}).data
    charges = [payment.payment.payment_intent.latest_charge for payment in linked]  # type: ignore[union-attr]
    assert stripe.Charge in {type(charge) for charge in charges}
    assert sdk.v1.prices.retrieve("price_tokens").to_dict().get("tiers") is None
    with pytest.raises(stripe.InvalidRequestError, match="more than 4 levels"):
        sdk.v1.subscriptions.list({"expand": ["data.items.data.discounts.source.coupon"]})


def test_pages_go_from_new_to_old_in_both_directions(sdk: stripe.StripeClient) -> None:
    everything = [thing.id for thing in sdk.v1.invoices.list({"limit": 100}).data]
    walked = [thing.id for thing in sdk.v1.invoices.list({"limit": 3}).auto_paging_iter()]
    assert walked == everything
    assert len(everything) == len(company()["invoices"])
    back = sdk.v1.invoices.list({"limit": 2, "ending_before": everything[4]})
    assert [thing.id for thing in back.data] == everything[2:4]
    assert back.has_more
    first = sdk.v1.invoices.list({"limit": 2, "ending_before": everything[2]})
    assert ([thing.id for thing in first.data], first.has_more) == (everything[:2], False)


def test_long_lists_within_an_object_are_cut_and_paged(sdk: stripe.StripeClient) -> None:
    invoice = sdk.v1.invoices.retrieve("in_many")
    assert (len(invoice.lines.data), invoice.lines.has_more) == (10, True)
    assert len(list(sdk.v1.invoices.line_items.list("in_many", {"limit": 100}).auto_paging_iter())) == 130


def test_filters(sdk: stripe.StripeClient) -> None:
    def ids(found: object) -> set[str]:
        return {thing.id for thing in found.data}  # type: ignore[attr-defined]

    assert ids(sdk.v1.invoices.list({"status": "draft"})) == {"in_draft"}
    assert ids(sdk.v1.invoices.list({"subscription": "sub_kuwait"})) == {"in_kw"}
    assert ids(sdk.v1.subscriptions.list({"customer": "cus_tokyo"})) == {"sub_tokyo"}
    assert "sub_over" not in ids(sdk.v1.subscriptions.list())
    assert ids(sdk.v1.subscriptions.list({"status": "ended"})) == {"sub_over"}
    assert ids(sdk.v1.customers.list({"created": {"gte": int(NOW.timestamp())}})) == set()
    assert ids(sdk.v1.prices.list({"product": "prod_jp"})) == {"price_jp", "price_jp_calls"}
    link = {"type": "payment_intent", "payment_intent": "pi_paid"}
    assert ids(sdk.v1.invoice_payments.list({"payment": link})) == {"inpay_pi_paid"}  # type: ignore[typeddict-item]


def test_what_stripe_refuses_is_refused(peer: Peer, sdk: stripe.StripeClient) -> None:
    with pytest.raises(stripe.AuthenticationError):
        client(peer, "sk_test_wrong").v1.customers.list()
    with pytest.raises(stripe.InvalidRequestError, match="unknown parameter: updated"):
        sdk.v1.customers.list({"updated": 5})  # type: ignore[typeddict-unknown-key]
    with pytest.raises(stripe.InvalidRequestError, match="between 1 and 100"):
        sdk.v1.customers.list({"limit": 101})
    with pytest.raises(stripe.InvalidRequestError, match="No such customer"):
        sdk.v1.customers.retrieve("cus_nobody")
    with pytest.raises(stripe.InvalidRequestError, match="up to 20 types"):
        sdk.v1.events.list({"types": [f"a.{n}" for n in range(21)]})


def test_the_same_key_gives_the_same_answer_and_another_body_is_refused(sdk: stripe.StripeClient) -> None:
    once = sdk.v1.customers.create({"name": "Once"}, {"idempotency_key": "k-1"})
    again = sdk.v1.customers.create({"name": "Once"}, {"idempotency_key": "k-1"})
    assert once.id == again.id
    assert again.last_response.headers["Idempotent-Replayed"] == "true"  # type: ignore[union-attr]
    with pytest.raises(stripe.IdempotencyError):
        sdk.v1.customers.create({"name": "Twice"}, {"idempotency_key": "k-1"})


def test_a_write_changes_the_state_and_says_so_in_the_events() -> None:
    with running("--now", NOW.isoformat()) as peer:
        peer.load(company(), announce=False)
        sdk = client(peer, KEY)
        assert sdk.v1.events.list().data == []
        sdk.v1.invoices.finalize_invoice("in_draft")
        sdk.v1.invoices.pay("in_draft")
        with pytest.raises(stripe.InvalidRequestError, match="is paid and can't be voided"):
            sdk.v1.invoices.void_invoice("in_draft")
        sdk.v1.customers.update("cus_acme", {"name": "Acme & Sons"})
        events = list(sdk.v1.events.list({"types": ["invoice.finalized", "invoice.paid", "customer.updated"]}).data)
        assert [event.type for event in events] == ["customer.updated", "invoice.paid", "invoice.finalized"]
        assert events[0].data.previous_attributes.to_dict() == {"name": "Acme"}  # type: ignore[union-attr]
        assert {event.type for event in sdk.v1.events.list({"type": "invoice.*"}).data} == {
            "invoice.updated",
            "invoice.finalized",
            "invoice.paid",
        }


def test_rows_loaded_later_arrive_as_events() -> None:
    with running("--now", NOW.isoformat()) as peer:
        peer.load(company(), announce=False)
        rows = company()
        peer.load({"customers": [rows["customers"][0] | {"name": "Acme & Sons"}]})
        peer.load({"credit_notes": [rows["credit_notes"][0] | {"credit_note_id": "cn_new"}]})
        peer.load(rows, announce=True)
        types = [event.type for event in client(peer, KEY).v1.events.list().data]
    assert types == ["customer.updated", "credit_note.created", "customer.updated"]


def test_time_goes_by_when_told() -> None:
    with running("--now", NOW.isoformat()) as peer:
        peer.control("pass", seconds=86_400)
        answer = client(peer, KEY).v1.customers.list()
        assert answer.last_response.headers["date"].startswith("Sat, 21 Nov 2026 12:00")  # type: ignore[union-attr]
