"""What Trueup may write to OpenMeter: few deeds, looked for before they could be asked for again.

Owns how a draft is changed and how to see afterwards whether a deed was done; does not own when one is allowed. Which
request it is says `integrations.openmeter.deeds`. OpenMeter has no idempotency keys: lines carry the key in their
metadata, events have an id that counts once, and the others show in the record's state. A draft is replaced whole, so
it is read right before, and nothing of it is left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from integrations.http import SourceError
from integrations.json_api import GoneError, current_row
from integrations.objects import Object, entries, nested
from integrations.openmeter.deeds import MARK, REQUESTS
from integrations.openmeter.reader import Lists
from integrations.writing import ByRequest, Deed, Receipt

TABLES: Mapping[str, str] = {"invoice": "invoices", "subscription": "subscriptions", "customer": "customers"}

KEPT = ("description", "metadata")
"""What of a draft is sent back as it is, beside what follows."""

PARTY = ("key", "name", "taxId", "addresses")
"""What is sent back of who invoices, and who is invoiced."""

INVOICING = ("autoAdvance", "draftPeriod", "dueAfter", "subscriptionEndProrationMode", "defaultTaxConfig")
"""What is sent back of how the draft becomes final."""

LINE = ("id", "name", "description", "metadata", "taxConfig", "period", "invoiceAt", "rateCard", "price", "featureKey")
"""What of a line is sent back as it is."""


@dataclass(frozen=True)
class OpenMeterWrites(ByRequest):
    """The writing side of one OpenMeter."""

    system, requests = "OpenMeter", REQUESTS

    lists: Lists = field(repr=False)

    @property
    def keyed(self) -> bool:
        """OpenMeter knows no keys."""
        return False

    def state(self, type: str, id: str) -> Mapping[str, Any] | None:
        """The record as it is there now, as a row of the books; None when it is gone. Raises SourceError.

        A subscription also says how many `others` its customer has that have not ended.
        """
        return current_row(f"{type} {id}", lambda: self._row(type, id))

    def _row(self, type: str, id: str) -> Mapping[str, Any]:
        found = self._object(type, id)
        if type == "invoice":
            return self.lists.invoice(found)["invoices"][0]
        row = self.lists.subscription(found)["subscriptions"][0]
        customer: Object = self.lists.api.get(f"v1/customers/{row['customer_id']}", {"expand": "subscriptions"}).body
        held = entries(customer.get("subscriptions"))
        live = {each["id"] for each in held if each.get("status") not in ("inactive", "scheduled")}
        return {**row, "others": len(live - {id})}

    def _object(self, type: str, id: str) -> Object:
        name, listing = self.lists.record(type, id)
        found: Object = listing.objects[0]
        return entries(found["subscriptions"])[0] if name == "subscriptions" else found

    def seen(self, deed: Deed, key: str) -> Receipt | None:
        """The receipt of the deed, when OpenMeter shows that it was done. Raises SourceError."""
        if deed.verb in ("adjust", "charge_next"):
            held = [self._held(deed.id)] if deed.verb == "adjust" else self._of_customer(deed.id)
            return next((_line(line) for each in held for line in _lines(each) if _key(line) == key), None)
        if deed.verb in ("unadjust", "uncharge"):
            held = [self._held(deed.id)] if deed.verb == "unadjust" else self._of_customer(deed.id)
            there = any(line.get("id") == deed.about["made"] for each in held for line in _lines(each))
            return None if there else Receipt(str(deed.about["made"]), {"deleted": True})
        if deed.verb == "ingest":
            asked = {"limit": 1, "filter": json.dumps({"id": {"$eq": deed.id}, "source": {"$eq": "trueup"}})}
            found = entries(self.lists.api.get("v2/events", asked).body.get("items"))
            return Receipt(deed.id, {"counted": True}) if found else None
        row = self.state(deed.type, deed.id)
        shown = row is not None and all(row[name] == value for name, value in SHOWS[deed.verb].items())
        return Receipt(deed.id, {"status": row["status"]}) if row is not None and shown else None

    def send(self, deed: Deed, key: str) -> Receipt:
        """Do it. Raises UnclearError, and SourceError when OpenMeter certainly did not do it."""
        request = self.request(deed)
        if deed.verb == "uncharge":
            return self._take_off(self._with_line(deed), str(deed.about["made"]))
        if deed.verb == "unadjust":
            return self._take_off(self._object("invoice", deed.id), str(deed.about["made"]))
        body: Mapping[str, Any] = request.params
        if request.method == "put":
            body = _changed(self._object("invoice", deed.id), body, key)
        elif deed.verb == "charge_next":
            body = {**body, "lines": [_with_key(each, key) for each in body["lines"]]}
        said = self.lists.api.write(request.method.upper(), request.path, body)
        made = [line for line in _lines(said) if _key(line) == key]
        return _line(made[0]) if made else Receipt(str(said.get("id") or deed.id), {"status": said.get("status")})

    def _take_off(self, invoice: Object, line: str) -> Receipt:
        left = [each for each in _lines(invoice) if each.get("id") != line]
        body = _changed({**invoice, "lines": left}, {}, "")
        self.lists.api.write("PUT", f"v1/billing/invoices/{quote(str(invoice['id']), safe='')}", body)
        return Receipt(line, {"deleted": True})

    def _with_line(self, deed: Deed) -> Object:
        """The invoice that the charge waits on. Raises SourceError when it went out, or is gone."""
        for each in self._of_customer(deed.id):
            if any(line.get("id") == deed.about["made"] for line in _lines(each)):
                if not nested(each, "statusDetails", "immutable"):
                    return each
                raise SourceError(f"the charge is on invoice {each['id']}, which went out", permanent=True)
        raise SourceError(f"OpenMeter has no charge {deed.about['made']} any more", permanent=True)

    def _held(self, invoice: str) -> Object:
        try:
            return self._object("invoice", invoice)
        except GoneError:
            return {}

    def _of_customer(self, customer: str) -> Iterator[Object]:
        """The customer's invoices, those that still gather lines among them."""
        page = 1
        while True:
            asked = {"customers": customer, "expand": "lines", "page": page, "pageSize": self.lists.page_size}
            body = self.lists.api.get("v1/billing/invoices", asked).body
            yield from (found := entries(body.get("items")))
            if not found or page * self.lists.page_size >= int(body.get("totalCount") or 0):
                return
            page += 1


