"""What Trueup may write to Zuora: few deeds, each one request.

Owns what must be read right before a deed, and how to see afterwards whether it was done; does not own when one is
allowed. Which request it is says `integrations.zuora.deeds`. Zuora takes an Idempotency-Key with every POST and
remembers it for a day; what is put shows in the record's state.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from integrations.json_api import current_row
from integrations.objects import Object
from integrations.writing import ByRequest, Deed, Receipt
from integrations.zuora.deeds import REQUESTS
from integrations.zuora.reader import Lists

TABLES: Mapping[str, str] = {"invoice": "invoices", "subscription": "subscriptions", "customer": "customers"}

_TOLD = ("success", "number", "memoNumber", "paymentNumber", "status", "amount", "invoiceId", "subscriptionId")


@dataclass(frozen=True)
class ZuoraWrites(ByRequest):
    """The writing side of one Zuora tenant."""

    system, requests = "Zuora", REQUESTS

    lists: Lists = field(repr=False)

    @property
    def keyed(self) -> bool:
        """Zuora does for a day; what is put is the same twice."""
        return True

    def state(self, type: str, id: str) -> Mapping[str, Any] | None:
        """The record as it is in Zuora now, as a row of the books; None when it is gone. Raises SourceError.

        A subscription also says how many `others` its account has that serve, and whether its `collection`
        is on.
        """
        return current_row(f"{type} {id}", lambda: self._row(type, id))

    def _row(self, type: str, id: str) -> Mapping[str, Any]:
        name, listing = self.lists.record(type, id)
        stream = next(each for each in self.lists.streams if each.name == name)
        row = stream.read(listing.objects[0])[TABLES[type]][0]
        if type != "subscription":
            return row
        held = self.lists.each_of("subscriptions", f"accountid.EQ:{listing.objects[0]['accountId']}")
        live = {str(each["name"]) for each in held if _serves(each)}
        said = {"collection": "paused" if row["status"] == "paused" else "on", "others": len(live - {id})}
        return {**row, **said}

    def seen(self, deed: Deed, key: str) -> Receipt | None:
        """The receipt of the deed, when Zuora shows that it was done. Raises SourceError."""
        if deed.verb in UNSEEN:
            return None
        row = self.state(deed.type, deed.id)
        shown = row is not None and (row["status"] == SHOWS[deed.verb]) != (deed.verb == "resume")
        return Receipt(deed.id, {"status": row["status"]}) if row is not None and shown else None

    def send(self, deed: Deed, key: str) -> Receipt:
        """Do it. Raises UnclearError, and SourceError when Zuora certainly did not do it."""
        request = self.request(deed)
        body = dict(request.params)
        if deed.verb == "credit":
            body["items"] = [{**each, "amount": Decimal(each["amount"])} for each in body["items"]]
        elif deed.verb == "pay":
            invoice = self.lists.record("invoice", deed.id)[1].objects[0]
            due = Decimal(str(invoice["balance"]))
            body |= {"accountId": invoice["accountId"], "currency": self._row("invoice", deed.id)["currency"],
                     "amount": due, "invoices": [{"invoiceId": deed.id, "amount": due}]}  # fmt: skip
        if deed.verb in DATED:
            today = self.lists.record(deed.type, deed.id)[1].at.astimezone(self.lists.zone).date()
            body[DATED[deed.verb]] = today.isoformat()
        method = request.method.upper()
        said = self.lists.tenant.write(method, request.path, body, key if method == "POST" else None)
        return Receipt(str(said.get("id") or deed.id), {name: said[name] for name in _TOLD if name in said})


DATED: Mapping[str, str] = {"cancel": "cancellationEffectiveDate"}
"""Deeds that say as of which day, in which field."""

UNSEEN = ("credit",)
"""Verbs whose deeds are not looked for: asked again under the same key they are done once."""

SHOWS: Mapping[str, str] = {"void": "void", "pay": "paid", "pause": "paused", "resume": "paused", "cancel": "ended"}
"""The status of a record once the deed is done, or for `resume` no longer; it does not matter by whom."""


def _serves(subscription: Object) -> bool:
    return str(subscription.get("status")).lower() in ("active", "suspended")
