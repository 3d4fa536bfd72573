"""What Trueup may write to Stripe: few deeds, each one request with an Idempotency-Key.

Owns which request a deed is and how to see afterwards whether it was done; does not own when one is allowed.
Verbs and their requests: docs.stripe.com/api/invoices, /credit_notes, /invoiceitems, /subscriptions/cancel. What a
deed makes carries its key in metadata `trueup_action`, so that it is found again whatever became of the reply.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from integrations.stripe.amounts import currency, digits, money
from integrations.stripe.api import Api
from integrations.stripe.objects import Object, entries, ident, nested
from integrations.stripe.reader import EXPAND, Reader
from integrations.writing import Deed, Preview, Receipt, Request

MARK = "trueup_action"
"""The metadata key that names the action and step which made an object."""

PATHS: Mapping[str, tuple[str, str]] = {
    "invoice": ("invoices", "invoices"),
    "subscription": ("subscriptions", "subscriptions"),
    "credit_note": ("credit_notes", "credit_notes"),
}
"""Where a type of record is asked for, and the table that it fills."""


@dataclass(frozen=True)
class StripeWrites:
    """The writing side of one Stripe account."""

    reader: Reader = field(repr=False)

    @property
    def can(self) -> frozenset[str]:
        """Every verb that there is a request for."""
        return frozenset(REQUESTS)

    @property
    def _api(self) -> Api:
        return self.reader.api

    def request(self, deed: Deed) -> Request:
        """The request that the deed is. Raises ValueError for a verb that Stripe has nothing for."""
        if deed.verb not in REQUESTS:
            raise ValueError(f"Stripe cannot {deed.verb}")
        return REQUESTS[deed.verb](deed)

    def state(self, type: str, id: str) -> Mapping[str, Any] | None:
        """The record as it is in Stripe now, as a row of the books; None when it is gone. Raises SourceError.

        A subscription also says how many `others` its customer has that have not ended, whether its `collection` is
        on, and of each item `quantity:<id>` and `price:<id>`.
        """
        path, table = PATHS[type]
        found = self._api.get(path, id, expand=list(EXPAND.get(path, ())))
        if found is None:
            return None
        rows, _ = self.reader.read(path, [found[0]])
        row = next(iter(rows.get(table, [])), None)
        if row is not None and type == "subscription":
            return {**row, **_of_subscription(found[0]), "others": len(self._live(row["customer_id"]) - {id})}
        return row

    def seen(self, deed: Deed, key: str) -> Receipt | None:
        """The receipt of the deed, when Stripe shows that it was done under this key. Raises SourceError."""
        if deed.verb == "credit":
            return self._marked("credit_notes", key, invoice=deed.id)
        if deed.verb == "adjust":
            return self._adjusted(deed, key)
        if deed.verb in UNSEEN:
            return None
        found = self._api.get(PATHS[deed.type][0], deed.id)
        if deed.verb == "unadjust":
            lines = self._lines(deed.id)
            there = any(_item(line) == deed.about["made"] for line in lines)
            return None if there else Receipt(str(deed.about["made"]), {"deleted": True})
        if found is None or not SHOWS[deed.verb](found[0], deed.about):
            return None
        return _receipt(found[0])

    def preview(self, deed: Deed) -> Preview | None:
        """For another number or price of an item: the subscription's next invoice by Stripe's own preview, as far as
        Stripe knows its usage by now; None for other deeds. Raises SourceError.

        Source: docs.stripe.com/api/invoices/create_preview.
        """
        if deed.verb not in PREVIEWED:
            return None
        change = {name: self.request(deed).params[name] for name in ("items", "proration_behavior")}
        now = self._api.preview({"subscription": deed.id})
        then = self._api.preview({"subscription": deed.id, "subscription_details": change})
        code = str(currency(now.get("currency")))
        before, after = (money(each.get("total"), code) for each in (now, then))
        return Preview("the next invoice", before, after, code)

    def send(self, deed: Deed, key: str) -> Receipt:
        """Do it, once per key. Raises UnclearError, and SourceError when Stripe certainly did not do it."""
        request = self.request(deed)
        params = dict(request.params)
        if deed.verb in ("credit", "adjust"):
            params["metadata"] = {**params.get("metadata", {}), MARK: key}
        return _receipt(self._api.write(request.method, request.path, key, params))

    def _live(self, customer: object) -> set[str]:
        """The customer's subscriptions that have not ended."""
        listed = (thing for listing in self._api.pages("subscriptions", customer=customer) for thing in listing.objects)
        return {str(thing["id"]) for thing in listed if thing.get("status") not in ("canceled", "incomplete_expired")}

    def _marked(self, path: str, key: str, **only: str) -> Receipt | None:
        for listing in self._api.pages(path, **only):
            for thing in listing.objects:
                if nested(thing, "metadata", MARK) == key:
                    return _receipt(thing)
        return None

    def _adjusted(self, deed: Deed, key: str) -> Receipt | None:
        for line in self._lines(deed.id):
            if nested(line, "metadata", MARK) == key:
                return Receipt(str(_item(line) or line["id"]), {"amount": line.get("amount")})
        return None

    def _lines(self, invoice: str) -> list[Object]:
        return [line for listing in self._api.pages(f"invoices/{invoice}/lines") for line in listing.objects]


