"""Subscriptions of Stripe, their items and their discounts as rows of the books."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from integrations.stripe.amounts import UnreadableError, currency, decimal, instant, moment, price, quantity
from integrations.stripe.catalog import Catalog, cadence, price_in
from integrations.stripe.metadata import past_items, stated
from integrations.stripe.objects import Object, Row, Rows, entries, ident, known, link, merged, needed, nested

EXPAND = ("discounts.source.coupon", "schedule")
"""What a subscription must be asked with, so that its rows are complete."""

_STATUS = {
    "incomplete": "scheduled",  # the first payment is open: not in service yet
    "incomplete_expired": "ended",
    "trialing": "trialing",
    "active": "active",
    "past_due": "past_due",
    "unpaid": "past_due",
    "paused": "paused",
    "canceled": "ended",
}
_FREE_OF_CHARGE = frozenset({"void", "mark_uncollectible"})
"""What a pause does with invoices when nothing is to be collected for it, now or later."""


def subscription_rows(subscription: Object, items: Iterable[Object], catalog: Catalog) -> Rows:
    """Rows of `subscriptions`, `subscription_items` and `discounts`. `items`: all of them, the list object may be cut.

    Raises UnreadableError, UnknownCurrencyError.
    """
    held = list(items)
    for item in held:
        catalog.learn(item.get("price") or {})
    row = _subscription(subscription, held)
    started, code = row["started_at"], str(row["currency"])
    rows: Rows = {"subscriptions": [row], "subscription_items": [_item(i, subscription, code, catalog) for i in held]}
    rows["subscription_items"] += [
        {"subscription_id": row["subscription_id"], "active_from": started, **past}
        for past in past_items(subscription.get("metadata"))
    ]
    return merged(rows, *(discount_rows(discount) for discount in entries(subscription.get("discounts"))))


def _subscription(subscription: Object, items: list[Object]) -> Row:
    started = moment(subscription.get("start_date") or subscription.get("created"))
    row: Row = {
        "subscription_id": needed(subscription.get("id"), "subscription"),
        "customer_id": needed(subscription.get("customer"), "customer"),
        "plan_id": _plan(items),
        "status": _status(subscription),
        "currency": currency(subscription.get("currency")),
        "started_at": started,
        "trial_end": instant(subscription.get("trial_end")),
        "cancel_at": _cancel_at(subscription, items),
        "canceled_at": instant(subscription.get("canceled_at")),
        "ended_at": instant(subscription.get("ended_at")),
        "billing_anchor": instant(subscription.get("billing_cycle_anchor")) or started,
        "cadence": _cadence(items),
        "timezone": "UTC",
        "collection_method": known(
            subscription.get("collection_method"), {"send_invoice": "send_invoice"}, "charge_automatically"
        ),
        "external_url": link(subscription, "subscriptions"),
    } | stated("subscriptions", subscription.get("metadata"))
    if row["cadence"] is None:
        raise UnreadableError("none of its items recurs")
    return row


def _status(subscription: Object) -> str:
    """The books' status. An unknown one of Stripe's counts as active until the subscription has ended."""
    if subscription.get("ended_at") is not None:
        return "ended"
    status = known(subscription.get("status"), _STATUS, "active")
    if nested(subscription, "pause_collection", "behavior") in _FREE_OF_CHARGE and status == "active":
        return "paused"
    leaving = subscription.get("cancel_at") is not None or subscription.get("cancel_at_period_end")
    return "canceled" if leaving and status == "active" else status


def _cancel_at(subscription: Object, items: list[Object]) -> datetime | None:
    if subscription.get("cancel_at") is None and subscription.get("cancel_at_period_end"):
        ends = [item["current_period_end"] for item in items if item.get("current_period_end")]
        return instant(max(ends, default=None))
    return instant(subscription.get("cancel_at"))


def _main(items: list[Object]) -> list[Object]:
    """The items with those first that say what was subscribed to: charged by number before charged by usage."""
    return sorted(items, key=lambda item: nested(item, "price", "recurring", "usage_type") == "metered")


def _plan(items: list[Object]) -> str | None:
    return next((found for item in _main(items) if (found := ident(nested(item, "price", "product")))), None)


def _cadence(items: list[Object]) -> str | None:
    return next((found for item in _main(items) if (found := cadence(nested(item, "price", "recurring")))), None)


def _item(item: Object, subscription: Object, code: str, catalog: Catalog) -> Row:
    """An item that came with its subscription is active from the start, also of one that was dated back."""
    created, opened = item.get("created"), subscription.get("created")
    with_it = created is None or opened is None or created <= opened
    price_id = needed(item.get("price"), "price")
    row: Row = {
        "item_id": needed(item.get("id"), "item"),
        "subscription_id": needed(subscription.get("id"), "subscription"),
        "price_id": price_in(price_id, catalog.facts.get(price_id), code),
        "quantity": None if item.get("quantity") is None else quantity(item["quantity"]),
        "active_from": moment((subscription.get("start_date") or opened) if with_it else created),
        "active_to": None,
        "external_url": link(subscription, "subscriptions"),
    }
    return row | stated("subscription_items", item.get("metadata"))


def removed_items(before: object, subscription: Object, at: datetime, catalog: Catalog) -> list[Row]:
    """Rows that close the items which an event's `previous_attributes` still list and the subscription has no more."""
    code = currency(subscription.get("currency"))
    now = {ident(item) for item in entries(subscription.get("items"))}
    gone = [item for item in entries(nested(before, "items")) if ident(item) not in now]
    for item in gone:
        catalog.learn(item.get("price") or {})
    return [_item(item, subscription, code, catalog) | {"active_to": at} for item in gone]


def discount_rows(discount: object, ended: datetime | None = None) -> Rows:
    """The row of `discounts` for an expanded discount; none for one that applies to one invoice only.

    `ended`: when it was taken off, if it was. Raises UnreadableError when its coupon was not stated.
    """
    if not isinstance(discount, dict):
        raise UnreadableError("Stripe did not state its discount")
    coupon = nested(discount, "source", "coupon") or discount.get("coupon")
    if not isinstance(coupon, dict):
        raise UnreadableError(f"Stripe did not state the coupon of discount {discount.get('id')}")
    if coupon.get("duration") == "once":
        return {}
    ends = [at for at in (instant(discount.get("end")), ended) if at]
    row: Row = {
        "discount_id": needed(discount.get("id"), "discount"),
        "customer_id": ident(discount.get("customer")),
        "subscription_id": ident(discount.get("subscription")),
        "item_id": ident(discount.get("subscription_item")),
        "starts_at": moment(discount.get("start")),
        "ends_at": min(ends, default=None),
    }
    return {"discounts": [row | _off(coupon)]}


def _off(coupon: Object) -> Row:
    if coupon.get("percent_off") is not None:
        return {"kind": "percent", "value": decimal(coupon["percent_off"]), "currency": None}
    code = currency(coupon.get("currency"))
    return {"kind": "amount", "value": price(coupon.get("amount_off"), code), "currency": code}
