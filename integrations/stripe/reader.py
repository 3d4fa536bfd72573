"""From objects of one Stripe account to rows, asking Stripe for what a list leaves out.

An object that cannot be read is skipped with its reason and never stops the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from integrations.pages import Remark
from integrations.stripe import catalog, customers, payments, subscriptions
from integrations.stripe.api import Api, GoneError
from integrations.stripe.catalog import Catalog, PriceFacts
from integrations.stripe.customers import customer_rows
from integrations.stripe.invoices import credit_note_rows, invoice_rows
from integrations.stripe.objects import Object, Rows, entries, ident, merged, needed, nested
from integrations.stripe.payments import intent_rows, invoice_payment_rows
from integrations.stripe.subscriptions import discount_rows, subscription_rows

EXPAND: Mapping[str, tuple[str, ...]] = {
    "prices": catalog.PRICE_EXPAND,
    "customers": customers.EXPAND,
    "subscriptions": subscriptions.EXPAND,
    "invoice_payments": payments.INVOICE_PAYMENT_EXPAND,
    "payment_intents": payments.INTENT_EXPAND,
}
"""What the objects of a list must be asked with, by the path of the list."""


@dataclass
class Reader:
    """Reads one account. Remembers the prices it has met."""

    api: Api
    catalog: Catalog = field(default_factory=Catalog)

    def fresh(self) -> Reader:
        """A reader of the same account that has met nothing yet."""
        return Reader(self.api)

    def read(self, path: str, objects: Iterable[Object]) -> tuple[Rows, tuple[Remark, ...]]:
        """The rows of objects of the list at a path, and a remark for each that cannot be read."""
        return self.each(path, objects, self._mappers[path])

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
            "payment_intents": intent_rows,
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
        return merged(rows, *(self._item_discounts(item) for item in items if item.get("discounts")))

    def invoice(self, invoice: Object) -> Rows:
        """Rows of an invoice, with all lines."""
        return invoice_rows(invoice, self._lines("invoices", invoice), self.facts)

    def credit_note(self, note: Object) -> Rows:
        """Rows of a credit note, with all lines."""
        return credit_note_rows(note, self._lines("credit_notes", note))

    def invoice_payment(self, linked: Object) -> Rows:
        """Rows of an invoice payment. Of one made outside Stripe only its invoice knows the customer."""
        if nested(linked, "payment", "type") == "payment_record":
            again = self.api.get("invoice_payments", needed(linked.get("id"), "payment"), expand=["invoice"])
            linked = again[0] if again else linked
        return invoice_payment_rows(linked)

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
        pages = self.api.pages("subscription_items", subscription=subscription["id"])
        return [item for listing in pages for item in listing.objects]

    def _item_discounts(self, item: Object) -> Rows:
        found = self.api.get("subscription_items", needed(item.get("id"), "item"), expand=["discounts.source.coupon"])
        return merged(*(discount_rows(discount) for discount in entries(found[0].get("discounts")))) if found else {}

    def _lines(self, path: str, whole: Object) -> list[Object]:
        listed = whole.get("lines") or {}
        return self._whole(path, whole, "lines") if listed.get("has_more") else entries(listed)

    def _whole(self, path: str, whole: Object, part: str) -> list[Object]:
        """All entries of a list within an object."""
        pages = self.api.pages(f"{path}/{needed(whole.get('id'), 'object')}/{part}")
        return [entry for listing in pages for entry in listing.objects]


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
