"""Lands the objects of a Stripe account in a database as a loader does: its tables, its columns, its older API version.

Written apart from the integration, after what the loaders themselves publish (see `integrations.landed`). A column that
the loader's published layout does not have is refused here, so that nothing is tested that no loader lands.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from tests.peers.stripe.account import Account
from tests.peers.stripe.books import HELD
from tests.peers.stripe.sample import NOW, company

Object = dict[str, Any]
LAYOUTS = json.loads((Path(__file__).parent / "landed_layouts.json").read_text())
"""The published columns by loader and table."""

LOADED = datetime(2026, 11, 20, 13, tzinfo=UTC)


def account() -> Account:
    """The sample company in Stripe."""
    made = Account(lambda: NOW)
    made.load({table: rows for table, rows in company().items() if table in HELD}, announce=False)
    return made


def listed(held: Account, kind: str) -> list[Object]:
    """The objects of a kind in the form of API version 2022-11-15, with all their parts."""
    return [_AGED.get(kind, lambda held, made: made)(held, dict(held.shown(made))) for made in held.listed(kind)]


def _price(held: Account, made: Object) -> Object:
    made["recurring"] = made["recurring"] and {k: v for k, v in made["recurring"].items() if k != "meter"}
    meter = held.objects[str(made["id"])]["recurring"] and held.objects[str(made["id"])]["recurring"].get("meter")  # type: ignore[attr-defined, index]
    return made | {"metadata": made["metadata"] | ({"trueup_meter_id": meter} if meter else {})}


def _customer(held: Account, made: Object) -> Object:
    return made | {"discount": _discount(held, made["discount"])}


def _discount(held: Account, id: object) -> Object | None:
    made = held.objects.get(str(id))
    if made is None:
        return None
    own = {k: v for k, v in made.items() if k != "source"}
    return own | {"coupon": held.objects[str(made["source"]["coupon"])]}  # type: ignore[index]


def _subscription(held: Account, made: Object) -> Object:
    items = [_item(held, item) for item in held.parts[str(made["id"])]]
    discounts = made.pop("discounts")
    first = discounts[0] if discounts else None
    period = {name: items[0].get(name) for name in ("current_period_start", "current_period_end")} if items else {}
    return made | period | {"items": {"data": items}, "discount": _discount(held, first)}


def _item(held: Account, item: Object) -> Object:
    price = _price(held, dict(held.objects[str(item["price"])]))
    return {k: v for k, v in item.items() if k not in ("current_period_start", "current_period_end")} | {"price": price}


def _invoice(held: Account, made: Object) -> Object:
    details = (made.pop("parent") or {}).get("subscription_details") or {}
    links = [link for link in held.listed("invoice_payment") if link["invoice"] == made["id"]]
    made["payment_intent"] = links[0]["payment"]["payment_intent"] if links else None  # type: ignore[index]
    taxes, made["subscription"] = made.pop("total_taxes"), details.get("subscription")
    made["total_tax_amounts"], made["tax"] = _old_taxes(taxes), sum(tax["amount"] for tax in taxes) or None
    return made | {"lines": {"data": [_line(held, line) for line in held.parts[str(made["id"])]], "has_more": False}}


def _line(held: Account, made: Object) -> Object:
    line = dict(made)
    parent, pricing = line.pop("parent") or {}, line.pop("pricing") or {}
    details = parent.get("subscription_item_details") or parent.get("invoice_item_details") or {}
    price = held.objects.get(str((pricing.get("price_details") or {}).get("price")))
    line |= {name: details.get(name) for name in ("subscription", "subscription_item", "invoice_item")}
    line["proration"] = details.get("proration")
    line["type"] = "subscription" if details.get("subscription_item") else "invoiceitem"
    return line | {"tax_amounts": _old_taxes(line.pop("taxes")), "price": price and _price(held, dict(price))}


def _old_taxes(taxes: Iterable[Object]) -> list[Object]:
    return [{"amount": tax["amount"], "inclusive": tax.get("tax_behavior") == "inclusive"} for tax in taxes]


def _intent(held: Account, made: Object) -> Object:
    links = [link for link in held.listed("invoice_payment") if link["payment"]["payment_intent"] == made["id"]]  # type: ignore[index]
    return made | {"invoice": links[0]["invoice"] if links else None}


def _note(held: Account, made: Object) -> Object:
    return made | {"lines": {"data": held.parts[str(made["id"])]}}


_AGED: dict[str, Callable[[Account, Object], Object]] = {
    "price": _price,
    "customer": _customer,
    "subscription": _subscription,
    "invoice": _invoice,
    "payment_intent": _intent,
    "credit_note": _note,
}


def airbyte(url: str, held: Account) -> None:
    """Airbyte: a table per stream, what is nested as JSON."""
    streams = {
        "products": listed(held, "product"),
        "prices": listed(held, "price"),
        "plans": [
            {"id": price["id"], "tiers": held.hidden[str(price["id"])]["tiers"]}
            for price in listed(held, "price")
            if price["billing_scheme"] == "tiered"
        ],
        "customers": listed(held, "customer"),
        "subscriptions": listed(held, "subscription"),
        "invoices": [
            invoice | {"lines": {"data": invoice["lines"]["data"][:10]}} for invoice in listed(held, "invoice")
        ],
        "invoice_line_items": [
            line | {"invoice_id": invoice["id"]}
            for invoice in listed(held, "invoice")
            for line in invoice["lines"]["data"]
        ],
        "credit_notes": listed(held, "credit_note"),
        "payment_intents": listed(held, "payment_intent"),
        "charges": listed(held, "charge"),
        "customer_balance_transactions": listed(held, "customer_balance_transaction"),
    }
    for table, objects in streams.items():
        _write(url, "airbyte", table, [_as_json(each) | {"_airbyte_extracted_at": LOADED} for each in objects])


def dlt(url: str, held: Account) -> None:
    """dlt: fields within fields in columns of their own, lists in tables of their own."""
    endpoints = ("product", "price", "customer", "subscription", "invoice", "credit_note", "payment_intent", "charge")
    for endpoint in endpoints:
        tables: dict[str, list[Object]] = {}
        for number, each in enumerate(listed(held, endpoint)):
            _spread(tables, endpoint, each, {"_dlt_load_id": "1795100000.25", "_dlt_id": f"{endpoint}{number}"})
        for table, rows in tables.items():
            _write(url, "dlt", table, rows)


def _spread(tables: dict[str, list[Object]], table: str, made: Object, own: Object) -> None:
    row: Object = dict(own)

    def put(prefix: str, held: Object) -> None:
        for name, value in held.items():
            path = f"{prefix}__{name}" if prefix else name
            if isinstance(value, dict):
                put(path, value)
            elif isinstance(value, list):
                for place, entry in enumerate(value):
                    id = f"{own['_dlt_id']}.{path}.{place}"
                    parent = {"_dlt_parent_id": own["_dlt_id"], "_dlt_list_idx": place, "_dlt_id": id}
                    _spread(tables, f"{table}__{path}", entry if isinstance(entry, dict) else {"value": entry}, parent)
            elif value is not None:
                row[path] = value

    put("", made)
    tables.setdefault(table, []).append(row)


def fivetran(url: str, held: Account) -> None:
    """Fivetran: tables of its own for items, lines, tiers and discounts, references as `<name>_id`."""
    subscriptions, invoices, notes = (listed(held, kind) for kind in ("subscription", "invoice", "credit_note"))
    tables = {
        "product": listed(held, "product"),
        "price": listed(held, "price"),
        "tier": [
            tier | {"price_id": price["id"]}
            for price in listed(held, "price")
            for tier in held.hidden[str(price["id"])].get("tiers") or []  # type: ignore[attr-defined]
        ],
        "customer": listed(held, "customer"),
        "subscription_history": [
            each | {"_fivetran_active": True, "billing": each["collection_method"]} for each in subscriptions
        ],
        "subscription_item": [
            item | {"subscription": each["id"], "price_id": item["price"]["id"]}
            for each in subscriptions
            for item in each["items"]["data"]
        ],
        "coupon": listed(held, "coupon"),
        "discount": [each | {"coupon_id": each["source"]["coupon"]} for each in listed(held, "discount")],
        "invoice": invoices,
        "invoice_line_item": [
            line | line["period_of"] | {"unique_id": line["id"], "price_id": line["price"] and line["price"]["id"]}
            for invoice in invoices
            for line in (
                {**line, "invoice": invoice["id"], "period_of": _period(line)} for line in invoice["lines"]["data"]
            )
        ],
        "credit_note": notes,
        "credit_note_line_item": [
            line | {"credit_note_id": note["id"], "invoice_line_item_id": line["invoice_line_item"]}
            for note in notes
            for line in note["lines"]["data"]
        ],
        "payment_intent": listed(held, "payment_intent"),
        "charge": [
            charge | {"invoice": intent["invoice"]}
            for intent in listed(held, "payment_intent")
            for charge in listed(held, "charge")
            if charge["payment_intent"] == intent["id"]
        ],
        "dispute": [
            {"id": f"dp_{each['id']}", "charge": each["id"]} for each in listed(held, "charge") if each["disputed"]
        ],
        "customer_balance_transaction": listed(held, "customer_balance_transaction"),
    }
    for table, objects in tables.items():
        known = LAYOUTS["fivetran"][table]
        _write(url, "fivetran", table, [_flat(each, known) | {"_fivetran_synced": LOADED} for each in objects])


def _period(line: Object) -> Object:
    return {"period_start": line["period"]["start"], "period_end": line["period"]["end"]}


def _flat(made: Object, known: list[str]) -> Object:
    """The columns that the layout has: fields within as `a_b`, references as `a_id`, instants as instants."""
    row: Object = {}

    def put(prefix: str, held: Object) -> None:
        for name, value in held.items():
            path = f"{prefix}_{name}" if prefix else name
            column = path if path in known else f"{path}_id"
            if path == "metadata":
                row[path] = json.dumps(value)
            elif isinstance(value, dict):
                put(path, value)
            elif column in known and not isinstance(value, list):
                row[column] = _moment(value) if _is_instant(name) else value

    put("", made)
    return {name: row.get(name) for name in known}


def _is_instant(name: str) -> bool:
    dated = ("created", "start", "end", "start_date", "due_date", "billing_cycle_anchor", "cancel_at", "trial_start")
    return name in dated or (
        name != "cancel_at_period_end" and name.endswith(("_at", "period_start", "period_end", "trial_end", "_attempt"))
    )


def _moment(value: object) -> object:
    return datetime.fromtimestamp(int(str(value)), UTC) if value is not None else None


def _as_json(made: Object) -> Object:
    return {name: json.dumps(value) if isinstance(value, dict | list) else value for name, value in made.items()}


def _write(url: str, loader: str, table: str, rows: list[Object]) -> None:
    """A table with the loader's columns; what else an object has is not landed."""
    published = LAYOUTS[loader].get(table)
    own = {name for row in rows for name in row}
    columns = sorted(own if published is None else own & {*published, "_airbyte_extracted_at", "_fivetran_synced"})
    if not columns:
        return
    instants = {name for row in rows for name, value in row.items() if isinstance(value, datetime)}
    kinds = {name: sa.DateTime() if name in instants else None for name in columns}
    engine, metadata = sa.create_engine(url), sa.MetaData()
    made = sa.Table(table, metadata, *(sa.Column(name, kinds[name] or _Any()) for name in columns))
    metadata.drop_all(engine)
    metadata.create_all(engine)
    with engine.begin() as con:
        naive = [{name: _naive(row.get(name)) for name in columns} for row in rows]
        if naive:
            con.execute(made.insert(), naive)
    engine.dispose()


class _Any(sa.types.UserDefinedType[Any]):
    """A column of SQLite that holds whatever it is given."""

    cache_ok = True

    def get_col_spec(self, **given: object) -> str:
        return ""


def _naive(value: object) -> object:
    return value.astimezone(UTC).replace(tzinfo=None) if isinstance(value, datetime) else value