SHOWS: Mapping[str, Mapping[str, object]] = {
    "hold": {"status": "draft", "auto_advance": False},
    "release": {"auto_advance": True},
    "void": {"status": "void"},
    "cancel": {"status": "ended"},
}
"""The columns of a record's row once the deed is done; it does not matter by whom."""


def _changed(invoice: Object, change: Mapping[str, Any], key: str) -> dict[str, Any]:
    """The whole of a draft as it is sent back, with a change; lines that are new carry the key."""
    invoicing = _only(nested(invoice, "workflow", "workflow", "invoicing"), INVOICING)
    payment = nested(invoice, "workflow", "workflow", "payment") or {}
    changed = nested(change, "workflow", "workflow", "invoicing") or {}
    new = [_with_key(each, key) for each in change.get("lines", ())]
    return {
        **_only(invoice, KEPT),
        "supplier": _only(invoice.get("supplier"), PARTY),
        "customer": _only(invoice.get("customer"), PARTY),
        "workflow": {"workflow": {"invoicing": {**invoicing, **changed}, "payment": payment}},
        "lines": [*(_only(line, LINE) for line in _lines(invoice)), *new],
    }


def _only(thing: Object | None, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: thing[name] for name in names if thing and thing.get(name) is not None}


def _with_key(line: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {**line, "metadata": {**line["metadata"], MARK: key}}


def _lines(thing: Object) -> list[Object]:
    return entries(thing.get("lines"))


def _key(line: Object) -> object:
    return nested(line, "metadata", MARK)


def _line(line: Object) -> Receipt:
    return Receipt(str(line["id"]), {"name": line.get("name"), "totals": line.get("totals")})
