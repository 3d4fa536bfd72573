"""What Trueup may write to Stripe: few deeds, each one request with an Idempotency-Key.

Owns how to see afterwards whether a deed was done; does not own when one is allowed. Which request it is says
`integrations.stripe.deeds`. What a deed makes carries its key in metadata `trueup_action`, so that it is found again
whatever became of the reply.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from integrations.http import SourceError
from integrations.stripe.amounts import currency, in_minor, money
from integrations.stripe.api import Api
from integrations.stripe.deeds import REQUESTS
from integrations.stripe.objects import Object, entries, ident, nested
from integrations.stripe.reader import EXPAND, Reader
from integrations.writing import ByRequest, Deed, Preview, Receipt

MARK = "trueup_action"
"""The metadata key that names the action and step which made an object."""

PATHS: Mapping[str, tuple[str, str]] = {
    "invoice": ("invoices", "invoices"),
    "subscription": ("subscriptions", "subscriptions"),
    "customer": ("customers", "customers"),
    "credit_note": ("credit_notes", "credit_notes"),
}
"""Where a type of record is asked for, and the table that it fills."""


@dataclass(frozen=True)
class StripeWrites(ByRequest):
    """The writing side of one Stripe account."""

    system, requests = "Stripe", REQUESTS

    reader: Reader = field(repr=False)

    @property
    def keyed(self) -> bool:
        """Stripe does."""
        return True

    @property
    def _api(self) -> Api:
        return self.reader.api

    def state(self, type: str, id: str) -> Mapping[str, Any] | None:
        """The record as it is in Stripe now, as a row of the books; None when it is gone. Raises SourceError.

        A subscription also says how many `others` its customer has that have not ended, whether its `collection` is
        on, of each item `quantity:<id>` and `price:<id>`, and `discount:<id>` of each discount that it has; a customer
        says the latter too, and an invoice that is a draft `line:<id>` of each line.
        """
        path, table = PATHS[type]
        found = self._api.get(path, id, expand=list(EXPAND.get(path, ())))
        if found is None:
            return None
        rows, remarks = self.reader.read(path, [found[0]])
        row = next(iter(rows.get(table, [])), None)
        if row is None:
            said = "; ".join(each.reason for each in remarks) or "nothing of it is known"
            raise SourceError(f"{type} {id} cannot be read, so nothing is done to it: {said}", permanent=False)
        if type == "subscription":
            return {**row, **_of_subscription(found[0]), "others": len(self._live(row["customer_id"]) - {id})}
        if type == "customer":
            return {**row, **_discounts(found[0].get("discount"))}
        if type == "invoice" and row["status"] == "draft":
            code = str(row["currency"])
            held = found[0].get("lines")
            lines = self._lines(id) if nested(held, "has_more") else entries(held)
            return {**row, **{f"line:{line['id']}": money(line.get("amount"), code) for line in lines}}
        return row

    def seen(self, deed: Deed, key: str) -> Receipt | None:
        """The receipt of the deed, when Stripe shows that it was done under this key. Raises SourceError."""
        if deed.verb == "credit":
            return self._marked("credit_notes", key, invoice=deed.id)
        if deed.verb == "adjust":
            return self._adjusted(deed, key)
        if deed.verb == "charge_next":
            return self._marked("invoiceitems", key, customer=deed.about["customer"])
        if deed.verb == "uncharge":
            there = self._api.get("invoiceitems", str(deed.about["made"])) is not None
            return None if there else Receipt(str(deed.about["made"]), {"deleted": True})
        if deed.verb == "edit_line":
            return self._edited(deed)
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
        Stripe knows its usage by now; for a credit what it takes off, or leaves to the customer; None for other deeds.
        Raises SourceError.

        Sources: docs.stripe.com/api/invoices/create_preview, docs.stripe.com/api/credit_notes/preview.
        """
        if deed.verb == "credit":
            return self._credit_preview(deed)
        if deed.verb not in PREVIEWED:
            return None
        change = {name: self.request(deed).params[name] for name in ("items", "proration_behavior")}
        now = self._api.preview({"subscription": deed.id})
        then = self._api.preview({"subscription": deed.id, "subscription_details": change})
        code = str(currency(now.get("currency")))
        before, after = (money(each.get("total"), code) for each in (now, then))
        return Preview("the next invoice", before, after, code)

    def _credit_preview(self, deed: Deed) -> Preview:
        note = self._api.credit_preview(self.request(deed).params)
        code = str(currency(note.get("currency")))
        if deed.about["paid"]:
            after = money(note.get("post_payment_amount"), code)
            return Preview("the customer's credit from it, with its tax", money(0, code), after, code)
        found = self._api.get("invoices", deed.id)
        due = money(found[0].get("amount_remaining") if found else 0, code)
        return Preview("what is due of the invoice", due, due - money(note.get("pre_payment_amount"), code), code)

    def send(self, deed: Deed, key: str) -> Receipt:
        """Do it, once per key. Raises UnclearError, and SourceError when Stripe certainly did not do it."""
        request = self.request(deed)
        params = dict(request.params)
        if deed.verb in MARKED:
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

    def _edited(self, deed: Deed) -> Receipt | None:
        wanted = in_minor(deed.about["amount"], deed.about["currency"])
        found = [line for line in self._lines(deed.id) if line["id"] == deed.about["line"]]
        return Receipt(str(found[0]["id"]), {"amount": wanted}) if found and found[0]["amount"] == wanted else None

    def _lines(self, invoice: str) -> list[Object]:
        return [line for listing in self._api.pages(f"invoices/{invoice}/lines") for line in listing.objects]


