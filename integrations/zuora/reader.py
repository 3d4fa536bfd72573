"""Zuora's lists (object queries), and what must be asked beside them: the catalogue, charges of superseded versions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from urllib.parse import quote
from zoneinfo import ZoneInfo

from integrations.json_api import GoneError
from integrations.objects import Object, Rows, entries, merged
from integrations.pages import Remark
from integrations.values import UnreadableError
from integrations.walk import Listing, each
from integrations.zuora import bills, catalog, people
from integrations.zuora.catalog import Charged
from integrations.zuora.oauth import Tenant

PAGE_SIZE = 50
"""The most objects that Zuora gives in a page."""

RECORDS = {
    "customer": "accounts",
    "subscription": "subscriptions",
    "bill_run": "billing-runs",
    "invoice": "invoices",
    "credit_note": "credit-memos",
    "payment": "payments",
}
"""The records that Zuora can be asked for one by one, with the list that they are of."""

EXPAND: Mapping[str, Sequence[str]] = {
    "product-rate-plans": ("productrateplancharges", "productrateplancharges.productrateplanchargetiers"),
    "accounts": ("billto", "defaultpaymentmethod"),
    "subscriptions": (
        "account",
        "rateplans",
        "rateplans.rateplancharges",
        "rateplans.rateplancharges.rateplanchargetiers",
    ),
    "rate-plan-charges": ("rateplanchargetiers",),
    "invoices": ("account", "invoiceitems"),
    "credit-memos": ("account", "creditmemoitems", "creditmemoapplications"),
    "payments": ("account", "paymentapplications"),
}
"""What comes with the objects of a list."""

PRORATION = "day"
Read = tuple[Rows, tuple[Remark, ...]]


@dataclass(frozen=True)
class List:
    """One of Zuora's lists."""

    lists: Lists
    name: str
    read: Callable[[Object], Rows]

    def listing(self, token: str | None, since: datetime | None) -> Listing:
        """A page behind a cursor that Zuora gave."""
        return self.lists.page(self.name, token, since)

    def rows(self, objects: Sequence[Object], since: datetime | None) -> Read:
        """The rows of a page."""
        return each(self.name, objects, self.read)


@dataclass(frozen=True)
class Catalogue:
    """The product rate plans: read whole every time, as a plan does not say when a tier of it changed."""

    lists: Lists
    name: str = "product-rate-plans"

    def listing(self, token: str | None, since: datetime | None) -> Listing:
        """A page behind a cursor that Zuora gave."""
        return self.lists.page(self.name, token, None)

    def rows(self, objects: Sequence[Object], since: datetime | None) -> Read:
        """The plans and prices of a page, each charge on its own."""
        plans, remarks = each(self.name, objects, lambda plan: catalog.plan_rows(plan, self.lists.zone))
        parts = [each("charges", catalog.charges_of(plan), self._price_rows(plan), "priceId") for plan in objects]
        return merged(plans, *(rows for rows, _ in parts)), remarks + tuple(one for _, more in parts for one in more)

    def _price_rows(self, plan: Object) -> Callable[[Object], Rows]:
        lasts = catalog.recurs(entries(plan.get("productRatePlanCharges"))) is not None
        return lambda charge: catalog.price_rows(
            charge, charge["priceId"], f"{plan['id']}/{charge['currency']}" if lasts else None, PRORATION
        )


@dataclass
class Lists:
    """Reads one tenant. Remembers the terms of its catalogue, and the charges that it has met."""

    tenant: Tenant
    zone: ZoneInfo
    page_size: int = PAGE_SIZE
    terms: dict[str, object] | None = field(default=None, init=False)
    charges: dict[str, Charged | None] = field(default_factory=dict, init=False)

    def fresh(self) -> Lists:
        """The same tenant, nothing met yet."""
        return replace(self)

    @property
    def streams(self) -> tuple[List | Catalogue, ...]:
        """Every list, what others refer to first."""
        return (
            Catalogue(self),
            List(self, "accounts", lambda thing: people.customer_rows(thing, self.zone)),
            List(self, "subscriptions", lambda thing: people.subscription_rows(thing, self.zone, self.charge)),
            List(self, "usages", lambda thing: people.usage_rows(thing, self.zone, self.charged)),
            List(self, "billing-runs", lambda thing: bills.run_rows(thing, self.zone)),
            List(self, "invoices", lambda thing: bills.invoice_rows(thing, self.zone, self.charged)),
            List(self, "credit-memos", lambda thing: bills.memo_rows(thing, self.zone)),
            List(self, "payments", lambda thing: bills.payment_rows(thing, self.zone)),
        )

    def page(self, name: str, token: str | None, since: datetime | None) -> Listing:
        """A page of what was updated since, the oldest first: what changes meanwhile moves behind, and is met again."""
        asked: dict[str, object] = {"pageSize": min(self.page_size, PAGE_SIZE), "cursor": token}
        asked |= {"sort[]": "updateddate.ASC", "expand[]": EXPAND.get(name)}
        if since:
            asked["filter[]"] = f"updateddate.GT:{since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
        answer = self.tenant.get(f"object-query/{name}", asked)
        found, following = entries(answer.body), answer.body.get("nextPage")
        return Listing(found, answer.at, str(following) if following and found else None)

    def record(self, kind: str, id: str) -> tuple[str, Listing]:
        """A single record as it is now."""
        if kind not in RECORDS:
            raise ValueError(f"Zuora cannot be asked for one {kind}; it can for {', '.join(RECORDS)}.")
        name = RECORDS[kind]
        answer = self.tenant.get(f"object-query/{name}/{quote(id, safe='')}", {"expand[]": EXPAND.get(name)})
        return name, Listing([answer.body], answer.at)

    def charge(self, charge: Object) -> Rows:
        """Rows of a charge of a subscription, which is remembered."""
        made, rows = people.item_rows(charge, self.zone, PRORATION, self.price_of)
        self.charges[str(charge.get("id"))] = made
        return rows

    def charged(self, id: object) -> Charged:
        """The charge of an id; one of a superseded version of a subscription is asked for. Raises UnreadableError."""
        key = str(id)
        if key not in self.charges:
            self.charges[key] = None
            try:
                place = f"object-query/rate-plan-charges/{quote(key, safe='')}"
                charge = self.tenant.get(place, {"expand[]": EXPAND["rate-plan-charges"]}).body
                self.charge({**charge, "currency": entries(charge.get("ratePlanChargeTiers"))[0]["currency"]})
            except (GoneError, ValueError, KeyError, IndexError):
                pass  # stays None: what names it says so
        found = self.charges[key]
        if found is None:
            raise UnreadableError(f"its charge {key} cannot be read")
        return found

    def price_of(self, own: Rows, charge: Object) -> str | None:
        """The catalogue's price of a charge when its terms are the same."""
        price_id = f"{charge.get('productRatePlanChargeId')}/{charge.get('currency')}"
        return price_id if self._terms().get(price_id) == catalog.terms(own) else None

    def _terms(self) -> Mapping[str, object]:
        """The terms of every price of the catalogue that can be read."""
        if self.terms is None:
            self.terms, token, whole = {}, None, Catalogue(self)
            while True:
                listing = whole.listing(token, None)
                rows, _ = whole.rows(listing.objects, None)
                tiers = rows.get("price_tiers", [])
                for row in rows.get("prices", []):
                    own = [tier for tier in tiers if tier["price_id"] == row["price_id"]]
                    self.terms[str(row["price_id"])] = catalog.terms({"prices": [row], "price_tiers": own})
                if (token := listing.following) is None:
                    break
        return self.terms
