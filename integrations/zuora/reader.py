"""Zuora's lists (object queries), and what must be asked beside them: the catalogue, charges of superseded versions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from urllib.parse import quote
from zoneinfo import ZoneInfo

from integrations.json_api import GoneError
from integrations.objects import Object, Rows, entries, merged, needed
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
Read = Callable[[Object], Rows]


@dataclass(frozen=True)
class Parts:
    """What the objects of a list consist of: each part is read on its own, so that an odd one costs no other."""

    of: Callable[[Object], list[Object]]
    read: Read
    key: str  # the field that a part is called by


@dataclass(frozen=True)
class List:
    """One of Zuora's lists. One that is `whole` is read from its beginning every time."""

    lists: Lists
    name: str
    read: Read
    parts: Parts | None = None
    whole: bool = False

    def listing(self, token: str | None, since: datetime | None) -> Listing:
        """A page behind a cursor that Zuora gave."""
        return self.lists.page(self.name, token, None if self.whole else since)

    def rows(self, objects: Sequence[Object], since: datetime | None = None) -> tuple[Rows, tuple[Remark, ...]]:
        """The rows of a page."""
        made: list[Rows] = []
        remarks: list[Remark] = []
        for thing in objects:
            rows, odd = each(self.name, [thing], self.read)
            made.append(rows)
            remarks += odd
            if self.parts and not odd:
                rows, odd = each("charges", self.parts.of(thing), self.parts.read, self.parts.key)
                made.append(rows)
                remarks += odd
        return merged(*made), tuple(remarks)


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
    def streams(self) -> tuple[List, ...]:
        """Every list, what others refer to first."""
        return (
            self.catalogue,
            List(self, "accounts", lambda thing: people.customer_rows(thing, self.zone)),
            List(
                self,
                "subscriptions",
                lambda thing: people.subscription_rows(thing, self.zone),
                Parts(people.charges_of, self.charge, "chargeNumber"),
            ),
            List(self, "usages", lambda thing: people.usage_rows(thing, self.zone, self.charged)),
            List(self, "billing-runs", lambda thing: bills.run_rows(thing, self.zone)),
            List(self, "invoices", self.invoice),
            List(self, "credit-memos", lambda thing: bills.memo_rows(thing, self.zone)),
            List(self, "payments", lambda thing: bills.payment_rows(thing, self.zone)),
        )

    @property
    def catalogue(self) -> List:
        """The product rate plans: whole, as a plan does not say when a price of it changed."""
        return List(
            self,
            "product-rate-plans",
            lambda plan: catalog.plan_rows(plan, self.zone),
            Parts(
                catalog.charges_of,
                lambda charge: catalog.price_rows(charge, charge["priceId"], charge["planId"], PRORATION),
                "priceId",
            ),
            whole=True,
        )

    def page(self, name: str, token: str | None, since: datetime | None, only: str | None = None) -> Listing:
        """A page of what was updated since, the oldest first: what changes meanwhile moves behind, and is met again.

        `only`: a filter beside that.
        """
        asked: dict[str, object] = {"pageSize": min(self.page_size, PAGE_SIZE), "cursor": token}
        asked |= {"sort[]": "updateddate.ASC", "expand[]": EXPAND.get(name), "filter[]": only}
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

    def invoice(self, invoice: Object) -> Rows:
        """Rows of an invoice. Where the items that came with it do not add up to it, all of them are asked for."""
        if not bills.adds_up(invoice):
            only = f"invoiceid.EQ:{needed(invoice.get('id'), 'invoice')}"
            invoice = {**invoice, "invoiceItems": list(self.each_of("invoice-items", only))}
        return bills.invoice_rows(invoice, self.zone, self.charged)

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
            rows, _ = self.catalogue.rows(list(self.each_of(self.catalogue.name)))
            tiers = rows.get("price_tiers", [])
            self.terms = {}
            for row in rows.get("prices", []):
                own = [tier for tier in tiers if tier["price_id"] == row["price_id"]]
                self.terms[str(row["price_id"])] = catalog.terms({"prices": [row], "price_tiers": own})
        return self.terms

    def each_of(self, name: str, only: str | None = None) -> Iterator[Object]:
        """Every object of a list, or those that a filter lets through."""
        listing = self.page(name, None, None, only)
        yield from listing.objects
        while listing.following is not None:
            listing = self.page(name, listing.following, None, only)
            yield from listing.objects
