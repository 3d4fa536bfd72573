"""The official SDKs of Stripe and Chargebee decode what our peers answer: the rate by call, printed with `-s`.

A call decodes when the SDK makes its own types of the answer; beside it, how many of the fields it knows. What a peer
answers with a field that the SDK does not know is either the peer's mistake or newer than the SDK, and is named here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
import stripe

from tests.peers import rows as walked
from tests.peers.chargebee import sample as chargebee_sample
from tests.peers.stripe.process import KEY as STRIPE_KEY
from tests.peers.stripe.process import running as stripe_running
from tests.peers.stripe.sample import NOW, company
from tests.peers.vendor import KEY, running


@dataclass
class Rate:
    """What came of one call: objects that were decoded, and fields of them that the SDK has no place for."""

    call: str
    decoded: int = 0
    fields: int = 0
    unknown: set[str] = field(default_factory=set)
    error: str | None = None

    def __str__(self) -> str:
        told = f"FAILED {self.error}" if self.error else f"{self.decoded} objects, {self.fields} fields"
        return f"{self.call:<44} {told}{', unknown: ' + ', '.join(sorted(self.unknown)) if self.unknown else ''}"


def measured(calls: Mapping[str, Callable[[], Any]], objects: Callable[[Any], list[Any]]) -> list[Rate]:
    """Every call once, its objects held against the fields that their types declare."""
    rates = []
    for name, call in calls.items():
        rate = Rate(name)
        rates.append(rate)
        try:
            found = objects(call())
        except Exception as error:  # whatever an SDK makes of an answer that it cannot decode
            rate.error = f"{type(error).__name__}: {error}"
            continue
        for thing in found:
            known, held = _declared(type(thing)), set(_fields(thing))
            rate.decoded += 1
            rate.fields += len(held)
            rate.unknown |= held - known
    return rates


def _declared(kind: type) -> set[str]:
    """The fields that a type of an SDK declares, its parents' included; the types of the fields are not looked up."""
    return {name for parent in kind.__mro__ for name in getattr(parent, "__annotations__", {})}


def _fields(thing: Any) -> dict[str, Any]:
    found: dict[str, Any] = thing.raw_data if hasattr(thing, "raw_data") else thing.to_dict()
    return found


def told(vendor: str, rates: list[Rate]) -> None:
    """Prints the table and its sums."""
    good = [rate for rate in rates if not rate.error]
    fields, unknown = sum(rate.fields for rate in rates), sum(len(rate.unknown) for rate in rates)
    print(f"\n{vendor}: {len(good)} of {len(rates)} calls decoded; {fields} fields, {unknown} names unknown")
    print("\n".join(map(str, rates)))


@pytest.fixture(scope="module")
def sdk() -> Iterator[stripe.StripeClient]:
    with stripe_running("--now", NOW.isoformat()) as peer:
        peer.load(company(), announce=False)
        fields = {"id": "dp_1", "payment_intent": "pi_dispute", "charge": "ch_pi_dispute", "status": "won"}
        peer.control("put", kind="dispute", fields=fields | {"created": int(NOW.timestamp())})
        planned = {
            "id": "sub_sched_1",
            "customer": "cus_acme",
            "status": "not_started",
            "created": int(NOW.timestamp()),
        }
        peer.control("put", kind="subscription_schedule", fields=planned)
        peer.change("cus_acme", name="Acme & Sons")
        bases = dict.fromkeys(("api", "files", "connect", "meter_events"), peer.url)
        yield stripe.StripeClient(STRIPE_KEY, base_addresses=bases, max_network_retries=0)  # type: ignore[arg-type]


