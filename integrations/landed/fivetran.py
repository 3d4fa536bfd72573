"""Fivetran's Stripe schema: a table for each kind of object, nested fields in columns of their own, instants as such.

Source: fivetran/dbt_stripe, macros/staging (the columns that its models read) and its seeds; the connector's release
notes for `tier` and `discount`. Discounts of invoices and taxes of lines are not landed: totals tell them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from integrations.landed.layouts import Layout
from integrations.landed.tables import Record, Tables, each_by, seconds, structure
from integrations.stripe import older
from integrations.stripe.objects import Object

_INSTANTS = (
    "billing_cycle_anchor",
    "cancel_at",
    "canceled_at",
    "created",
    "current_period_end",
    "current_period_start",
    "due_date",
    "end",
    "ended_at",
    "next_payment_attempt",
    "period_end",
    "period_start",
    "start",
    "start_date",
    "status_transitions_finalized_at",
    "status_transitions_marked_uncollectible_at",
    "status_transitions_paid_at",
    "status_transitions_voided_at",
    "trial_end",
    "trial_start",
    "voided_at",
)

_INTO = {
    "address_": "address",
    "automatic_tax_": "automatic_tax",
    "invoice_settings_": "invoice_settings",
    "last_finalization_error_": "last_finalization_error",
    "last_payment_error_": "last_payment_error",
    "pause_collection_": "pause_collection",
    "recurring_": "recurring",
    "status_transitions_": "status_transitions",
    "transform_quantity_": "transform_quantity",
}
"""Columns that begin so are fields of an object."""

_REFERENCES = {
    f"{name}_id": name
    for name in ("charge", "coupon", "customer", "invoice", "invoice_item", "payment_intent", "product", "subscription")
} | {"latest_charge_id": "latest_charge", "subscription_item_id": "subscription_item", "recurring_meter_id": "meter"}


def object_of(row: Record) -> dict[str, Any]:
    """The object of a row."""
    made: dict[str, Any] = {}
    for name, held in row.items():
        value = seconds(held) if name in _INSTANTS else structure(held) if name == "metadata" else held
        if value is None or name.startswith("_fivetran"):
            continue
        if name == "billing":
            made.setdefault("collection_method", value)
        prefix = next((each for each in _INTO if name.startswith(each)), None)
        if name in _REFERENCES:
            made[_REFERENCES[name]] = value
        elif prefix:
            made.setdefault(_INTO[prefix], {})[name.removeprefix(prefix)] = value
        else:
            made[name] = value
    return made | {"deleted": True} if made.pop("is_deleted", None) else made


def made(tables: Tables, stream: str, rows: Sequence[Record]) -> list[Object]:
    """Stripe's objects with their parts."""
    objects = [object_of(row) for row in rows if row.get("_fivetran_active", True)]
    return list(_PARTS[stream](tables, objects)) if stream in _PARTS else list(objects)


def _prices(tables: Tables, prices: list[dict[str, Any]]) -> list[dict[str, Any]]:
    products = each_by(tables.of("product", "id", [price.get("product") for price in prices]))
    tiers = tables.of("tier", "price_id", [price["id"] for price in prices])
    tiers = tiers or tables.of("tier", "plan_id", [price["id"] for price in prices])
    for price in prices:
        if price.get("product") in products:
            price["product"] = object_of(products[price["product"]])
        price["tiers"] = sorted(map(object_of, tiers.get(price["id"], [])), key=_up_to)
    return prices


def _up_to(tier: Mapping[str, Any]) -> float:
    return float("inf") if tier.get("up_to") is None else float(tier["up_to"])


