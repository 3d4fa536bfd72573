"""What Trueup may write to Lago: few deeds, each one request, looked for before it could be asked for again.

Owns which request a deed is and how to see afterwards whether it was done; does not own when one is allowed. Lago has
no idempotency keys, so a credit note carries its key in its description, an event's transaction counts once, and the
others show in the record's state. Requests: getlago.com/docs/api-reference/invoices/void, .../invoices/retry_payment,
.../credit-notes/create, .../events/usage, .../subscriptions/terminate, .../coupons/delete_applied.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote, urlencode

from billing.money import to_minor
from integrations.json_api import GoneError, current_row
from integrations.lago.reader import SUBSCRIPTIONS_OF, Lists
from integrations.objects import Object
from integrations.writing import Deed, Preview, Receipt, Request


@dataclass(frozen=True)
class LagoWrites:
    """The writing side of one Lago organization."""

    lists: Lists = field(repr=False)

    @property
    def can(self) -> frozenset[str]:
        """Every verb that there is a request for."""
        return frozenset(REQUESTS)

    @property
    def keyed(self) -> bool:
        """Lago knows no keys."""
        return False

    def request(self, deed: Deed) -> Request:
        """The request that the deed is. Raises ValueError for a verb that Lago has nothing for."""
        if deed.verb not in REQUESTS:
            raise ValueError(f"Lago cannot {deed.verb}")
        return REQUESTS[deed.verb](deed)

    def state(self, type: str, id: str) -> Mapping[str, Any] | None:
        """The record as it is in Lago now, as a row of the books; None when it is gone. Raises SourceError.

        A subscription also says how many `others` its customer has that have not ended, a customer `discount:<id>` of
        each coupon that it has.
        """
        return current_row(f"{type} {id}", lambda: self._row(type, id))

    def _row(self, type: str, id: str) -> Mapping[str, Any]:
        if type == "customer":
            return {"customer_id": id, **{f"discount:{each}": "on" for each in self._coupons(id)}}
        if type == "invoice":
            return self.lists.invoice({"lago_id": id})["invoices"][0]
        listing = self.lists.record(type, id)[1]
        row = self.lists.subscription(listing.objects[0], listing.at)["subscriptions"][0]
        held = self.lists.record(SUBSCRIPTIONS_OF, str(row["customer_id"]))[1].objects
        live = {each["lago_id"] for each in held if each.get("status") == "active"}
        return {**row, "others": len(live - {id})}

    def _coupons(self, customer: str) -> list[str]:
        place = f"customers/{quote(customer, safe='')}/applied_coupons"
        found = self.lists.page(place, None, {}).objects
        return [str(each["lago_id"]) for each in found if each.get("status") == "active"]

    def seen(self, deed: Deed, key: str) -> Receipt | None:
        """The receipt of the deed when Lago shows that it was done. Raises SourceError."""
        if deed.verb == "credit":
            return self._credited(deed, key)
        if deed.verb == "undiscount":
            there = deed.about["discount"] in self._coupons(deed.id)
            return None if there else Receipt(str(deed.about["discount"]), {"terminated": True})
        if deed.verb == "ingest":
            try:
                self.lists.api.get(f"events/{quote(deed.id, safe='')}")
            except GoneError:
                return None
            return Receipt(deed.id, {"counted": True})
        row = self.state(deed.type, deed.id)
        return Receipt(deed.id, {"status": row["status"]}) if row and row["status"] == SHOWS[deed.verb] else None

    def preview(self, deed: Deed) -> Preview | None:
        """Lago is asked for none."""
        return None

    def send(self, deed: Deed, key: str) -> Receipt:
        """Do it. Raises UnclearError, and SourceError when Lago certainly did not do it."""
        request = self.request(deed)
        params = dict(request.params)
        if deed.verb == "credit":
            params["credit_note"] = {**params["credit_note"], "description": _marked(deed, key)}
        path = request.path
        if deed.verb == "cancel":  # told apart by its own id, ended by the company's
            found = self.lists.record("subscription", deed.id)[1].objects[0]
            path = f"subscriptions/{quote(str(found['external_id']), safe='')}?{urlencode(params)}"
        said = self.lists.api.write(request.method.upper(), path, params)
        thing: Object = next((each for each in said.values() if isinstance(each, dict)), {})
        told = {name: thing[name] for name in ("status", "payment_status", "total_amount_cents") if name in thing}
        return Receipt(str(thing.get("lago_id") or deed.id), told)

    def _credited(self, deed: Deed, key: str) -> Receipt | None:
        """The credit note of the invoice whose description has the key."""
        token: str | None = None
        while True:
            listing = self.lists.page("credit_notes", token, {})
            for note in listing.objects:
                if note.get("lago_invoice_id") == deed.id and str(note.get("description") or "").endswith(f"[{key}]"):
                    return Receipt(str(note["lago_id"]), {"total_amount_cents": note.get("total_amount_cents")})
            if (token := listing.following) is None:
                return None


def _marked(deed: Deed, key: str) -> str:
    return f"{deed.about['memo']} [{key}]"


def _void(deed: Deed) -> Request:
    return Request("post", f"invoices/{quote(deed.id, safe='')}/void", {})


def _pay(deed: Deed) -> Request:
    return Request("post", f"invoices/{quote(deed.id, safe='')}/retry_payment", {})


def _credit(deed: Deed) -> Request:
    """What is still due is lowered; what was paid becomes credit for the next invoice."""
    cents = to_minor(Decimal(str(deed.about["amount"])), deed.about["currency"])
    kind = "credit_amount_cents" if deed.about["paid"] else "offset_amount_cents"
    note = {
        "invoice_id": deed.id,
        "reason": "other",
        "refund_amount_cents": 0,
        kind: cents,
        "items": [{"fee_id": deed.about["line"], "amount_cents": cents}],
    }
    return Request("post", "credit_notes", {"credit_note": note})


def _cancel(deed: Deed) -> Request:
    """Without a last invoice, and without a credit note."""
    told = {"on_termination_credit_note": "skip", "on_termination_invoice": "skip"}
    return Request("delete", f"subscriptions/{quote(deed.id, safe='')}", told)


def _undiscount(deed: Deed) -> Request:
    """Lago's coupons are the customer's."""
    path = f"customers/{quote(deed.id, safe='')}/applied_coupons/{quote(str(deed.about['discount']), safe='')}"
    return Request("delete", path, {})


def _ingest(deed: Deed) -> Request:
    """Lago counts one transaction of a subscription once."""
    about = deed.about
    event = {
        "transaction_id": deed.id,
        "external_subscription_id": about["subject"],
        "code": about["event_name"],
        "timestamp": int(datetime.fromisoformat(about["time"]).timestamp()),
        "properties": about["properties"],
    }
    return Request("post", "events", {"event": event})


REQUESTS: Mapping[str, Callable[[Deed], Request]] = {
    "void": _void,
    "pay": _pay,
    "credit": _credit,
    "cancel": _cancel,
    "undiscount": _undiscount,
    "ingest": _ingest,
}
"""The request of each verb."""

SHOWS: Mapping[str, str] = {"void": "void", "pay": "paid", "cancel": "ended"}
"""The status of a record in the books' words, once the deed is done; it does not matter by whom."""
