"""Lago's lists, and what must be asked beside them: fees of an invoice, the plan of a subscription."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from urllib.parse import quote

from integrations.json_api import GoneError, JsonApi
from integrations.lago import bills, catalog, people
from integrations.lago.terms import customer_of
from integrations.objects import Object, Rows, entries, merged, needed
from integrations.pages import Remark
from integrations.values import instant, moment
from integrations.walk import Listing, each

PAGE_SIZE = 100

SUBSCRIPTIONS = {"status[]": ["pending", "active", "terminated", "canceled", "incomplete"]}
"""Without a status Lago lists active subscriptions only."""

RECORDS = {"customer": "customers", "invoice": "invoices", "credit_note": "credit_notes", "payment": "payments"}
"""The records that Lago can be asked for one by one, with the path of their list."""

SUBSCRIPTIONS_OF = "customer_subscriptions"
"""All subscriptions of one customer: Lago lists them by the customer's id only."""

RowsOf = Callable[[Object], Rows]


@dataclass(frozen=True)
class List:
    """One of Lago's lists: where its objects are, and what they are in the books."""

    lists: Lists
    name: str
    read: Callable[[Sequence[Object], datetime | None], tuple[Rows, tuple[Remark, ...]]]
    asked: Callable[[datetime | None], Mapping[str, object]] = lambda since: {}

    def listing(self, token: str | None, since: datetime | None) -> Listing:
        """A page by its number."""
        return self.lists.page(self.name, token, self.asked(since))

    def rows(self, objects: Sequence[Object], since: datetime | None) -> tuple[Rows, tuple[Remark, ...]]:
        """The rows of a page."""
        return self.read(objects, since)


@dataclass(frozen=True)
class OfCustomers(List):
    """A list that Lago gives for one customer at a time; its pages are those of the customers."""

    def listing(self, token: str | None, since: datetime | None) -> Listing:
        """What the customers of a page have."""
        owners = self.lists.page("customers", token, {})
        found = [thing for owner in owners.objects for thing in self._of(str(owner.get("external_id")))]
        return replace(owners, objects=found)

    def _of(self, customer: str) -> Iterator[Object]:
        token: str | None = None
        while True:
            listing = self.lists.page(self.name, token, {"external_customer_id": customer})
            yield from listing.objects
            if (token := listing.following) is None:
                return


