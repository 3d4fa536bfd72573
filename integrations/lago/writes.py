"""What Trueup may write to Lago: few deeds, each one request, looked for before it could be asked for again.

Owns which request a deed is and how to see afterwards whether it was done; does not own when one is allowed. Lago has
no idempotency keys, so a credit note carries its key in its description, and the others show in the invoice's state.
Requests: getlago.com/docs/api-reference/invoices/void, .../invoices/retry_payment, .../credit-notes/create.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from billing.money import minor_digits
from integrations.json_api import GoneError
from integrations.lago.reader import Lists
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

    def request(self, deed: Deed) -> Request:
        """The request that the deed is. Raises ValueError for a verb that Lago has nothing for."""
        if deed.verb not in REQUESTS:
            raise ValueError(f"Lago cannot {deed.verb}")
        return REQUESTS[deed.verb](deed)

    def state(self, type: str, id: str) -> Mapping[str, Any] | None:
        """An invoice as it is in Lago now, as a row of the books; None when it is gone. Raises SourceError."""
        try:
            (row,) = self.lists.invoice({"lago_id": id})["invoices"]
        except GoneError:
            return None
        found: Mapping[str, Any] = row
        return found

    def seen(self, deed: Deed, key: str) -> Receipt | None:
        """The receipt of the deed when Lago shows that it was done. Raises SourceError."""
        if deed.verb == "credit":
            return self._credited(deed, key)
        row = self.state("invoice", deed.id)
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
        said = self.lists.api.post(request.path, params)
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
    scaled = Decimal(str(deed.about["amount"])).scaleb(minor_digits(deed.about["currency"]))
    if scaled != scaled.to_integral_value():
        raise ValueError(f"{deed.about['amount']} {deed.about['currency']} is no whole number of minor units")
    cents = int(scaled)
    kind = "credit_amount_cents" if deed.about["paid"] else "offset_amount_cents"
    note = {
        "invoice_id": deed.id,
        "reason": "other",
        "refund_amount_cents": 0,
        kind: cents,
        "items": [{"fee_id": deed.about["line"], "amount_cents": cents}],
    }
    return Request("post", "credit_notes", {"credit_note": note})


REQUESTS: Mapping[str, Callable[[Deed], Request]] = {"void": _void, "pay": _pay, "credit": _credit}

SHOWS: Mapping[str, str] = {"void": "void", "pay": "paid"}
"""The status of an invoice, in the books' words, once the deed is done; it does not matter by whom."""
