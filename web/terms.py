"""Reads what a subscription has agreed to, beside what the catalogue asks today: plan versions, prices, own terms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from duckdb import DuckDBPyConnection

from web.console import rows
from web.lookups import Row

_ON_SALE = """
    WITH newest AS (
        SELECT c.integration, c.plan_key, arg_max(c.plan_id, c.version) AS plan_id, max(c.version) AS version
        FROM books.plans AS c
        WHERE c.status = 'active' AND (c.effective_from IS NULL OR c.effective_from <= $now)
        GROUP BY ALL
    )"""


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


def items_of(books: DuckDBPyConnection, subscription: str, integration: str) -> list[Row]:
    """The subscription's items with their price, its meter, its plan's version, and terms of the customer's own.

    `own_rate`, `own_fee`: what a negotiated price replaces, where there is one.
    """
    return rows(
        books,
        """
        SELECT i.*, p.name AS price_name, p.model, p.currency, p.unit_amount, p.flat_amount, p.payment_term,
            p.meter_id, m.name AS meter_name, l.name AS plan_name, l.version AS plan_version, l.plan_id,
            o.override_id, o.unit_amount AS own_rate, o.flat_amount AS own_fee
        FROM books.subscription_items AS i
        LEFT JOIN books.subscriptions AS s ON s.integration = i.integration AND s.subscription_id = i.subscription_id
        LEFT JOIN books.prices AS p ON p.integration = i.integration AND p.price_id = i.price_id
        LEFT JOIN books.plans AS l ON l.integration = p.integration AND l.plan_id = p.plan_id
        LEFT JOIN books.meters AS m ON m.integration = p.integration AND m.meter_id = p.meter_id
        LEFT JOIN books.price_overrides AS o ON o.integration = i.integration AND o.price_id = i.price_id
            AND o.customer_id = s.customer_id AND o.valid_from <= coalesce(i.active_to, o.valid_from)
            AND (o.valid_to IS NULL OR o.valid_to > i.active_from)
        WHERE i.subscription_id = ? AND i.integration = ?
        QUALIFY row_number() OVER (PARTITION BY i.item_id ORDER BY o.valid_from DESC) = 1
        ORDER BY i.active_to NULLS FIRST, i.active_from, i.item_id LIMIT 200""",
        [subscription, integration],
    )


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
