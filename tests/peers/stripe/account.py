"""The state of one Stripe account: its objects, their order, what happened to them, and how they look when asked."""

from __future__ import annotations

import bisect
import copy
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime

from tests.peers.stripe.books import Rows
from tests.peers.stripe.company import Built, Company
from tests.peers.stripe.shapes import Object, shaped

INLINE = 10
"""How many parts of a list within an object come with the object."""

_LISTS_WITHIN = {
    "subscription": ("items", "/v1/subscription_items?subscription={}"),
    "invoice": ("lines", "/v1/invoices/{}/lines"),
    "credit_note": ("lines", "/v1/credit_notes/{}/lines"),
}
_EVENT_NAMES = {
    "subscription": "customer.subscription",
    "discount": "customer.discount",
    "dispute": "charge.dispute",
}
_SILENT = {
    "customer_balance_transaction",
    "coupon",
    "payment_method",
    "tax_id",
    "subscription_item",
    "event",
    "charge",
    "invoice_payment",
}


class Account:
    """Objects by id. `clock` says what time it is here."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.clock = clock
        self.objects: dict[str, Object] = {}
        self.hidden: dict[str, Object] = {}
        self.parts: dict[str, list[Object]] = {}
        self.unheld: list[tuple[str, str, str]] = []
        self._order: dict[str, list[tuple[int, int, str]]] = defaultdict(
            list
        )  # kind: (created, number, id), oldest first
        self._company = Company()
        self._built: dict[str, tuple[object, ...]] = {}
        self._made = 0

    @property
    def now(self) -> int:
        return int(self.clock().timestamp())

    def load(self, rows: Rows, *, announce: bool) -> None:
        """Takes over rows of the books. Objects that are new or differ are replaced, with events when announced."""
        self._company.add(rows)
        built = self._company.build(self.clock())
        self.unheld = built.unheld
        for made in built.objects:
            self._take(made, built, announce)

    def _take(self, made: Object, built: Built, announce: bool) -> None:
        id = str(made["id"])
        whole = (made, built.hidden.get(id), built.parts.get(id))
        if self._built.get(id) == whole:
            return
        self._built[id] = copy.deepcopy(whole) if announce else whole
        if built.hidden.get(id) is not None:
            self.hidden[id] = built.hidden[id]
        if built.parts.get(id) is not None:
            self.parts[id] = built.parts[id]
        self.put(made, announce=announce)

    def put(self, made: Object, *, announce: bool = True) -> None:
        """Stores an object under its id, as new or in place of the one there, and says so in an event."""
        id, kind = str(made["id"]), str(made["object"])
        before = self.objects.get(id)
        if before is None:
            self._made += 1
            bisect.insort(self._order[kind], (int(str(made.get("created") or 0)), self._made, id))
        self.objects[id] = made
        if announce and kind not in _SILENT:
            self.announce("updated" if before else "created", made, before)

    def change(self, id: str, /, *events: str, **fields: object) -> Object:
        """Replaces fields of an object; the event is `updated`, then the ones named ("paid")."""
        before = self.objects[id]
        shown_before = self.shown(before)
        self.objects[id] = {**before, **fields}
        self._emit(f"{self._prefix(before)}.updated", id, {name: shown_before.get(name) for name in fields})
        for event in events:
            self._emit(f"{self._prefix(before)}.{event}", id, None)
        return self.objects[id]

    def remove(self, id: str) -> Object:
        """Takes an object out of the account; the event `deleted` still shows it."""
        gone = self.objects[id]
        self._emit(f"{self._prefix(gone)}.deleted", id, None)
        del self.objects[id]
        kind = str(gone["object"])
        self._order[kind] = [entry for entry in self._order[kind] if entry[2] != id]
        return {"id": id, "object": kind, "deleted": True}

    def announce(self, what: str, made: Object, before: Object | None) -> None:
        changed = {name: value for name, value in (before or {}).items() if made.get(name) != value}
        self._emit(f"{self._prefix(made)}.{what}", str(made["id"]), changed or None)

    def emit(self, type: str, shown: Object, previous: Object | None = None) -> None:
        """Puts an event into the feed."""
        number = len(self._order["event"]) + 1
        data: Object = {"object": copy.deepcopy(shown)} | ({"previous_attributes": previous} if previous else {})
        event = shaped("event", id=f"evt_{number:012}", created=self.now, type=type, data=data, api_version=None)
        self.put(event, announce=False)

    def _emit(self, type: str, id: str, previous: Object | None) -> None:
        self.emit(type, self.shown(self.objects[id]), copy.deepcopy(previous))

    def _prefix(self, made: Object) -> str:
        return _EVENT_NAMES.get(str(made["object"]), str(made["object"]))

    def listed(self, kind: str) -> list[Object]:
        """All objects of a kind, newest first."""
        return [self.objects[id] for _, _, id in reversed(self._order[kind])]

    def shown(self, made: Object) -> Object:
        """The object as Stripe answers with it: with the first parts of the lists within it."""
        if made["object"] == "subscription_item" and isinstance(made["price"], str):
            return {**made, "price": self.objects[made["price"]]}
        made = {name: value for name, value in made.items() if not name.startswith("_")}
        within = _LISTS_WITHIN.get(str(made["object"]))
        if within is None:
            return made
        name, url = within
        parts = self.parts.get(str(made["id"]), [])
        data = [self.shown(part) for part in parts[:INLINE]]
        inline = {"object": "list", "data": data, "has_more": len(parts) > INLINE, "url": url.format(made["id"])}
        return {**made, name: inline}


def real_clock() -> datetime:
    """The time outside."""
    return datetime.now(UTC)
