"""What Trueup may write to Lago: few deeds, each one request, looked for before it could be asked for again.

Owns how to see afterwards whether a deed was done; does not own when one is allowed. Which request it is says
`integrations.lago.deeds`. Lago has no idempotency keys, so a credit note carries its key in its description, an event's
transaction counts once, and the others show in the record's state.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from integrations.json_api import GoneError, current_row
from integrations.lago.deeds import REQUESTS
from integrations.lago.reader import SUBSCRIPTIONS_OF, Lists
from integrations.objects import Object
from integrations.writing import ByRequest, Deed, Receipt


@dataclass(frozen=True)
class LagoWrites(ByRequest):
    """The writing side of one Lago organization."""

    system, requests = "Lago", REQUESTS

    lists: Lists = field(repr=False)

    @property
    def keyed(self) -> bool:
        """Lago knows no keys."""
        return False

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


SHOWS: Mapping[str, str] = {"void": "void", "pay": "paid", "cancel": "ended"}
"""The status of a record in the books' words, once the deed is done; it does not matter by whom."""


def _marked(deed: Deed, key: str) -> str:
    return f"{deed.about['memo']} [{key}]"