@dataclass
class Lists:
    """Reads one organization. Remembers the customers, plans and metrics it has met."""

    api: JsonApi
    page_size: int = PAGE_SIZE
    events_days: int = 3
    metrics: dict[str, Object | None] = field(default_factory=dict, init=False)
    plans: dict[str, Object | None] = field(default_factory=dict, init=False)
    customers: dict[str, Object] = field(default_factory=dict, init=False)
    billed: dict[str, str] = field(default_factory=dict, init=False)  # the customer of each invoice met
    at: datetime | None = field(default=None, init=False)  # of the page that is read

    def fresh(self) -> Lists:
        """The same organization, nothing met yet."""
        return replace(self)

    @property
    def streams(self) -> tuple[List, ...]:
        """Every list, what others refer to first."""
        return (
            List(self, "billable_metrics", self._each("billable_metrics", self.metric)),
            List(self, "plans", self._plans),
            List(self, "customers", self._each("customers", self.customer)),
            List(self, "subscriptions", self._subscriptions, lambda since: SUBSCRIPTIONS),
            List(self, "applied_coupons", self._each("applied_coupons", people.coupon_rows)),
            List(self, "invoices", self._invoices),
            List(self, "credit_notes", self._each("credit_notes", self.credit_note)),
            List(self, "payments", self._each("payments", bills.payment_rows)),
            OfCustomers(self, "wallets", self._each("wallets", self.wallet)),
            List(self, "events", self._each("events", self.event), self._recent),
        )

    def page(self, name: str, token: str | None, asked: Mapping[str, object]) -> Listing:
        """A page of a list. Raises SourceError."""
        answer = self.api.get(name, {**asked, "page": token or 1, "per_page": self.page_size})
        meta = answer.body.get("meta") or {}
        following, number = meta.get("next_page"), int(meta.get("current_page") or token or 1)
        self.at = answer.at
        found = list(answer.body.get(name.rsplit("/", 1)[-1]) or [])
        is_other = number < int(token or 1)  # whoever gives an earlier page than was asked for has no more
        more = None if following is None or not found or is_other else str(following)
        return Listing(found, answer.at, more, number, self.page_size, meta.get("total_count"))

    def record(self, kind: str, id: str) -> tuple[str, Listing]:
        """A single record as it is now. Subscriptions are told apart by Lago's own id, which it cannot be asked for."""
        if kind == "subscription":
            return "subscriptions", self._found(lambda one: one.get("lago_id") == id, {})
        if kind == SUBSCRIPTIONS_OF:
            return "subscriptions", self._found(lambda one: True, {"external_customer_id": id})
        if kind not in RECORDS:
            can = ", ".join((*RECORDS, "subscription"))
            raise ValueError(f"Lago cannot be asked for one {kind}; it can for {can}.")
        answer = self.api.get(f"{RECORDS[kind]}/{quote(id, safe='')}")
        self.at = answer.at
        return RECORDS[kind], Listing([answer.body[kind]], answer.at)

    def _found(self, wanted: Callable[[Object], bool], asked: Mapping[str, object]) -> Listing:
        """The subscriptions that are wanted among those that are listed. Raises GoneError when there is none."""
        found: list[Object] = []
        token = None
        while True:
            listing = self.page("subscriptions", token, {**SUBSCRIPTIONS, **asked})
            found += [one for one in listing.objects if wanted(one)]
            if (token := listing.following) is None:
                break
        if not found:
            raise GoneError("Lago has no such subscription.", permanent=True)
        return Listing(found, listing.at)

    def _each(
        self, name: str, rows_of: RowsOf
    ) -> Callable[[Sequence[Object], datetime | None], tuple[Rows, tuple[Remark, ...]]]:
        return lambda objects, since: each(name, objects, rows_of, "lago_id")

    def metric(self, metric: Object) -> Rows:
        """Rows of a billable metric."""
        self.metrics[str(metric.get("code"))] = metric
        return catalog.meter_rows(metric)

    def customer(self, customer: Object) -> Rows:
        """Rows of a customer."""
        self.customers[str(customer.get("external_id"))] = customer
        return people.customer_rows(customer)

    def _plans(self, objects: Sequence[Object], since: datetime | None) -> tuple[Rows, tuple[Remark, ...]]:
        self.plans |= {str(plan.get("code")): plan for plan in objects}
        rows, remarks = each("plans", objects, catalog.plan_rows, "code")
        parts = [self._parts(plan) for plan in objects]
        return merged(rows, *(part for part, _ in parts)), remarks + tuple(m for _, more in parts for m in more)

    def _parts(self, plan: Object) -> tuple[Rows, tuple[Remark, ...]]:
        """The prices of a plan's charges and fixed charges."""
        charges, said = each("charges", entries(plan.get("charges")), partial(self._charge, plan), "lago_id")
        fixed, more = each(
            "fixed_charges", entries(plan.get("fixed_charges")), lambda f: catalog.fixed_rows(f, plan), "lago_id"
        )
        return merged(charges, fixed), said + more

    def _charge(self, plan: Object, charge: Object) -> Rows:
        metric = self._metric(str(charge.get("billable_metric_code"))) or {}
        to_whole = not int(str(metric.get("rounding_precision") or 0))
        rounding = metric.get("rounding_function")
        if rounding and not to_whole:
            raise ValueError("its metric is rounded to places, which the books do not know")
        return catalog.charge_rows(charge, plan, None if rounding is None else str(rounding))

    def _subscriptions(self, objects: Sequence[Object], since: datetime | None) -> tuple[Rows, tuple[Remark, ...]]:
        """Subscriptions that ended before `since` do not change any more."""
        ended = {id(thing): instant(thing.get("terminated_at")) for thing in objects}
        alive = [thing for thing in objects if not (since and (at := ended[id(thing)]) and at < since)]
        at = self.at or moment(None)
        return each("subscriptions", alive, lambda subscription: self.subscription(subscription, at), "lago_id")

    def subscription(self, subscription: Object, at: datetime) -> Rows:
        """Rows of a subscription, and of the prices that were negotiated for it."""
        plan = self.plan_of(subscription)
        if plan is None:
            raise ValueError(f"its plan {subscription.get('plan_code')} is gone")
        customer = self._customer(needed(customer_of(subscription), "customer"))
        rows = people.subscription_rows(subscription, customer, plan, at)
        listed = self.plans.get(str(plan.get("code"))) or {}
        own = {part["lago_id"] for part in entries(plan.get("charges"))} - {
            part["lago_id"] for part in entries(listed.get("charges"))
        }
        return merged(rows, self._parts(plan)[0]) if own else rows

    def plan_of(self, subscription: Object) -> Object | None:
        """A subscription's own plan. Subscriptions with one external id follow each other; only one is told in full."""
        external, code = str(subscription.get("external_id")), str(subscription.get("plan_code"))
        key = f"{subscription.get('lago_id')}"
        if key not in self.plans:
            status = subscription.get("status")
            try:
                asked = {"status": status} if status else None
                found = self.api.get(f"subscriptions/{quote(external, safe='')}", asked).body.get("subscription") or {}
            except GoneError:
                found = {}
            same = found.get("lago_id") == subscription.get("lago_id")
            self.plans[key] = (found.get("plan") if same else None) or self._plan(code)
        return self.plans[key]

    def _invoices(self, objects: Sequence[Object], since: datetime | None) -> tuple[Rows, tuple[Remark, ...]]:
        """Only an invoice that changed since then is asked for its fees."""
        self.billed |= {str(invoice.get("lago_id")): name for invoice in objects if (name := customer_of(invoice))}
        changed = [invoice for invoice in objects if since is None or _since(invoice, since)]
        return each("invoices", changed, self.invoice, "lago_id")

    def invoice(self, invoice: Object) -> Rows:
        """Rows of an invoice, with its fees."""
        whole = invoice if "fees" in invoice else self._get("invoices", needed(invoice.get("lago_id"), "invoice"))
        return bills.invoice_rows(whole, self.plan_of)

    def credit_note(self, note: Object) -> Rows:
        """Rows of a credit note; its customer, where it does not say so, is its invoice's."""
        if customer_of(note) is None:
            invoice_id = str(note.get("lago_invoice_id"))
            if invoice_id not in self.billed:
                self.billed[invoice_id] = needed(customer_of(self._get("invoices", invoice_id)), "customer")
            note = {**note, "external_customer_id": self.billed[invoice_id]}
        return bills.credit_note_rows(note)

    def wallet(self, wallet: Object) -> Rows:
        """Rows of the credits that came into a wallet."""
        id, token, parts = needed(wallet.get("lago_id"), "wallet"), None, []
        while True:
            listing = self.page(f"wallets/{id}/wallet_transactions", token, {})
            parts += [people.grant_rows(transaction, wallet) for transaction in listing.objects]
            if (token := listing.following) is None:
                return merged(*parts)

    def event(self, event: Object) -> Rows:
        """Rows of an event."""
        return bills.event_rows(event, self._metric(str(event.get("code"))))

    def _recent(self, since: datetime | None) -> Mapping[str, object]:
        return {} if since is None else {"timestamp_from": (since - timedelta(days=self.events_days)).isoformat()}

    def _metric(self, code: str) -> Object | None:
        return self._kept(self.metrics, code, "billable_metrics")

    def _plan(self, code: str) -> Object | None:
        return self._kept(self.plans, code, "plans")

    def _kept(self, kept: dict[str, Object | None], code: str, path: str) -> Object | None:
        if code not in kept:
            try:
                kept[code] = self._get(path, code)
            except GoneError:
                kept[code] = None
        return kept[code]

    def _customer(self, external_id: str) -> Object:
        if external_id not in self.customers:
            self.customers[external_id] = self._get("customers", external_id)
        return self.customers[external_id]

    def _get(self, path: str, id: str) -> Object:
        found: Object = self.api.get(f"{path}/{quote(id, safe='')}").body[path.removesuffix("s")]
        return found


def _since(thing: Object, since: datetime) -> bool:
    changed = instant(thing.get("updated_at"))
    return changed is None or changed >= since


def about(told: Object) -> list[tuple[str, str]]:
    """What a webhook is about, as `Lists.record` is asked for it."""
    kind = str(told.get("object_type"))
    thing = told.get(kind)
    if not isinstance(thing, dict):
        return []
    if kind == "subscription":
        named = SUBSCRIPTIONS_OF, thing.get("external_customer_id")
    else:
        named = kind, thing.get("external_id" if kind == "customer" else "lago_id")
    return [(named[0], str(named[1]))] if named[1] and (kind == "subscription" or kind in RECORDS) else []
