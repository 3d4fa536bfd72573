"""Airbyte's Stripe source: a table for each stream, its columns the fields of the object, nested ones as JSON.

Source: airbytehq/airbyte, airbyte-integrations/connectors/source-stripe/erd/source.dbml (source 5.x). Of invoices only
the first lines stand in the object; the stream invoice_line_items has them all. Tiers of prices are those of plans.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from integrations.landed.layouts import Layout
from integrations.landed.tables import Record, Tables, each_by, seconds, structure
from integrations.stripe import older
from integrations.stripe.objects import Object, entries, ident

_NESTED = frozenset(
    {
        "address",
        "automatic_tax",
        "current_phase",
        "default_settings",
        "discount",
        "discount_amounts",
        "discounts",
        "invoice_settings",
        "items",
        "last_finalization_error",
        "last_payment_error",
        "lines",
        "metadata",
        "parent",
        "pause_collection",
        "payment",
        "period",
        "phases",
        "price",
        "pricing",
        "product",
        "recurring",
        "schedule",
        "status_transitions",
        "tax_amounts",
        "taxes",
        "tiers",
        "total_discount_amounts",
        "total_pretax_credit_amounts",
        "total_tax_amounts",
        "total_taxes",
        "transform_quantity",
    }
)
"""Columns that hold objects or lists."""

_OWN = ("_airbyte_",)


def object_of(row: Record) -> dict[str, Any]:
    """The object of a row. One that Airbyte marks as deleted is deleted."""
    made = {
        name: structure(value) if name in _NESTED else seconds(value) if name == "created" else value
        for name, value in row.items()
        if not name.startswith(_OWN)
    }
    return made | {"deleted": True} if made.pop("is_deleted", None) else made


def made(tables: Tables, stream: str, rows: Sequence[Record]) -> list[Object]:
    """Stripe's objects with their parts."""
    objects = [object_of(row) for row in rows]
    parts = _PARTS.get(stream)
    return list(parts(tables, objects)) if parts else list(objects)


def _prices(tables: Tables, prices: list[dict[str, Any]]) -> list[dict[str, Any]]:
    products = each_by(tables.of("products", "id", [ident(price.get("product")) for price in prices]))
    tiered = [price["id"] for price in prices if price.get("billing_scheme") == "tiered" and not price.get("tiers")]
    plans = each_by(tables.of("plans", "id", tiered))
    for price in prices:
        price["product"] = (
            object_of(products[price["product"]]) if price.get("product") in products else price["product"]
        )
        if price["id"] in plans:
            price["tiers"] = structure(plans[price["id"]].get("tiers"))
    return prices


def _subscriptions(tables: Tables, subscriptions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    lacking = [each["id"] for each in subscriptions if not entries(each.get("items"))]
    items = tables.of("subscription_items", "subscription", lacking)
    for each in subscriptions:
        if each["id"] in items:
            each["items"] = {"data": [object_of(row) for row in items[each["id"]]]}
    return [older.subscription(each) for each in subscriptions]


def _invoices(tables: Tables, invoices: list[dict[str, Any]]) -> list[dict[str, Any]]:
    lines = tables.of("invoice_line_items", "invoice_id", [invoice["id"] for invoice in invoices])
    for invoice in invoices:
        if invoice["id"] in lines:
            invoice["lines"] = {"data": [object_of(row) for row in lines[invoice["id"]]]}
        invoice["lines"] = {**(invoice.get("lines") or {}), "has_more": False}
    return [older.invoice(invoice) for invoice in invoices]


def _intents(tables: Tables, intents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    charges = each_by(tables.of("charges", "id", [ident(intent.get("latest_charge")) for intent in intents]))
    for intent in intents:
        charge = charges.get(ident(intent.get("latest_charge")))
        intent["latest_charge"] = object_of(charge) if charge else intent.get("latest_charge")
    return intents


def _payments(tables: Tables, linked: list[dict[str, Any]]) -> list[dict[str, Any]]:
    named = [ident((each.get("payment") or {}).get("payment_intent")) for each in linked]
    found = tables.of("payment_intents", "id", named)
    intents = {
        each["id"]: each for each in _intents(tables, [object_of(row) for held in found.values() for row in held])
    }
    for each, name in zip(linked, named, strict=True):
        if name in intents:
            each["payment"] = {**each["payment"], "payment_intent": intents[name]}
    return linked


_PARTS = {
    "prices": _prices,
    "subscriptions": _subscriptions,
    "invoices": _invoices,
    "payment_intents": _intents,
    "invoice_payments": _payments,
}

LAYOUT = Layout(
    tables={
        "prices": ("prices",),
        "customers": ("customers",),
        "subscriptions": ("subscriptions",),
        "invoices": ("invoices",),
        "credit_notes": ("credit_notes",),
        "invoice_payments": ("invoice_payments",),
        "payment_intents": ("payment_intents",),
    },
    increments="_airbyte_extracted_at",
    made=made,
    follows={
        "subscriptions": (("subscription_items", "subscription"),),
        "invoices": (("invoice_line_items", "invoice_id"),),
        "payment_intents": (("charges", "payment_intent"),),
    },
    ledger=("customer_balance_transactions", "customer"),
)
