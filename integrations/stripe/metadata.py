"""What Stripe has no field for, stated by the company in the object's metadata.

Metadata `trueup_<column>` on an object says the value of that column of its row, in the form of the books: decimals in
major units, instants in RFC 3339, `null` for null. It goes before what is read from Stripe's own fields. Only the
columns below can be stated, so that nothing Stripe knows itself is overruled (of a lump sum it says that the quantity
is 1, which is none).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from billing.books import BY_NAME
from billing.model import DECIMAL_PLACES, Column, Kind
from integrations.stripe.amounts import UnreadableError, decimal
from integrations.stripe.objects import Row

PREFIX = "trueup_"

STATED: Mapping[str, tuple[str, ...]] = {
    "customers": ("currency", "country", "is_business", "credit_balance"),
    "plans": ("plan_key", "version", "currency", "cadence", "effective_from", "effective_to"),
    "prices": (
        "plan_id",
        "meter_id",
        "model",
        "payment_term",
        "free_units",
        "package_size",
        "convert",
        "convert_factor",
        "convert_rounding",
        "minimum_amount",
        "maximum_amount",
        "proration",
        "effective_from",
        "effective_to",
    ),
    "subscriptions": ("plan_id", "timezone", "cadence"),
    "subscription_items": ("quantity", "active_from", "active_to"),
    "invoices": ("bill_run_id", "due_at", "finalizes_at"),
    "invoice_lines": ("kind", "item_id", "raw_quantity", "quantity"),
    "payments": ("purpose", "idempotency_key"),
}
"""Columns that metadata may state, by table of the books."""

PAST_ITEM = f"{PREFIX}past_item_"
"""Metadata of a subscription, `trueup_past_item_1` and so on: an item that was removed, which Stripe then forgets, as
JSON with the columns of `subscription_items`."""


def stated(table: str, metadata: Mapping[str, Any] | None) -> Row:
    """The columns of the table that the metadata states. Raises UnreadableError naming the key that does not parse."""
    found: Row = {}
    for name in STATED[table]:
        text = (metadata or {}).get(PREFIX + name)
        if text:
            found[name] = _value(BY_NAME[table].by_name[name], str(text))
    return found


def past_items(metadata: Mapping[str, Any] | None) -> list[Row]:
    """The removed items that a subscription's metadata states, as rows without their subscription."""
    table = BY_NAME["subscription_items"].by_name
    return [
        {column: _value(table[column], str(text)) for column, text in _parsed(key, text).items() if column in table}
        for key, text in sorted((metadata or {}).items())
        if key.startswith(PAST_ITEM)
    ]


def _parsed(key: str, text: object) -> dict[str, object]:
    try:
        parsed = json.loads(str(text))
    except ValueError as error:
        raise UnreadableError(f"metadata {key} is no JSON") from error
    if not isinstance(parsed, dict):
        raise UnreadableError(f"metadata {key} is no JSON object")
    return {name: "null" if value is None else value for name, value in parsed.items()}


def _value(column: Column, text: str) -> object:
    if text == "null":
        return None
    try:
        return _typed(column, text)
    except ValueError as error:
        raise UnreadableError(f"metadata {PREFIX}{column.name} is {text!r}: {error}") from error


def _typed(column: Column, text: str) -> object:
    if column.kind in DECIMAL_PLACES:
        return decimal(text)
    if column.kind is Kind.TS:
        at = datetime.fromisoformat(text)
        if at.tzinfo is None:
            raise UnreadableError("an instant with its offset is needed")
        return at
    if column.kind is Kind.INT:
        return int(text)
    if column.kind is Kind.BOOL:
        return {"true": True, "false": False}[text] if text in {"true", "false"} else _refuse("true or false is needed")
    if column.kind is Kind.ENUM and text not in column.values:
        return _refuse(f"one of {', '.join(column.values)} is needed")
    return text


def _refuse(why: str) -> object:
    raise UnreadableError(why)