def minor(amount: object, currency: str) -> int:
    """An amount in Stripe's minor units. Raises ValueError for one that has a part of a minor unit."""
    scaled = Decimal(str(amount)).scaleb(digits(currency))
    if scaled != scaled.to_integral_value():
        raise ValueError(f"{amount} {currency} is no whole number of minor units")
    return int(scaled)


def _hold(deed: Deed) -> Request:
    return Request("post", f"invoices/{deed.id}", {"auto_advance": "false"})


def _release(deed: Deed) -> Request:
    return Request("post", f"invoices/{deed.id}", {"auto_advance": "true"})


def _void(deed: Deed) -> Request:
    return Request("post", f"invoices/{deed.id}/void", {})


def _pay(deed: Deed) -> Request:
    return Request("post", f"invoices/{deed.id}/pay", {})


def _cancel(deed: Deed) -> Request:
    return Request("delete", f"subscriptions/{deed.id}", {"prorate": "false", "invoice_now": "false"})


def _pause(deed: Deed) -> Request:
    """Drafts are made and kept: nothing is collected, nothing is lost."""
    return Request("post", f"subscriptions/{deed.id}", {"pause_collection": {"behavior": "keep_as_draft"}})


def _resume(deed: Deed) -> Request:
    return Request("post", f"subscriptions/{deed.id}", {"pause_collection": ""})


def _quantity(deed: Deed) -> Request:
    return _change_item(deed, quantity=int(deed.about["quantity"]))


def _price(deed: Deed) -> Request:
    return _change_item(deed, price=str(deed.about["price"]))


def _change_item(deed: Deed, **change: object) -> Request:
    """From now on: what is past is for a credit or an adjustment, whose amount is approved."""
    item = {"id": deed.about["item"], **change}
    return Request("post", f"subscriptions/{deed.id}", {"items": [item], "proration_behavior": "none"})


def _report(deed: Deed) -> Request:
    """Stripe counts one identifier once within a day, and takes what is at most 35 days old."""
    about = deed.about
    params = {
        "event_name": about["event_name"],
        "identifier": deed.id,
        "timestamp": _seconds(about["time"]),
        "payload": {"stripe_customer_id": about["customer"], "value": str(about["value"])},
    }
    return Request("post", "billing/meter_events", params)


def _ask_method(deed: Deed) -> Request:
    params = {"customer": deed.id, "flow_data": {"type": "payment_method_update"}}
    return Request("post", "billing_portal/sessions", params)


def _credit(deed: Deed) -> Request:
    """What is still due is lowered; what was paid becomes credit for the next invoice."""
    amount = minor(deed.about["amount"], deed.about["currency"])
    line = {"type": "invoice_line_item", "invoice_line_item": deed.about["line"], "amount": amount}
    paid = {"credit_amount": amount} if deed.about["paid"] else {}
    return Request("post", "credit_notes", {"invoice": deed.id, "lines": [line], "memo": deed.about["memo"], **paid})


