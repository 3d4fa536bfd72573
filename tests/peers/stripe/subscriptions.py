"""Subscriptions and their items of the books as Stripe's objects."""

from __future__ import annotations

from datetime import datetime

from tests.peers.stripe.books import Row
from tests.peers.stripe.notes import as_json, noted
from tests.peers.stripe.numbers import UnheldError, seconds, whole
from tests.peers.stripe.shapes import Object, shaped

_STATUS = {
    "scheduled": "incomplete",
    "trialing": "trialing",
    "active": "active",
    "past_due": "past_due",
    "paused": "paused",
    "canceled": "active",
    "ended": "canceled",
}
_PAST_COLUMNS = ("item_id", "price_id", "quantity", "active_from", "active_to")


def subscription(
    row: Row, items: list[Row], prices: dict[object, Object], discounts: list[Object], now: datetime
) -> tuple[Object, list[Object]]:
    """A subscription and all of its items. Items removed before now Stripe has forgotten; metadata may keep them."""
    if row["status"] in {"active", "canceled"} and (row["status"] == "canceled") != bool(row.get("cancel_at")):
        raise UnheldError(f"status {row['status']} with cancel_at {row.get('cancel_at')}")
    until = row.get("ended_at") or now
    past = [item for item in items if item.get("active_to") and item["active_to"] < until]  # type: ignore[operator]
    held = [_item(item, row, prices, discounts) for item in items if item not in past]
    past_notes = {f"trueup_past_item_{n}": _past(item) for n, item in enumerate(past, start=1)}
    natural = {"timezone": "UTC", **_main_terms([prices[item["price"]] for item in held])}
    made = shaped(
        "subscription",
        id=row["subscription_id"],
        customer=row["customer_id"],
        status=_STATUS[str(row["status"])],
        currency=str(row["currency"]).lower(),
        created=seconds(row["started_at"]),
        start_date=seconds(row["started_at"]),
        trial_start=seconds(row["started_at"]) if row.get("trial_end") else None,
        trial_end=seconds(row.get("trial_end")),
        cancel_at=seconds(row.get("cancel_at")),
        canceled_at=seconds(row.get("canceled_at")),
        ended_at=seconds(row.get("ended_at")),
        billing_cycle_anchor=seconds(row["billing_anchor"]),
        collection_method=row["collection_method"],
        days_until_due=30 if row["collection_method"] == "send_invoice" else None,
        discounts=[discount["id"] for discount in discounts if discount["subscription_item"] is None],
        metadata=noted(row, natural) | past_notes,
    )
    return made, held


def _item(item: Row, row: Row, prices: dict[object, Object], discounts: list[Object]) -> Object:
    price = prices.get(item["price_id"])
    if price is None:
        raise UnheldError(f"item {item['item_id']} with price {item['price_id']}, which Stripe cannot hold")
    started, created = seconds(row["started_at"]), seconds(item["active_from"])
    quantity = item.get("quantity")
    natural = {"active_from": item["active_from"], "active_to": None}
    return shaped(
        "subscription_item",
        id=item["item_id"],
        subscription=row["subscription_id"],
        created=created,
        current_period_start=started,
        current_period_end=(started or 0) + 30 * 86_400,
        price=price["id"],
        plan=None,
        quantity=None if quantity is None else whole(quantity),
        discounts=[discount["id"] for discount in discounts if discount["subscription_item"] == item["item_id"]],
        metadata=noted(item, natural),
    )


def _past(item: Row) -> str:
    return as_json({name: item.get(name) for name in _PAST_COLUMNS})


def _main_terms(prices: list[Object]) -> Object:
    """The plan and cadence of the first price that is charged by number, else of the first."""
    letters = {"day": "D", "week": "W", "month": "M", "year": "Y"}
    by_number_first = sorted(prices, key=lambda price: price["recurring"]["usage_type"] == "metered")  # type: ignore[index]
    if not by_number_first:
        return {"plan_id": None, "cadence": None}
    recurring = by_number_first[0]["recurring"]
    cadence = f"P{recurring['interval_count']}{letters[recurring['interval']]}"  # type: ignore[index]
    return {"plan_id": by_number_first[0]["product"], "cadence": cadence}