def _customers(tables: Tables, customers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    discounts = _discounts(tables, "customer_id", [each["id"] for each in customers], ("discount", "customer_discount"))
    for each in customers:
        own = [one for one in discounts.get(each["id"], []) if not one.get("subscription") and not one.get("invoice")]
        each["discount"] = own[-1] if own else None
    return customers


def _subscriptions(tables: Tables, subscriptions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    ids = [each["id"] for each in subscriptions]
    items = tables.of("subscription_item", "subscription_id", ids)
    prices = _prices_of(tables, [row for held in items.values() for row in held])
    discounts = _discounts(tables, "subscription_id", ids, ("discount", "subscription_discount"))
    for each in subscriptions:
        rows = items.get(each["id"], [])
        each["items"] = {"data": [object_of(row) | {"price": prices.get(_price_of(row))} for row in rows]}
        own = [one for one in discounts.get(each["id"], []) if not one.get("invoice")]
        each["discounts"] = own
        each.setdefault(
            "currency", next((prices[p]["currency"] for row in rows if (p := _price_of(row)) in prices), None)
        )
    return [older.subscription(each) for each in subscriptions]


def _invoices(tables: Tables, invoices: list[dict[str, Any]]) -> list[dict[str, Any]]:
    lines = tables.of("invoice_line_item", "invoice_id", [invoice["id"] for invoice in invoices])
    prices = _prices_of(tables, [row for held in lines.values() for row in held])
    for invoice in invoices:
        held = lines.get(invoice["id"], [])
        invoice["lines"] = {"data": [_line(row, prices) for row in held], "has_more": False}
    return [older.invoice(invoice) for invoice in invoices]


def _line(row: Record, prices: Mapping[object, Mapping[str, Any]]) -> dict[str, Any]:
    made = object_of(row)
    period = {"start": made.pop("period_start", None), "end": made.pop("period_end", None)}
    known = prices.get(_price_of(row), {"id": _price_of(row)} if _price_of(row) else None)
    return made | {"id": row.get("unique_id") or row["id"], "period": period, "price": known}


def _credit_notes(tables: Tables, notes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    lines = tables.of("credit_note_line_item", "credit_note_id", [note["id"] for note in notes])
    invoices = each_by(tables.of("invoice", "id", [note.get("invoice") for note in notes]))
    for note in notes:
        rows = lines.get(note["id"], [])
        note["lines"] = {
            "data": [object_of(row) | {"invoice_line_item": row.get("invoice_line_item_id")} for row in rows]
        }
        note.setdefault("customer", (invoices.get(note.get("invoice")) or {}).get("customer_id"))
    return notes


def _intents(tables: Tables, intents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The invoice of a payment stands in its charge, or names the payment."""
    ids = [intent["id"] for intent in intents]
    charges = tables.of("charge", "payment_intent_id", ids)
    billed = each_by(tables.of("invoice", "payment_intent_id", ids))
    disputed = tables.of("dispute", "charge_id", [row["id"] for held in charges.values() for row in held])
    for intent in intents:
        made = [object_of(row) for row in charges.get(intent["id"], [])]
        last = max(made, key=lambda charge: int(charge.get("created") or 0), default=None)
        if last is not None:
            last["disputed"] = bool(last.get("disputed") or last["id"] in disputed)
            intent["latest_charge"] = last
        named = (last or {}).get("invoice") or (billed.get(intent["id"]) or {}).get("id")
        intent["invoice"] = named
    return intents


def _discounts(
    tables: Tables, column: str, ids: Sequence[object], names: Sequence[str]
) -> dict[object, list[dict[str, Any]]]:
    """The discounts with their coupons, by the value of the column."""
    rows = tables.of(tables.first(*names), column, ids)
    coupons = each_by(tables.of("coupon", "id", [row.get("coupon_id") for held in rows.values() for row in held]))
    made: dict[object, list[dict[str, Any]]] = {}
    for owner, held in rows.items():
        for row in held:
            found = object_of(row)
            if found.get("coupon") in coupons:
                found["coupon"] = object_of(coupons[found["coupon"]])
            made.setdefault(owner, []).append(found)
    return made


def _price_of(row: Record) -> object:
    return row.get("price_id") or row.get("plan_id")


def _prices_of(tables: Tables, rows: Sequence[Record]) -> dict[object, dict[str, Any]]:
    found = each_by(tables.of("price", "id", [_price_of(row) for row in rows]))
    return {name: object_of(row) for name, row in found.items()}


_PARTS = {
    "prices": _prices,
    "customers": _customers,
    "subscriptions": _subscriptions,
    "invoices": _invoices,
    "credit_notes": _credit_notes,
    "payment_intents": _intents,
}

LAYOUT = Layout(
    tables={
        "prices": ("price",),
        "customers": ("customer",),
        "subscriptions": ("subscription_history", "subscription"),
        "invoices": ("invoice",),
        "credit_notes": ("credit_note",),
        "payment_intents": ("payment_intent",),
    },
    increments="_fivetran_synced",
    made=made,
    follows={
        "subscriptions": (("subscription_item", "subscription_id"), ("discount", "subscription_id")),
        "invoices": (("invoice_line_item", "invoice_id"),),
        "payment_intents": (("charge", "payment_intent_id"),),
    },
    ledger=("customer_balance_transaction", "customer_id"),
)
