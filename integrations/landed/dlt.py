"""dlt's verified source stripe_analytics: objects spread over columns, `a__b` for a field within, lists as tables.

A list lands in `<table>__<path>`, its rows tied to the object's by `_dlt_parent_id` and ordered by `_dlt_list_idx`.
Source: dlt-hub/verified-sources, sources/stripe_analytics; dlthub.com/docs, general-usage/destination-tables. The
endpoint's name is the table's: Invoice is `invoice`, PaymentIntent `payment_intent`. Tiers of prices are not asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from integrations.landed.layouts import Layout
from integrations.landed.tables import Record, Tables, each_by, seconds
from integrations.stripe import older
from integrations.stripe.objects import Object, ident

_WITHIN = "__"


def objects_of(tables: Tables, table: str, rows: Sequence[Record]) -> list[dict[str, Any]]:
    """The objects of rows of a table, with the lists within them."""
    made = [_unfolded(row) for row in rows]
    by_row = {row["_dlt_id"]: each for row, each in zip(rows, made, strict=True) if row.get("_dlt_id")}
    for child in _lists_of(tables.names, table):
        held = tables.of(child, "_dlt_parent_id", by_row)
        path = child.removeprefix(table + _WITHIN).split(_WITHIN)
        for parent, parts in held.items():
            in_order = sorted(parts, key=lambda part: int(part.get("_dlt_list_idx") or 0))
            _put(by_row[parent], path, [_entry(each) for each in objects_of(tables, child, in_order)])
    return made


def _lists_of(names: Iterable[str], table: str) -> list[str]:
    """The tables of the lists directly within those of a table."""
    below = sorted(name for name in names if name.startswith(table + _WITHIN))
    return [name for name in below if not any(name.startswith(other + _WITHIN) for other in below)]


def _unfolded(row: Record) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, value in row.items():
        if value is not None and not name.startswith("_dlt_"):
            _put(made, name.split(_WITHIN), value)
    if "created" in made:
        made["created"] = seconds(made["created"])
    return made


def _entry(made: dict[str, Any]) -> Any:
    """An entry of a list: one that is no object has nothing but its value."""
    return made["value"] if set(made) == {"value"} else made


def _put(into: dict[str, Any], path: Sequence[str], value: object) -> None:
    for part in path[:-1]:
        into = into.setdefault(part, {})
    into[path[-1]] = value


def made(tables: Tables, stream: str, rows: Sequence[Record]) -> list[Object]:
    """Stripe's objects with their parts."""
    objects = objects_of(tables, tables.first(*LAYOUT.tables[stream]) or stream, rows)
    if stream == "prices":
        found = each_by(tables.of("product", "id", [ident(price.get("product")) for price in objects]))
        products = {each["id"]: each for each in objects_of(tables, "product", list(found.values()))}
        return [price | {"product": products.get(str(price.get("product")), price.get("product"))} for price in objects]
    if stream == "payment_intents":
        found = each_by(tables.of("charge", "id", [ident(intent.get("latest_charge")) for intent in objects]))
        charges = {each["id"]: each for each in objects_of(tables, "charge", list(found.values()))}
        return [each | {"latest_charge": charges.get(str(each.get("latest_charge")))} for each in objects]
    renewed = _RENEWED.get(stream)
    return [renewed(each) for each in objects] if renewed else list(objects)


def _invoice(landed: dict[str, Any]) -> dict[str, Any]:
    """An invoice; a list that is empty has no rows anywhere."""
    return older.invoice({"total_discount_amounts": [], "total_tax_amounts": [], **landed})


_RENEWED = {"subscriptions": older.subscription, "invoices": _invoice}

LAYOUT = Layout(
    tables={
        "prices": ("price",),
        "customers": ("customer",),
        "subscriptions": ("subscription",),
        "invoices": ("invoice",),
        "credit_notes": ("credit_note",),
        "payment_intents": ("payment_intent",),
    },
    increments="_dlt_load_id",
    made=made,
)
