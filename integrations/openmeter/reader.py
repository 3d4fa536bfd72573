"""OpenMeter's lists, and what must be asked beside them: a subscription in full, a plan, the features."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from urllib.parse import quote

from integrations.json_api import GoneError, JsonApi
from integrations.objects import Object, Rows, entries, merged, needed, nested
from integrations.openmeter import bills, catalog, people
from integrations.pages import Remark
from integrations.values import instant
from integrations.walk import Listing, each

PAGE_SIZE = 100

RECORDS: Mapping[str, tuple[str, str, Mapping[str, object]]] = {
    "customer": ("customers", "v1/customers", {}),
    "subscription": ("subscriptions", "v1/subscriptions", {}),
    "invoice": ("invoices", "v1/billing/invoices", {"expand": "lines"}),
}
"""The records that OpenMeter can be asked for one by one: their stream, path and parameters."""

Read = tuple[Rows, tuple[Remark, ...]]


@dataclass(frozen=True)
class List:
    """One of OpenMeter's lists: how a page is asked for, and what its objects are in the books."""

    name: str
    ask: Callable[[str | None, datetime | None], Listing]
    read: Callable[[Sequence[Object], datetime | None], Read]

    def listing(self, token: str | None, since: datetime | None) -> Listing:
        """A page by its number or cursor."""
        return self.ask(token, since)

    def rows(self, objects: Sequence[Object], since: datetime | None) -> Read:
        """The rows of a page."""
        return self.read(objects, since)


