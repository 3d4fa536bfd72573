"""Customers and discounts of the books as Stripe's objects."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from tests.peers.stripe.books import Row
from tests.peers.stripe.notes import noted
from tests.peers.stripe.numbers import UnheldError, minor, plain, seconds
from tests.peers.stripe.shapes import Object, shaped


def customer(row: Row, discount: Object | None) -> tuple[Object, Object, list[Object]]:
    """A customer, what Stripe leaves out unless asked (tax ids), and the payment method it refers to."""
    if row["status"] == "deleted":
        raise UnheldError("a deleted customer is in no list")
    code = row.get("currency")
    held = minor(row["credit_balance"], str(code)) if row.get("credit_balance") and code else 0
    natural: Row = {"credit_balance": row.get("credit_balance") if held else None, "is_business": None}
    method = _payment_method(row)
    made = shaped(
        "customer",
        id=row["customer_id"],
        created=seconds(row["created_at"]),
        name=row["name"],
        email=row.get("email"),
        currency=str(code).lower() if code else None,
        balance=-held,
        address=_address(row.get("country")),
        discount=discount,
        invoice_settings={"default_payment_method": method and method["id"], "custom_fields": None, "footer": None},
        metadata=noted(row, natural),
    )
    tax_ids = [_tax_id(row, number, entry) for number, entry in enumerate(row.get("tax_ids") or [], start=1)]  # type: ignore[arg-type]
    return made, {"tax_ids": tax_ids}, [method] if method else []


def _address(country: object) -> Object | None:
    parts = ("city", "country", "line1", "line2", "postal_code", "state")
    return dict.fromkeys(parts) | {"country": country} if country else None


def _tax_id(row: Row, number: int, entry: Object) -> Object:
    return shaped(
        "tax_id",
        id=f"txi_{row['customer_id']}_{number}",
        created=seconds(row["created_at"]),
        customer=row["customer_id"],
        country=row.get("country"),
        type=entry["type"],
        value=entry["value"],
        verification={"status": entry["status"], "verified_address": None, "verified_name": None},
    )


def _payment_method(row: Row) -> Object | None:
    stated = row.get("payment_method")
    if not isinstance(stated, dict):
        return None
    kind = str(stated["kind"])
    shown = {name: value for name, value in stated.items() if name != "kind"}
    if shown and kind != "card":
        raise UnheldError(f"details of a payment method of kind {kind}")
    made = shaped("payment_method", id=f"pm_{row['customer_id']}", customer=row["customer_id"], type=kind)
    card = made.pop("card")
    return made | ({"card": {**card, **shown}} if kind == "card" else {kind: {}})  # type: ignore[dict-item]


def discount(row: Row, now: datetime) -> tuple[Object, Object]:
    """A discount that is on now, and its coupon. Stripe forgets those that have ended."""
    starts, ends = row["starts_at"], row.get("ends_at")
    if not isinstance(starts, datetime) or starts > now or (isinstance(ends, datetime) and ends <= now):
        raise UnheldError("a discount that is not on now")
    coupon = shaped(
        "coupon",
        id=f"coupon_{row['discount_id']}",
        created=seconds(starts),
        duration="repeating" if ends else "forever",
        **_off(row),
    )
    made = shaped(
        "discount",
        id=row["discount_id"],
        customer=row.get("customer_id"),
        subscription=row.get("subscription_id"),
        subscription_item=row.get("item_id"),
        start=seconds(starts),
        end=seconds(ends),
        source={"type": "coupon", "coupon": coupon["id"]},
    )
    return made, coupon


def _off(row: Row) -> Object:
    value = Decimal(str(row["value"]))
    if row["kind"] == "percent":
        if row.get("currency"):
            raise UnheldError("a percentage with a currency")
        return {"percent_off": float(plain(value)), "amount_off": None, "currency": None}
    code = str(row["currency"])
    return {"percent_off": None, "amount_off": minor(value, code), "currency": code.lower()}