def _adjust(deed: Deed) -> Request:
    """An invoice item on the draft. Its metadata says in the books' words what it is, see `metadata.STATED`."""
    about = deed.about
    stated = {"trueup_kind": "adjustment", "trueup_item_id": about["item"], "trueup_quantity": "null"}
    params = {
        "customer": about["customer"],
        "invoice": deed.id,
        "amount": minor(about["amount"], about["currency"]),
        "currency": str(about["currency"]).lower(),
        "description": about["memo"],
        "discountable": "false",
        "period": {"start": _seconds(about["start"]), "end": _seconds(about["end"])},
        "metadata": {name: value for name, value in stated.items() if value},
    }
    return Request("post", "invoiceitems", params)


def _unadjust(deed: Deed) -> Request:
    return Request("delete", f"invoiceitems/{deed.about['made']}", {})


def _seconds(instant: str) -> int:
    return int(datetime.fromisoformat(instant).timestamp())


def _item(line: Object) -> str | None:
    return ident(nested(line, "parent", "invoice_item_details", "invoice_item"))


REQUESTS: Mapping[str, Callable[[Deed], Request]] = {
    "hold": _hold,
    "release": _release,
    "void": _void,
    "credit": _credit,
    "adjust": _adjust,
    "unadjust": _unadjust,
    "cancel": _cancel,
    "pay": _pay,
    "pause": _pause,
    "resume": _resume,
    "quantity": _quantity,
    "price": _price,
    "report": _report,
    "ask_method": _ask_method,
}

PREVIEWED = ("quantity", "price")
"""Verbs whose effect on the next invoice Stripe works out beforehand."""

UNSEEN = ("report", "ask_method")
"""Verbs whose deeds Stripe does not list: asking again under the same key is all that can be done."""

SHOWS: Mapping[str, Callable[[Object, Mapping[str, Any]], bool]] = {
    "hold": lambda invoice, about: invoice.get("status") == "draft" and invoice.get("auto_advance") is False,
    "release": lambda invoice, about: invoice.get("status") != "draft" or invoice.get("auto_advance") is True,
    "void": lambda invoice, about: invoice.get("status") == "void",
    "pay": lambda invoice, about: invoice.get("status") == "paid",
    "cancel": lambda subscription, about: subscription.get("status") == "canceled",
    "pause": lambda subscription, about: subscription.get("pause_collection") is not None,
    "resume": lambda subscription, about: subscription.get("pause_collection") is None,
    "quantity": lambda subscription, about: (
        _of_subscription(subscription).get(f"quantity:{about['item']}") == about["quantity"]
    ),
    "price": lambda subscription, about: _of_subscription(subscription).get(f"price:{about['item']}") == about["price"],
}
"""How an object looks once the deed is done; it does not matter by whom."""

_TOLD = ("status", "auto_advance", "automatically_finalizes_at", "amount", "total", "amount_due", "deleted", "invoice",
         "pause_collection", "identifier", "url")  # fmt: skip


def _of_subscription(subscription: Object) -> dict[str, str]:
    """What the books' row does not say: whether invoices go out, and each item's number and price."""
    said = {"collection": "on" if subscription.get("pause_collection") is None else "paused"}
    for item in entries(subscription.get("items")):
        said[f"price:{item['id']}"] = str(ident(item.get("price")))
        if item.get("quantity") is not None:
            said[f"quantity:{item['id']}"] = str(item["quantity"])
    return said


def _receipt(thing: Object) -> Receipt:
    id = thing.get("id") or thing.get("identifier")  # a meter event has no other name
    return Receipt(str(id), {name: thing[name] for name in _TOLD if name in thing} | _lines_count(thing))


def _lines_count(thing: Object) -> dict[str, int]:
    return {"lines": len(entries(thing["lines"]))} if isinstance(thing.get("lines"), dict) else {}
