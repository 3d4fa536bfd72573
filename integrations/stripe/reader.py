"""From objects of one Stripe account to rows, asking Stripe for what a list leaves out.

An object that cannot be read is skipped with its reason and never stops the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Any

from integrations.pages import Remark
from integrations.stripe import catalog, credits, customers, payments, schedules, subscriptions
from integrations.stripe.api import Api, GoneError
from integrations.stripe.catalog import Catalog, PriceFacts, price_in
from integrations.stripe.customers import customer_rows
from integrations.stripe.invoices import credit_note_rows, invoice_rows
from integrations.stripe.objects import Object, Rows, entries, ident, merged, needed, nested
from integrations.stripe.payments import disputed, intent_rows, invoice_payment_rows, undisputed
from integrations.stripe.recorded import recorded_rows, summed
from integrations.stripe.subscriptions import discount_rows, subscription_rows

EXPAND: Mapping[str, tuple[str, ...]] = {
    "prices": catalog.PRICE_EXPAND,
    "customers": customers.EXPAND,
    "subscriptions": subscriptions.EXPAND,
    "invoice_payments": payments.INVOICE_PAYMENT_EXPAND,
    "payment_intents": payments.INTENT_EXPAND,
    schedules.SCHEDULES: schedules.EXPAND,
}
"""What the objects of a list must be asked with, by the path of the list."""

_LEDGERS_OF = frozenset({"customers", "invoices", credits.GRANTS})
"""Lists whose objects show that a ledger is in use."""


@dataclass
class Reader:
    """Reads one account. Remembers the prices and ledgers it has met."""

    api: Api
    reads_recorded: bool = False  # whether the books get what meters recorded
    catalog: Catalog = field(default_factory=Catalog)
    _ledgers: set[str] = field(default_factory=set)  # customers whose ledger was read

    def fresh(self) -> Reader:
        """A reader of the same account that has met nothing yet."""
        return Reader(self.api, self.reads_recorded)

    def read(self, path: str, objects: Iterable[Object]) -> tuple[Rows, tuple[Remark, ...]]:
        """The rows of objects of the list at a path, and a remark for each that cannot be read."""
        return self.each(path, objects, self._mappers[path])

    def read_with_ledgers(
        self, path: str, objects: Sequence[Object], *, again: bool = False
    ) -> tuple[Rows, tuple[Remark, ...]]:
        """As `read`, with the ledgers of the customers whose balance or credits the objects show in use.

        `again`: also ledgers read before.
        """
        rows, remarks = self.read(path, objects)
        ledgers, more = self.ledgers(objects if path in _LEDGERS_OF else (), again=again)
        in_grants = {row["customer_id"] for row in ledgers.get("credit_movements", []) if row["grant_id"]}
        for row in rows.get("customers", []):
            if row["customer_id"] in in_grants:
                row["credit_balance"] = None
        return merged(rows, ledgers), remarks + more

    def each(
        self, kind: str, objects: Iterable[Object], rows_of: Callable[[Object], Rows]
    ) -> tuple[Rows, tuple[Remark, ...]]:
        """The rows that `rows_of` makes of each object, and a remark for each of which it cannot make any."""
        parts: list[Rows] = []
        remarks = []
        for thing in objects:
            try:
                parts.append(rows_of(thing))
            except (GoneError, ValueError, KeyError, TypeError, AttributeError) as error:
                remarks.append(Remark(kind, str(thing.get("id")), _reason(error)))
        return merged(*parts), tuple(remarks)

    @property
    def _mappers(self) -> Mapping[str, Callable[[Object], Rows]]:
        return {
            "billing/meters": catalog.meter_rows,
            "prices": self.price,
            "customers": self.customer,
            "subscriptions": self.subscription,
            "invoices": self.invoice,
            "credit_notes": self.credit_note,
            "invoice_payments": self.invoice_payment,
            "payment_intents": self.payment_intent,
            credits.GRANTS: self.grant,
            schedules.SCHEDULES: lambda schedule: schedules.scheduled_rows(schedule, self.price_in),
        }

    def price(self, price: Object) -> Rows:
        """Rows of a price asked for with its tiers and product."""
        self.catalog.learn(price)
        return catalog.price_rows(price)

    def customer(self, customer: Object) -> Rows:
        """Rows of a customer, with all tax ids."""
        if nested(customer, "tax_ids", "has_more"):
            customer = {**customer, "tax_ids": self._whole("customers", customer, "tax_ids")}
        return customer_rows(customer)

    def subscription(self, subscription: Object) -> Rows:
        """Rows of a subscription, with all items and their discounts."""
        items = self._items(subscription)
        rows = subscription_rows(subscription, items, self.catalog)
        listed = schedules.planned_rows(
            subscription, rows["subscription_items"], subscription.get("schedule"), self.price_in
        )
        rows["subscription_items"] = listed
        return merged(rows, *(self._item_discounts(item) for item in items if item.get("discounts")))

    def invoice(self, invoice: Object) -> Rows:
        """Rows of an invoice, with all lines, and of what was recorded for its usage lines."""
        rows = invoice_rows(invoice, self._lines("invoices", invoice), self.facts)
        if not self.reads_recorded:
            return rows
        recorded = recorded_rows(invoice, rows["invoice_lines"], self._meter_of, self._counted)
        return merged(rows, {"reported_usage": recorded}) if recorded else rows

    def credit_note(self, note: Object) -> Rows:
        """Rows of a credit note, with all lines."""
        return credit_note_rows(note, self._lines("credit_notes", note))

    def invoice_payment(self, linked: Object) -> Rows:
        """Rows of an invoice payment. Of one made outside Stripe only its invoice knows the customer."""
        if nested(linked, "payment", "type") == "payment_record":
            again = self.api.get("invoice_payments", needed(linked.get("id"), "payment"), expand=["invoice"])
            linked = again[0] if again else linked
        made_by = linked.get("payment") or {}
        intent = made_by.get("payment_intent")
        if isinstance(intent, dict):
            linked = {**linked, "payment": {**made_by, "payment_intent": self._settled(intent)}}
        return invoice_payment_rows(linked)

    def payment_intent(self, intent: Object) -> Rows:
        """Rows of a payment without an invoice."""
        return intent_rows(self._settled(intent))

    def _settled(self, intent: Object) -> Object:
        """The payment intent as it stands when disputes that were won are over: a charge stays disputed forever."""
        if not disputed(intent):
            return intent
        return undisputed(intent, self._all("disputes", payment_intent=needed(intent.get("id"), "payment")))

    def grant(self, grant: Object) -> Rows:
        """Rows of a credit grant."""
        return credits.grant_rows(grant, self._meters, self.api.answered)

    def ledgers(self, objects: Iterable[Object], *, again: bool = False) -> tuple[Rows, tuple[Remark, ...]]:
        """The ledgers of the customers whose balance or credits the objects show in use, each read once.

        `again`: also those read before. A customer who is gone has none.
        """
        owners = [owner for owner in credits.touched(objects) if again or owner not in self._ledgers]
        self._ledgers.update(owners)
        return self.each("customers", [{"id": owner} for owner in owners], lambda owner: self._ledger(str(owner["id"])))

    def _ledger(self, customer_id: str) -> Rows:
        of_credits = self._all(credits.TRANSACTIONS, customer=customer_id)
        if of_credits:
            return credits.credit_rows(customer_id, of_credits)
        try:
            of_balance = self._all(f"customers/{customer_id}/balance_transactions")
        except GoneError:
            return {}
        return credits.balance_rows(customer_id, of_balance)

    @cached_property
    def _meters(self) -> list[str]:
        return [str(meter["id"]) for meter in self._all("billing/meters")]

    def _meter_of(self, price_id: str) -> str | None:
        how = self.facts(price_id.partition("/")[0])
        return how.meter if how else None

    def _counted(self, meter: str, customer: str, start: int, end: int) -> Decimal | None:
        """What the meter counted; None where meter or customer are gone."""
        try:
            found = self._all(
                f"billing/meters/{meter}/event_summaries", customer=customer, start_time=start, end_time=end
            )
        except GoneError:
            return None
        return summed(found)

    def price_in(self, price_id: str, code: str) -> str:
        """The id of the row of `prices` that holds the price in the currency."""
        return price_in(price_id, self.facts(price_id), code)

    def facts(self, price_id: str) -> PriceFacts | None:
        """What the price's lines must know of it; asks Stripe for one not met before. None when it is gone."""
        if price_id not in self.catalog.facts:
            found = self.api.get("prices", price_id)
            if found:
                self.catalog.learn(found[0])
        return self.catalog.facts.get(price_id)

    def _items(self, subscription: Object) -> list[Object]:
        listed = subscription.get("items") or {}
        if not listed.get("has_more"):
            return entries(listed)
        return self._all("subscription_items", subscription=subscription["id"])

    def _item_discounts(self, item: Object) -> Rows:
        found = self.api.get("subscription_items", needed(item.get("id"), "item"), expand=["discounts.source.coupon"])
        return merged(*(discount_rows(discount) for discount in entries(found[0].get("discounts")))) if found else {}

    def _lines(self, path: str, whole: Object) -> list[Object]:
        listed = whole.get("lines") or {}
        return self._whole(path, whole, "lines") if listed.get("has_more") else entries(listed)

    def _whole(self, path: str, whole: Object, part: str) -> list[Object]:
        """All entries of a list within an object."""
        return self._all(f"{path}/{needed(whole.get('id'), 'object')}/{part}")

    def _all(self, path: str, **params: Any) -> list[Object]:
        return [entry for listing in self.api.pages(path, **params) for entry in listing.objects]


@dataclass
class Products:
    """The prices of each product, while the list of prices goes by."""

    reader: Reader
    products: dict[str, Object] = field(default_factory=dict)
    prices: dict[str, list[Object]] = field(default_factory=dict)

    def add(self, prices: Iterable[Object]) -> None:
        """Takes note of prices that were asked for with their product."""
        for price in prices:
            product = price.get("product")
            product_id = ident(product)
            if isinstance(product, dict) and product_id:
                self.products[product_id] = product
                kept = ("id", "created", "currency", "recurring")
                self.prices.setdefault(product_id, []).append({name: price.get(name) for name in kept})

    def plans(self) -> tuple[Rows, tuple[Remark, ...]]:
        """Rows of `plans` for the products noted."""
        return self.reader.each(
            "products", self.products.values(), lambda product: catalog.plan_rows(product, self.prices[product["id"]])
        )


def _reason(error: Exception) -> str:
    if isinstance(error, GoneError):
        return "it was deleted while it was read"
    return f"it has no {error}" if isinstance(error, KeyError) else str(error)