def test_stripes_sdk_decodes_every_call(sdk: stripe.StripeClient) -> None:
    v1 = sdk.v1
    start, end = 1_790_812_800, 1_793_491_200
    window: Any = {"customer": "cus_acme", "start_time": start, "end_time": end}
    lists: dict[str, Callable[[], Any]] = {
        "GET /v1/customers": v1.customers.list,
        "GET /v1/customers/{id}": lambda: v1.customers.retrieve("cus_acme"),
        "GET /v1/customers/{id}/tax_ids": lambda: v1.customers.tax_ids.list("cus_acme"),
        "GET /v1/customers/{id}/balance_transactions": lambda: v1.customers.balance_transactions.list("cus_tokyo"),
        "GET /v1/products": v1.products.list,
        "GET /v1/prices": lambda: v1.prices.list({"expand": ["data.tiers", "data.product"], "limit": 100}),
        "GET /v1/billing/meters": v1.billing.meters.list,
        "GET /v1/billing/meters/{id}/event_summaries": lambda: v1.billing.meters.event_summaries.list(
            "mtr_calls", window
        ),
        "GET /v1/subscriptions": lambda: v1.subscriptions.list({"status": "all", "limit": 100}),
        "GET /v1/subscription_items": lambda: v1.subscription_items.list({"subscription": "sub_acme"}),
        "GET /v1/subscription_schedules": v1.subscription_schedules.list,
        "GET /v1/invoices": lambda: v1.invoices.list({"limit": 100}),
        "GET /v1/invoices/{id}": lambda: v1.invoices.retrieve("in_paid"),
        "GET /v1/invoices/{id}/lines": lambda: v1.invoices.line_items.list("in_many", {"limit": 100}),
        "GET /v1/credit_notes": v1.credit_notes.list,
        "GET /v1/credit_notes/{id}/lines": lambda: v1.credit_notes.line_items.list("cn_line"),
        "GET /v1/invoice_payments": lambda: v1.invoice_payments.list({"expand": ["data.payment.payment_intent"]}),
        "GET /v1/payment_intents": lambda: v1.payment_intents.list({"expand": ["data.latest_charge"], "limit": 100}),
        "GET /v1/charges": v1.charges.list,
        "GET /v1/disputes": v1.disputes.list,
        "GET /v1/coupons": v1.coupons.list,
        "GET /v1/billing/credit_grants": v1.billing.credit_grants.list,
        "GET /v1/billing/credit_balance_transactions": lambda: v1.billing.credit_balance_transactions.list(
            {"customer": "cus_acme"}
        ),
        "GET /v1/events": v1.events.list,
        "POST /v1/invoices/{id}": lambda: v1.invoices.update("in_draft", {"auto_advance": False}),
        "POST /v1/invoices/{id}/finalize": lambda: v1.invoices.finalize_invoice("in_draft"),
        "POST /v1/customers/{id}": lambda: v1.customers.update("cus_acme", {"name": "Acme"}),
    }
    rates = measured(lists, lambda answer: list(getattr(answer, "data", None) or [answer]))
    told("Stripe", rates)
    assert [str(rate) for rate in rates if rate.error or not rate.decoded] == []
    assert {name for rate in rates for name in rate.unknown} <= {"payment", "subscription", "discount"}


def test_chargebees_sdk_decodes_every_call() -> None:
    chargebee = pytest.importorskip("chargebee", reason="make test installs it")
    kinds = {
        "Item": "item",
        "ItemPrice": "item_price",
        "Customer": "customer",
        "Subscription": "subscription",
        "Usage": "usage",
        "Invoice": "invoice",
        "CreditNote": "credit_note",
        "Transaction": "transaction",
    }
    with running("chargebee", walked.NOW) as peer:
        peer.load(chargebee_sample.company())
        chargebee.Chargebee.verify_ca_certs = False
        client = chargebee.Chargebee(
            api_key=KEY, site="127.0.0", protocol="http", chargebee_domain=f"1:{urlsplit(peer.url).port}"
        )
        calls: dict[str, Callable[[], Any]] = {}
        for name, kind in kinds.items():
            resource = getattr(client, name)
            calls[f"{kind}.list"] = lambda resource=resource, kind=kind: [
                getattr(entry, kind) for entry in resource.list().list
            ]
            if name != "Usage":  # which cannot be asked for one by one
                first = getattr(resource.list().list[0], kind).id
                calls[f"{kind}.retrieve"] = lambda resource=resource, kind=kind, first=first: [
                    getattr(resource.retrieve(first), kind)
                ]
        rates = measured(calls, list)
    told("Chargebee", rates)
    assert [str(rate) for rate in rates if rate.error or not rate.decoded] == []
    assert {name for rate in rates for name in rate.unknown} <= {"deleted"}  # of usages: told to us, not in the SDK
