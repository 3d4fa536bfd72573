"""What Trueup may write to Chargebee: few deeds, each one request, looked for before it could be asked for again.

Owns how to see afterwards whether a deed was done; does not own when one is allowed. Which request it is says
`integrations.chargebee.deeds`. Chargebee takes a key in `chargebee-idempotency-key`; as it is not known how long it
remembers one, what a deed makes carries the key in a text too, and the others show in the record's state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from integrations.chargebee.deeds import MARK, REQUESTS, marked
from integrations.chargebee.people import item_id
from integrations.chargebee.reader import Lists
from integrations.json_api import GoneError, current_row
from integrations.objects import Object, entries
from integrations.writing import ByRequest, Deed, Receipt

TABLES: Mapping[str, str] = {"invoice": "invoices", "subscription": "subscriptions", "customer": "customers"}

TEXTS: Mapping[str, str] = {
    "credit": "customer_notes",
    "add": "description",
    "charge_next": "charges[description][0]",
}
"""Where the key of a deed stands in what it makes."""

_TOLD = ("status", "total", "amount_due", "amount", "url", "access_url", "quantity")


@dataclass(frozen=True)
class ChargebeeWrites(ByRequest):
    """The writing side of one Chargebee site."""

    system, requests = "Chargebee", REQUESTS

    lists: Lists = field(repr=False)

    @property
    def keyed(self) -> bool:
        """How long Chargebee remembers a key is not known, so it is not relied on."""
        return False

    def state(self, type: str, id: str) -> Mapping[str, Any] | None:
        """The record as it is in Chargebee now, as a row of the books; None when it is gone. Raises SourceError.

        A subscription also says how many `others` its customer has that have not ended, whether its `collection` is
        on, and of each item `quantity:<item>`.
        """
        return current_row(f"{type} {id}", lambda: self._row(type, id))

    def _row(self, type: str, id: str) -> Mapping[str, Any]:
        name, listing = self.lists.record(type, id)
        stream = next(each for each in self.lists.streams if each.name == name)
        row = stream.rows_of(listing.objects[0])[TABLES[type]][0]
        if type != "subscription":
            return row
        others = [each for each in self._live(row["customer_id"]) if each != id]
        return {**row, **_of_subscription(listing.objects[0]), "others": len(others)}

    def seen(self, deed: Deed, key: str) -> Receipt | None:
        """The receipt of the deed, when Chargebee shows that it was done. Raises SourceError."""
        look = SEEN.get(deed.verb)
        if look is not None:
            return look(self, deed, key)
        if deed.verb in UNSEEN:
            return None
        found = self._object(deed.type, deed.id)
        return _receipt(found) if found is not None and SHOWS[deed.verb](found, deed.about) else None

    def send(self, deed: Deed, key: str) -> Receipt:
        """Do it. Raises UnclearError, and SourceError when Chargebee certainly did not do it."""
        request = self.request(deed)
        form = dict(request.params)
        if deed.verb in TEXTS:
            form[TEXTS[deed.verb]] = marked(deed.about["memo"], key, deed.about.get("price"))
        said = self.lists.api.write("POST", request.path, form=form, headers={"chargebee-idempotency-key": key})
        if deed.verb in SEEN and deed.verb not in ("drop", "unadjust", "uncharge"):
            made = [each for each in _made(said) if _has(each, key) or each.get("id") == form.get("id")]
            if made:
                return _receipt(made[0])
        thing = next((each for name, each in said.items() if name in ANSWERS and isinstance(each, dict)), {})
        return _receipt({"id": deed.id, **thing})

    def _object(self, type: str, id: str) -> Object | None:
        try:
            return self.lists.record(type, id)[1].objects[0]
        except GoneError:
            return None

    def _listed(self, name: str, kind: str, **only: object) -> Iterator[Object]:
        """The objects of a list that fit."""
        token: str | None = None
        while True:
            asked = {f"{column}[is]": value for column, value in only.items()}
            answer = self.lists.api.get(name, {"limit": self.lists.page_size, "offset": token, **asked}).body
            yield from (each[kind] for each in entries(answer.get("list")))
            if not (token := answer.get("next_offset")):
                return

    def _live(self, customer: object) -> list[str]:
        held = self._listed("subscriptions", "subscription", customer_id=customer)
        live = (each for each in held if not each.get("deleted"))
        return [str(each["id"]) for each in live if each.get("status") not in ("cancelled", "future")]

    def _lines(self, invoice: str) -> list[Object]:
        """Every line of an invoice; none of one that is gone."""
        lines: list[Object] = []
        asked: dict[str, object] | None = None
        while (found := self._invoice(invoice, asked)) is not None:
            lines += entries(found.get("line_items"))
            if not (token := found.get("line_items_next_offset")):
                break
            asked = {"line_items_offset": token}
        return lines

    def _invoice(self, id: str, asked: Mapping[str, object] | None) -> Object | None:
        try:
            found: Object = self.lists.api.get(f"invoices/{quote(id, safe='')}", asked).body["invoice"]
        except GoneError:
            return None
        return found

    def _credited(self, deed: Deed, key: str) -> Receipt | None:
        notes = self._listed("credit_notes", "credit_note", reference_invoice_id=deed.id)
        return _first(notes, key)

    def _added(self, deed: Deed, key: str) -> Receipt | None:
        return _first(self._lines(deed.id), key)

    def _dropped(self, deed: Deed, key: str) -> Receipt | None:
        line = str(deed.about["line" if deed.verb == "drop" else "made"])
        there = any(each.get("id") == line for each in self._lines(deed.id))
        return None if there else Receipt(line, {"deleted": True})

    def _waiting(self, deed: Deed, key: str) -> Receipt | None:
        """A charge that waits, or that an invoice of the subscription has by now."""
        subscription = deed.about["subscription"]
        found = _first(self._listed("unbilled_charges", "unbilled_charge", subscription_id=subscription), key)
        if found is not None:
            return found
        billed = self._listed("invoices", "invoice", subscription_id=subscription)
        return _first((line for each in billed for line in self._lines(str(each["id"]))), key)

    def _uncharged(self, deed: Deed, key: str) -> Receipt | None:
        made = str(deed.about["made"])
        held = self._listed("unbilled_charges", "unbilled_charge", subscription_id=deed.about["subscription"])
        return None if any(each.get("id") == made for each in held) else Receipt(made, {"deleted": True})

    def _recorded(self, deed: Deed, key: str) -> Receipt | None:
        place = f"subscriptions/{quote(str(deed.about['subscription']), safe='')}/usages"
        try:
            found: Object = self.lists.api.get(place, {"id": deed.id[:50]}).body["usage"]
        except GoneError:
            return None
        return _receipt(found)


SEEN: Mapping[str, Callable[[ChargebeeWrites, Deed, str], Receipt | None]] = {
    "credit": ChargebeeWrites._credited,
    "add": ChargebeeWrites._added,
    "drop": ChargebeeWrites._dropped,
    "unadjust": ChargebeeWrites._dropped,
    "charge_next": ChargebeeWrites._waiting,
    "uncharge": ChargebeeWrites._uncharged,
    "record": ChargebeeWrites._recorded,
}
"""How it is seen that something was made, or is gone."""

UNSEEN = ("ask_method", "ask_tax_id")

SHOWS: Mapping[str, Callable[[Object, Mapping[str, Any]], bool]] = {
    "void": lambda invoice, about: invoice.get("status") == "voided",
    "pay": lambda invoice, about: invoice.get("status") == "paid",
    "cancel": lambda subscription, about: subscription.get("status") == "cancelled",
    "pause": lambda subscription, about: subscription.get("status") == "paused",
    "resume": lambda subscription, about: subscription.get("status") != "paused",
    "quantity": lambda subscription, about: (
        _of_subscription(subscription).get(f"quantity:{about['item']}") == about["quantity"]
    ),
}
"""How an object looks once the deed is done; it does not matter by whom."""

ANSWERS = ("invoice", "credit_note", "subscription", "hosted_page", "portal_session", "usage", "unbilled_charge")
"""The objects of an answer, the most telling first."""


def _made(said: Object) -> list[Object]:
    """The objects of an answer, one by one, with the lines of its invoice."""
    single = [said[name] for name in ANSWERS if isinstance(said.get(name), dict)]
    lines = [line for each in single for line in entries(each.get("line_items"))]
    return [*single, *lines, *entries(said.get("unbilled_charges"))]


def _has(thing: Object, key: str) -> bool:
    """Whether a text of the object ends with the key."""
    return any((found := MARK.search(str(thing.get(name) or ""))) and found[1] == key for name in
               ("description", "customer_notes"))  # fmt: skip


def _first(things: Iterator[Object] | list[Object], key: str) -> Receipt | None:
    return next((_receipt(each) for each in things if _has(each, key)), None)


def _of_subscription(subscription: Object) -> dict[str, str]:
    said = {"collection": "paused" if subscription.get("status") == "paused" else "on"}
    for item in entries(subscription.get("subscription_items")):
        if item.get("quantity") is not None:
            said[f"quantity:{item_id(subscription['id'], item['item_price_id'])}"] = str(item["quantity"])
    return said


def _receipt(thing: Object) -> Receipt:
    return Receipt(str(thing.get("id")), {name: thing[name] for name in _TOLD if name in thing})
