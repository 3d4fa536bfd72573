"""Reads what a subscription has agreed to, beside what the catalogue asks today: plan versions, prices, own terms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from duckdb import DuckDBPyConnection

from web import lookups
from web.console import rows
from web.lookups import Row

_ON_SALE = """
    WITH newest AS (
        SELECT c.integration, c.plan_key, arg_max(c.plan_id, c.version) AS plan_id, max(c.version) AS version
        FROM books.plans AS c
        WHERE c.status = 'active' AND (c.effective_from IS NULL OR c.effective_from <= $now)
        GROUP BY ALL
    )"""


_OF_PRICE = ("price_name", "model", "currency", "unit_amount", "flat_amount", "payment_term", "meter_id", "meter_name",
             "plan_name", "plan_version", "plan_id")  # fmt: skip


@dataclass(frozen=True)
class Catalogue:
    """The plan version that is subscribed to, and the newest one on sale; None where the catalogue has none."""

    plan: Row | None
    newest: Row | None

    @property
    def is_newest(self) -> bool:
        """Whether nothing newer is on sale."""
        return not (self.plan and self.newest and self.newest["version"] > self.plan["version"])


def catalogue_of(books: DuckDBPyConnection, subscription: Mapping[str, Any], now: datetime) -> Catalogue:
    """The subscription's plan and the newest version of it that is on sale at `now`."""
    values = {"integration": subscription["integration"], "plan": subscription["plan_id"]}
    query = "SELECT * FROM books.plans WHERE integration = $integration AND plan_id = $plan"
    plans = rows(books, query, values) if subscription["plan_id"] else []
    if not plans:
        return Catalogue(None, None)
    query = f"""{_ON_SALE}
        SELECT p.* FROM newest AS n JOIN books.plans AS p USING (integration, plan_id)
        WHERE n.integration = $integration AND n.plan_key = $key"""
    values = {"integration": plans[0]["integration"], "key": plans[0]["plan_key"], "now": now.replace(tzinfo=None)}
    newest = rows(books, query, values)
    return Catalogue(plans[0], newest[0] if newest else None)


def items_of(books: DuckDBPyConnection, subscription: Mapping[str, Any]) -> list[Row]:
    """The subscription's items with their price, its meter, its plan's version, and terms of the customer's own.

    `own_rate`, `own_fee`: what a negotiated price replaces, where there is one.
    """
    integration = subscription["integration"]
    query = """
        SELECT * FROM books.subscription_items WHERE subscription_id = ? AND integration = ?
        ORDER BY active_to NULLS FIRST, active_from, item_id LIMIT 200"""
    items = rows(books, query, [subscription["subscription_id"], integration])
    prices = lookups.prices_of(books, items, integration)
    query = """
        SELECT price_id, override_id, unit_amount AS own_rate, flat_amount AS own_fee, valid_from, valid_to
        FROM books.price_overrides WHERE customer_id = ? AND integration = ? ORDER BY valid_from DESC"""
    own = rows(books, query, [subscription["customer_id"], integration])
    return [
        item
        | {name: prices.get(item["price_id"], {}).get(name) for name in _OF_PRICE}
        | {name: _own(item, own).get(name) for name in ("override_id", "own_rate", "own_fee")}
        for item in items
    ]


def _own(item: Row, overrides: Sequence[Row]) -> Row:
    """The newest negotiated price that held while the item was active."""
    held = (
        row
        for row in overrides
        if row["price_id"] == item["price_id"]
        and (item["active_to"] is None or row["valid_from"] <= item["active_to"])
        and (row["valid_to"] is None or row["valid_to"] > item["active_from"])
    )
    return next(held, {})


def moves_of(books: DuckDBPyConnection, subscription: Mapping[str, Any]) -> list[Row]:
    """The agreed moves of the subscription's plan from one version to another, the newest first."""
    return rows(
        books,
        """
        SELECT m.* FROM books.plan_migrations AS m
        JOIN books.plans AS p ON p.integration = m.integration AND p.plan_key = m.plan_key
        WHERE p.plan_id = $plan AND m.integration = $integration
            AND (m.customer_id IS NULL OR m.customer_id = $customer)
        ORDER BY m.effective_at DESC LIMIT 20""",
        {
            "plan": subscription["plan_id"],
            "integration": subscription["integration"],
            "customer": subscription["customer_id"],
        },
    )