@dataclass
class Lists:
    """Reads one OpenMeter. Remembers its meters, features and plans, and the prices of subscriptions' items."""

    api: JsonApi
    page_size: int = PAGE_SIZE
    meters: dict[str, Object] | None = field(default=None, init=False)
    features: dict[str, str | None] | None = field(default=None, init=False)
    plans: dict[str, Object | None] = field(default_factory=dict, init=False)
    priced: dict[str, str] = field(default_factory=dict, init=False)
    met: set[str] = field(default_factory=set, init=False)  # subscriptions whose items are in `priced`

    def fresh(self) -> Lists:
        """The same OpenMeter, nothing met yet."""
        return replace(self)

    def record(self, kind: str, id: str) -> tuple[str, Listing]:
        """A single record as it is now."""
        if kind not in RECORDS:
            raise ValueError(f"OpenMeter cannot be asked for one {kind}; it can for {', '.join(RECORDS)}.")
        name, path, asked = RECORDS[kind]
        answer = self.api.get(f"{path}/{quote(id, safe='')}", asked)
        shown = {"subscriptions": [answer.body]} if kind == "subscription" else answer.body
        return name, Listing([shown], answer.at)

    @property
    def streams(self) -> tuple[List, ...]:
        """Every list, what others refer to first. Subscriptions have none of their own: customers name theirs."""
        deleted = {"includeDeleted": "true"}
        customers = {**deleted, "expand": "subscriptions"}
        return (
            List("meters", self._meters, lambda found, since: each("meters", found, catalog.meter_rows)),
            List("plans", partial(self._page, "v1/plans", deleted), self._plan_rows),
            List("customers", partial(self._page, "v1/customers", deleted), _simply("customers", people.customer_rows)),
            List("subscriptions", partial(self._page, "v1/customers", customers), self._subscriptions),
            List("invoices", self._invoice_page, _simply("invoices", self.invoice)),
            List("entitlements", partial(self._page, "v2/entitlements", {}), _simply("entitlements", self.entitlement)),
            List("events", self._event_page, _simply("events", self.event)),
        )

    def _page(
        self, path: str, asked: Mapping[str, object], token: str | None, since: datetime | None = None
    ) -> Listing:
        """A numbered page. Some lists come whole as an array: they have one page."""
        number = int(token or 1)
        answer = self.api.get(path, {**asked, "page": number, "pageSize": self.page_size})
        if isinstance(answer.body, list):
            return Listing(answer.body, answer.at)
        found, total = entries(answer.body.get("items")), int(answer.body.get("totalCount") or 0)
        more = str(number + 1) if found and number * self.page_size < total else None
        return Listing(found, answer.at, more, number, self.page_size, total)

    def _meters(self, token: str | None, since: datetime | None) -> Listing:
        listing = self._page("v1/meters", {}, token)
        self.meters = {**(self.meters or {}), **{str(meter.get("slug")): meter for meter in listing.objects}}
        return listing

    def _plan_rows(self, objects: Sequence[Object], since: datetime | None) -> Read:
        self.plans |= {str(plan.get("id")): plan for plan in objects}
        rows, remarks = each("plans", objects, catalog.plan_rows)
        parts = [self._cards(plan) for plan in objects]
        return merged(rows, *(part for part, _ in parts)), remarks + tuple(m for _, more in parts for m in more)

    def _cards(self, plan: Object) -> Read:
        """The prices of a plan's rate cards."""
        cards = [{**card, "price_id": id} for id, card in catalog.rate_cards(plan).items()]
        return each(
            "rate cards",
            cards,
            lambda card: catalog.price_rows(card, card["price_id"], plan, str(plan["id"]), self._features()),
            "price_id",
        )

    def _subscriptions(self, objects: Sequence[Object], since: datetime | None) -> Read:
        """The subscriptions of customers, in full where they changed or may still change."""
        held = [subscription for customer in objects for subscription in entries(customer.get("subscriptions"))]
        alive = [one for one in held if since is None or one.get("status") != "inactive" or _changed(one, since)]
        return each("subscriptions", alive, self.subscription)

    def subscription(self, subscription: Object) -> Rows:
        """Rows of a subscription, and of the prices that are its own."""
        whole = self._whole(needed(subscription.get("id"), "subscription"))
        own = [item for item in people.items(whole) if self.priced.get(item["id"]) == item["id"]]
        prices = [catalog.price_rows(item, item["id"], whole, None, self._features()) for item in own]
        return merged(*prices, people.subscription_rows(whole, self.priced))

    def _whole(self, id: str) -> Object:
        """The subscription with its items, whose prices are the plan's unless they were changed for it."""
        whole: Object = self.api.get(f"v1/subscriptions/{quote(id, safe='')}").body
        cards = catalog.rate_cards(self._plan(nested(whole, "plan", "id")) or {"id": None})
        for phase in entries(whole.get("phases")):
            for item in people.items({"phases": [phase]}):
                card_id = f"{nested(whole, 'plan', 'id')}:{phase.get('key')}:{item.get('key')}"
                same = card_id in cards and _terms(cards[card_id]) == _terms(item)
                self.priced[item["id"]] = card_id if same else item["id"]
        self.met.add(id)
        return whole

    def invoice(self, invoice: Object) -> Rows:
        """Rows of an invoice."""
        for line in entries(invoice.get("lines")):
            id = nested(line, "subscription", "subscription", "id")
            if id and id not in self.met:
                self._whole(str(id))
        return bills.invoice_rows(invoice, self.priced)

    def _invoice_page(self, token: str | None, since: datetime | None) -> Listing:
        """From old to new, so that new ones come at the end; of changes from new to old, until they are old enough."""
        order = {"orderBy": "createdAt", "order": "ASC"} if since is None else {"orderBy": "updatedAt", "order": "DESC"}
        listing = self._page("v1/billing/invoices", {"expand": "lines", "includeDeleted": "true", **order}, token)
        if since is None or not listing.objects or _changed(listing.objects[-1], since):
            return listing
        new = [invoice for invoice in listing.objects if _changed(invoice, since)]
        return Listing(new, listing.at, None, listing.page, listing.size, listing.total)

    def _event_page(self, token: str | None, since: datetime | None) -> Listing:
        asked: dict[str, object] = {"limit": self.page_size, "cursor": token}
        if since:
            asked["filter"] = json.dumps({"ingestedAt": {"$gte": since.isoformat()}})
        answer = self.api.get("v2/events", asked)
        found, following = entries(answer.body.get("items")), answer.body.get("nextCursor")
        return Listing(found, answer.at, str(following) if following and found else None)

    def entitlement(self, entitlement: Object) -> Rows:
        """Rows of an entitlement."""
        return people.entitlement_rows(entitlement, self._features())

    def event(self, ingested: Object) -> Rows:
        """Rows of an event; its value is that of the meter which reads one from events of its type."""
        kind = nested(ingested, "event", "type")
        if self.meters is None:
            self._meters(None, None)
        reading = (
            meter.get("valueProperty") for meter in (self.meters or {}).values() if meter.get("eventType") == kind
        )
        return people.event_rows(ingested, next((str(found) for found in reading if found), None))

    def _features(self) -> Mapping[str, str | None]:
        """The meter of each feature; none where the feature counts only some of the meter's events."""
        if self.features is None:
            self.features, token = {}, None
            while True:
                listing = self._page("v1/features", {"includeArchived": "true"}, token)
                for feature in listing.objects:
                    part = feature.get("meterGroupByFilters") or feature.get("advancedMeterGroupByFilters")
                    self.features[str(feature.get("key"))] = None if part else feature.get("meterSlug")
                if (token := listing.following) is None:
                    break
        return self.features

    def _plan(self, id: object) -> Object | None:
        if id is None:
            return None
        if str(id) not in self.plans:
            try:
                self.plans[str(id)] = self.api.get(f"v1/plans/{quote(str(id), safe='')}").body
            except GoneError:
                self.plans[str(id)] = None
        return self.plans[str(id)]


def _simply(name: str, rows_of: Callable[[Object], Rows]) -> Callable[[Sequence[Object], datetime | None], Read]:
    return lambda objects, since: each(name, objects, rows_of)


def _changed(thing: Object, since: datetime) -> bool:
    at = instant(thing.get("updatedAt"))
    return at is None or at >= since


def _terms(card: Object) -> tuple[object, ...]:
    """What makes a price: two rate cards with the same terms are the same price."""
    return tuple(card.get(name) or None for name in ("price", "billingCadence", "discounts", "featureKey", "taxConfig"))


def about(told: Object) -> list[tuple[str, str]]:
    """The invoice of an invoice notification; the others say nothing about the books."""
    id = nested(told, "data", "id")
    return [("invoice", str(id))] if id and "invoice." in str(told.get("type")) else []
