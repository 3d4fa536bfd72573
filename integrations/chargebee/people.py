"""Chargebee's customers, subscriptions and usages as rows of the books."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

from billing.periods import period_containing
from integrations.chargebee.catalog import amount, cadence, units
from integrations.objects import Object, Row, Rows, entries, known, needed, nested
from integrations.values import UnreadableError, currency, epoch, maybe, minor

PriceOf = Callable[[str], Object | None]
"""An item price by its id; None for one that is gone."""

_STATUS = {
    "future": "scheduled",
    "in_trial": "trialing",
    "active": "active",
    "non_renewing": "canceled",
    "paused": "paused",
    "cancelled": "ended",
    "transferred": "ended",
}
_VAT = {"valid": "verified", "invalid": "unverified"}


def at(thing: Object, *names: str) -> datetime:
    """The first of the instants that is stated. Raises UnreadableError when none is."""
    found = next((instant for name in names if (instant := epoch(thing.get(name)))), None)
    if found is None:
        raise UnreadableError(f"it has no {names[0]}")
    return found


def customer_rows(customer: Object, card: Object | None = None) -> Rows:
    """The row of `customers`. Its credit is what Chargebee owes it in any form."""
    code = maybe(currency, customer.get("preferred_currency_code"))
    names = [customer.get("company"), " ".join(filter(None, (customer.get("first_name"), customer.get("last_name"))))]
    held = sum(int(customer.get(n) or 0) for n in ("promotional_credits", "refundable_credits", "excess_payments"))
    vat, status = customer.get("vat_number"), known(customer.get("vat_number_status"), _VAT, "pending")
    number = f"{customer.get('vat_number_prefix') or ''}{vat}"
    row: Row = {
        "customer_id": needed(customer.get("id"), "customer"),
        "name": next((name for name in (*names, customer.get("email")) if name), customer.get("id")),
        "email": customer.get("email"),
        "currency": code,
        "country": nested(customer, "billing_address", "country"),
        "tax_ids": [{"type": "eu_vat", "value": number, "status": status}] if vat else [],
        "payment_method": _method(customer.get("payment_method"), card),
        "credit_balance": minor(held, code) if held and code else None,
        "status": "deleted" if customer.get("deleted") else "active",
        "created_at": at(customer, "created_at"),
    }
    return {"customers": [row]}


def _method(method: object, card: Object | None) -> Row | None:
    kind = nested(method, "type")
    if kind is None:
        return None
    if kind != "card" or not card:
        return {"kind": str(kind)}
    shown = {"brand": "card_type", "last4": "last4", "exp_month": "expiry_month", "exp_year": "expiry_year"}
    return {"kind": "card", **{name: card.get(stated) for name, stated in shown.items()}}


def item_id(subscription_id: object, price_id: object) -> str:
    """The id of what a subscription is charged by an item price, which in Chargebee has none."""
    return f"{subscription_id}:{price_id}"


def subscription_rows(subscription: Object, price_of: PriceOf) -> Rows:
    """Rows of `subscriptions`, `subscription_items` and, for prices of its own, `price_overrides`."""
    id, status = needed(subscription.get("id"), "subscription"), _status(subscription)
    every = cadence(subscription.get("billing_period"), subscription.get("billing_period_unit"))
    if every is None:
        raise UnreadableError("it has no billing period")
    items = entries(subscription.get("subscription_items"))
    left = epoch(subscription.get("cancelled_at"))
    started = at(subscription, "started_at", "start_date", "created_at")
    row: Row = {
        "subscription_id": id,
        "customer_id": needed(subscription.get("customer_id"), "customer"),
        "plan_id": next((item.get("item_price_id") for item in items if item.get("item_type") == "plan"), None),
        "status": status,
        "currency": currency(subscription.get("currency_code")),
        "started_at": started,
        "trial_end": epoch(subscription.get("trial_end")),
        "cancel_at": left or epoch(subscription.get("current_term_end")) if status == "canceled" else None,
        "canceled_at": epoch(subscription.get("cancel_schedule_created_at")),
        "ended_at": left if status == "ended" else None,
        "billing_anchor": _anchor(subscription, every, started),
        "cadence": every,
        "timezone": "UTC",
        "collection_method": "send_invoice" if subscription.get("auto_collection") == "off" else "charge_automatically",
    }
    own = [override for item in items if (override := _override(item, row, price_of))]
    return {"subscriptions": [row], "subscription_items": [_item(i, row) for i in items], "price_overrides": own}


def _status(subscription: Object) -> str:
    return "ended" if subscription.get("deleted") else known(subscription.get("status"), _STATUS, "active")


def _anchor(subscription: Object, every: str, started: datetime) -> datetime:
    """Where terms are counted from: when it began, unless the present term lies elsewhere (it was moved)."""
    first, term = epoch(subscription.get("activated_at")) or started, epoch(subscription.get("current_term_start"))
    if term is None or period_containing(first, every, "UTC", term).start == term:
        return first
    return term


def _item(item: Object, subscription: Row) -> Row:
    price_id = needed(item.get("item_price_id"), "item price")
    return {
        "item_id": item_id(subscription["subscription_id"], price_id),
        "subscription_id": subscription["subscription_id"],
        "price_id": price_id,
        "quantity": units(item, "quantity"),
        "active_from": subscription["started_at"],
        "active_to": subscription["ended_at"],
    }


def _override(item: Object, subscription: Row, price_of: PriceOf) -> Row | None:
    """Terms of its own: a price per unit or a fee that is not the item price's."""
    stated = price_of(str(item.get("item_price_id"))) or {}
    code, model = str(subscription["currency"]), stated.get("pricing_model")
    own, usual = amount(item, "unit_price", code), amount(stated, "price", code)
    if model not in {"per_unit", "flat_fee"} or own is None or own == usual:
        return None
    return {
        "override_id": item_id(subscription["subscription_id"], item["item_price_id"]),
        "customer_id": subscription["customer_id"],
        "price_id": item["item_price_id"],
        "unit_amount": own if model == "per_unit" else None,
        "flat_amount": own if model == "flat_fee" else None,
        "valid_from": subscription["started_at"],
        "valid_to": subscription["ended_at"],
    }


def usage_rows(usage: Object) -> Rows:
    """The row of `reported_usage`: what was recorded at an instant. One that was deleted counts nothing."""
    when, gone = at(usage, "usage_date"), bool(usage.get("deleted"))
    row: Row = {
        "record_id": needed(usage.get("id"), "usage"),
        "item_id": item_id(usage.get("subscription_id"), usage.get("item_price_id")),
        "period_start": when,
        "period_end": when + timedelta(seconds=1),
        "quantity": Decimal(0) if gone else units(usage, "quantity"),
        "recorded_at": at(usage, "created_at", "usage_date"),
        "status": "rejected" if gone else "processed" if usage.get("invoice_id") else "pending",
    }
    return {"reported_usage": [row]}
