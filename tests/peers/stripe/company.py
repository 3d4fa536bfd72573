"""A whole company: rows of the books in, Stripe's objects out, with a note of what Stripe has no place for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from billing.books import BY_NAME
from tests.peers.stripe import catalog, credits, customers, invoices, payments, subscriptions
from tests.peers.stripe.books import HELD, Row, Rows
from tests.peers.stripe.numbers import UnheldError
from tests.peers.stripe.shapes import Object

T = TypeVar("T")


@dataclass
class Built:
    """Objects in the order of their making; what is left out of each unless asked; parts of lists within them."""

    objects: list[Object] = field(default_factory=list)
    hidden: dict[str, Object] = field(default_factory=dict)
    parts: dict[str, list[Object]] = field(default_factory=dict)
    unheld: list[tuple[str, str, str]] = field(default_factory=list)  # table, key, why


class Company:
    """The rows loaded so far, by key."""

    def __init__(self) -> None:
        self._rows: dict[str, dict[tuple[object, ...], Row]] = {table: {} for table in HELD}

    def add(self, rows: Rows) -> None:
        """Takes over rows; those whose key is known replace the earlier ones."""
        for table, added in rows.items():
            for row in added:
                self._rows[table][tuple(row.get(part) for part in BY_NAME[table].key)] = row

    def build(self, now: datetime) -> Built:
        """Every object, as things stand at `now`."""
        return _Builder({table: list(rows.values()) for table, rows in self._rows.items()}, now).build()


class _Builder:
    def __init__(self, rows: Rows, now: datetime) -> None:
        self.rows, self.now, self.built = rows, now, Built()

    def build(self) -> Built:
        for row in self.rows["meters"]:
            self._keep("meters", row, lambda row=row: self._add(catalog.meter(row)))
        self._add(*catalog.products(self.rows))
        prices = self._prices()
        discounts = self._discounts()
        self._customers(discounts)
        held = self._subscriptions(prices, discounts)
        self._invoices(held, prices)
        for row in self.rows["credit_notes"]:
            self._keep("credit_notes", row, lambda row=row: self._credit_note(row))
        for row in self.rows["payments"]:
            self._keep("payments", row, lambda row=row: self._add(*payments.payment(row)))
        meters = [str(row["meter_id"]) for row in self.rows["meters"]]
        for row in self.rows["credit_grants"]:
            self._keep("credit_grants", row, lambda row=row: self._add(credits.grant(row, meters)))
        for row in self.rows["credit_movements"]:
            self._keep("credit_movements", row, lambda row=row: self._add(credits.movement(row)))
        return self.built

    def _keep(self, table: str, row: Row, make: Callable[[], T]) -> T | None:
        try:
            return make()
        except UnheldError as error:
            key = "/".join(str(row.get(part)) for part in BY_NAME[table].key)
            self.built.unheld.append((table, key, str(error)))
            return None

    def _add(self, *objects: Object) -> None:
        self.built.objects += objects

    def _prices(self) -> dict[object, Object]:
        tiers = _by(self.rows["price_tiers"], "price_id")
        made: dict[object, Object] = {}
        for row in self.rows["prices"]:
            price = self._keep("prices", row, lambda row=row: catalog.price(row, tiers[row["price_id"]]))
            if price:
                made[row["price_id"]], self.built.hidden[str(row["price_id"])] = price
                self._add(price[0])
        return made

    def _discounts(self) -> list[Object]:
        made = []
        for row in self.rows["discounts"]:
            discount = self._keep("discounts", row, lambda row=row: customers.discount(row, self.now))
            if discount:
                self._add(*discount)
                made.append(discount[0])
        return made

    def _customers(self, discounts: list[Object]) -> None:
        own = {d["customer"]: d["id"] for d in discounts if not d["subscription"] and not d["subscription_item"]}
        for row in self.rows["customers"]:
            found = self._keep(
                "customers",
                row,
                lambda row=row: customers.customer(row, own.get(row["customer_id"])),  # type: ignore[arg-type]
            )
            if found:
                made, hidden, methods = found
                self._add(*methods, made)
                self.built.hidden[str(made["id"])] = hidden

    def _subscriptions(self, prices: dict[object, Object], discounts: list[Object]) -> dict[object, Object]:
        items = _by(self.rows["subscription_items"], "subscription_id")
        on = _by(discounts, "subscription")
        made: dict[object, Object] = {}
        for row in self.rows["subscriptions"]:
            own = row["subscription_id"]
            found = self._keep(
                "subscriptions",
                row,
                lambda row=row, own=own: subscriptions.subscription(row, items[own], prices, on[own], self.now),
            )
            if found:
                made[own], self.built.parts[str(own)] = found
                self._add(found[0], *found[1])
        return made

    def _invoices(self, held: dict[object, Object], prices: dict[object, Object]) -> None:
        lines = _by(self.rows["invoice_lines"], "invoice_id")
        for row in self.rows["invoices"]:
            made = self._keep(
                "invoices", row, lambda row=row: invoices.invoice(row, held.get(row.get("subscription_id")))
            )
            if made is None:
                continue
            self._add(made)
            self.built.parts[str(row["invoice_id"])] = [
                made_line
                for line in lines[row["invoice_id"]]
                if (made_line := self._keep("invoice_lines", line, lambda line=line, row=row: _line(line, row, prices)))
            ]

    def _credit_note(self, row: Row) -> None:
        made, lines = invoices.credit_note(row)
        self._add(made)
        self.built.parts[str(row["credit_note_id"])] = lines


def _line(line: Row, invoice: Row, prices: dict[object, Object]) -> Object:
    return invoices.line(line, invoice, prices.get(line.get("price_id")))


def _by(rows: list[Row], column: str) -> dict[object, list[Row]]:
    found: dict[object, list[Row]] = defaultdict(list)
    for row in rows:
        found[row.get(column)].append(row)
    return found