PREVIEWED = ("quantity", "price")
"""Verbs whose effect on the next invoice Stripe works out beforehand."""

MARKED = ("credit", "adjust", "charge_next")
"""Verbs whose deeds make an object, which carries their key."""

UNSEEN = ("report", "report_less", "unreport", "ask_method", "ask_tax_id")
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
    "undiscount": lambda thing, about: (
        f"discount:{about['discount']}" not in {**_of_subscription(thing), **_discounts(thing.get("discount"))}
    ),
    "price": lambda subscription, about: _of_subscription(subscription).get(f"price:{about['item']}") == about["price"],
}
"""How an object looks once the deed is done; it does not matter by whom."""

_TOLD = ("status", "auto_advance", "automatically_finalizes_at", "amount", "total", "amount_due", "deleted", "invoice",
         "pause_collection", "identifier", "url")  # fmt: skip


def _of_subscription(subscription: Object) -> dict[str, str]:
    """What the books' row does not say: whether invoices go out, each item's number and price, and the discounts."""
    said = {"collection": "on" if subscription.get("pause_collection") is None else "paused"}
    said |= _discounts(subscription.get("discounts"))
    for item in entries(subscription.get("items")):
        said[f"price:{item['id']}"] = str(ident(item.get("price")))
        if item.get("quantity") is not None:
            said[f"quantity:{item['id']}"] = str(item["quantity"])
        said |= _discounts(item.get("discounts"))
    return said


def _discounts(held: object) -> dict[str, str]:
    """Each discount of a list, or a single one."""
    listed = held if isinstance(held, list) else [held]
    return {f"discount:{found}": "on" for each in listed if (found := ident(each)) is not None}


def _receipt(thing: Object) -> Receipt:
    id = thing.get("id") or thing.get("identifier")  # a meter event has no other name
    return Receipt(str(id), {name: thing[name] for name in _TOLD if name in thing} | _lines_count(thing))


def _lines_count(thing: Object) -> dict[str, int]:
    return {"lines": len(entries(thing["lines"]))} if isinstance(thing.get("lines"), dict) else {}


def _item(line: Object) -> str | None:
    return ident(nested(line, "parent", "invoice_item_details", "invoice_item"))
