"""Chargebee's lists, and what must be asked beside them: lines beyond the first, the item of a price."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from urllib.parse import quote

from integrations.chargebee import bills, catalog, people
from integrations.json_api import GoneError, JsonApi
from integrations.objects import Object, Rows, entries, needed
from integrations.pages import Remark
from integrations.walk import Listing, each

PAGE_SIZE = 100

RECORDS = {
    "customer": "customer",
    "subscription": "subscription",
    "invoice": "invoice",
    "credit_note": "credit_note",
    "payment": "transaction",
    "price": "item_price",
}
"""The records that Chargebee can be asked for one by one, with its own name for them."""

RowsOf = Callable[[Object], Rows]


@dataclass(frozen=True)
class List:
    """One of Chargebee's lists, by the name of its objects."""

    lists: Lists
    name: str
    kind: str
    rows_of: RowsOf

    def listing(self, token: str | None, since: datetime | None) -> Listing:
        """A page behind an offset that Chargebee gave."""
        return self.lists.page(self.name, self.kind, token, since)

    def rows(self, objects: Sequence[Object], since: datetime | None) -> tuple[Rows, tuple[Remark, ...]]:
        """The rows of a page."""
        return each(self.name, objects, self.rows_of)


@dataclass
class Lists:
    """Reads one site. Remembers the items and item prices it has met."""

    api: JsonApi
    page_size: int = PAGE_SIZE
    proration: str = "second"
    items: dict[str, Object | None] = field(default_factory=dict, init=False)
    prices: dict[str, Object | None] = field(default_factory=dict, init=False)

    def fresh(self) -> Lists:
        """The same site, nothing met yet."""
        return replace(self)

    @property
    def streams(self) -> tuple[List, ...]:
        """Every list, what others refer to first."""
        return (
            List(self, "items", "item", self.item),
            List(self, "item_prices", "item_price", self.item_price),
            List(self, "customers", "customer", self.customer),
            List(self, "subscriptions", "subscription", self.subscription),
            List(self, "usages", "usage", people.usage_rows),
            List(self, "invoices", "invoice", self.invoice),
            List(self, "credit_notes", "credit_note", bills.credit_note_rows),
            List(self, "transactions", "transaction", bills.payment_rows),
        )

    def page(self, name: str, kind: str, token: str | None, since: datetime | None) -> Listing:
        """A page of what was updated since, the oldest first: what changes meanwhile moves behind, and is met again."""
        asked: dict[str, object] = {"limit": self.page_size, "offset": token, "sort_by[asc]": "updated_at"}
        if name not in {"items", "item_prices"}:
            asked["include_deleted"] = "true"
        if since:
            asked["updated_at[after]"] = int(since.timestamp())
        answer = self.api.get(name, asked)
        found: list[Object] = [{**entry[kind], "_entry": entry} for entry in entries(answer.body.get("list"))]
        following = answer.body.get("next_offset")
        return Listing(found, answer.at, str(following) if following and found else None)

    def record(self, kind: str, id: str) -> tuple[str, Listing]:
        """A single record as it is now, by the books' type or Chargebee's."""
        own = RECORDS.get(kind, kind)
        name = next((stream.name for stream in self.streams if stream.kind == own), None)
        if name is None:
            raise ValueError(f"Chargebee cannot be asked for one {kind}; it can for {', '.join(RECORDS)}.")
        answer = self.api.get(f"{name}/{quote(id, safe='')}")
        return name, Listing([{**answer.body[own], "_entry": answer.body}], answer.at)

    def item(self, item: Object) -> Rows:
        """Rows of an item."""
        self.items[str(item.get("id"))] = item
        return catalog.meter_rows(item)

    def item_price(self, item_price: Object) -> Rows:
        """Rows of an item price."""
        self.prices[str(item_price.get("id"))] = item_price
        item = self._kept(self.items, "items", "item", str(item_price.get("item_id"))) or {}
        return catalog.price_rows(item_price, bool(item.get("metered")), self.proration)

    def customer(self, customer: Object) -> Rows:
        """Rows of a customer, with the card that stands beside it."""
        return people.customer_rows(customer, (customer.get("_entry") or {}).get("card"))

    def subscription(self, subscription: Object) -> Rows:
        """Rows of a subscription."""
        return people.subscription_rows(subscription, self.price_of)

    def invoice(self, invoice: Object) -> Rows:
        """Rows of an invoice; the lines that its list cut off are asked for."""
        lines, token = entries(invoice.get("line_items")), invoice.get("line_items_next_offset")
        place = f"invoices/{quote(needed(invoice.get('id'), 'invoice'), safe='')}"
        while token:
            more: Object = self.api.get(place, {"line_items_offset": token}).body["invoice"]
            lines, token = lines + entries(more.get("line_items")), more.get("line_items_next_offset")
        return bills.invoice_rows({**invoice, "line_items": lines}, self.price_of)

    def price_of(self, id: str) -> Object | None:
        """An item price; None for one that is gone."""
        return self._kept(self.prices, "item_prices", "item_price", id)

    def _kept(self, kept: dict[str, Object | None], path: str, kind: str, id: str) -> Object | None:
        if id not in kept:
            try:
                kept[id] = self.api.get(f"{path}/{quote(id, safe='')}").body[kind]
            except GoneError:
                kept[id] = None
        return kept[id]


def about(told: Object) -> list[tuple[str, str]]:
    """The objects in an event, by Chargebee's names."""
    held = told.get("content")
    shown = held if isinstance(held, dict) else {}
    things = ((kind, shown.get(kind)) for kind in dict.fromkeys(("item", *RECORDS.values(), "usage")))
    return [(kind, str(thing["id"])) for kind, thing in things if isinstance(thing, dict) and thing.get("id")]
