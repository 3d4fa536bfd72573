"""Objects of older API versions of Stripe in the form of the version that the mapping is written for.

What reads Stripe itself always asks for that version; loaders keep objects as their own version gave them, for the
most part 2022-11-15. Fields that are there already are left alone. Source: docs.stripe.com/changelog, 2025-03-31.basil.
"""

from __future__ import annotations

from typing import Any

from integrations.stripe.objects import Object, entries, ident


def invoice(old: Object) -> dict[str, Any]:
    """An invoice with its lines: taxes and discounts in lists of their own."""
    made = dict(old)
    if made.get("total_taxes") is None:
        made["total_taxes"] = _taxes(old.get("total_tax_amounts"), old.get("tax"))
    if made.get("total_discount_amounts") is None:
        made["total_discount_amounts"] = _discounted(made)
    lines = old.get("lines") or {}
    made["lines"] = {**lines, "data": [line(each) for each in entries(lines)]}
    return made


def line(old: Object) -> dict[str, Any]:
    """A line whose price, subscription and proration stood in the line itself."""
    made = dict(old)
    if made.get("pricing") is None and old.get("price"):
        price = old["price"]
        each = price.get("unit_amount_decimal") if isinstance(price, dict) else None
        made["pricing"] = {"price_details": {"price": ident(price)}, "unit_amount_decimal": each}
    if made.get("parent") is None:
        made["parent"] = _parent(old)
    if made.get("taxes") is None:
        made["taxes"] = _taxes(old.get("tax_amounts"), None)
    return made


def _parent(old: Object) -> dict[str, Any]:
    shared = {"proration": bool(old.get("proration")), "subscription": old.get("subscription")}
    if old.get("type") == "invoiceitem" or (old.get("invoice_item") and not old.get("subscription_item")):
        return {
            "type": "invoice_item_details",
            "invoice_item_details": {**shared, "invoice_item": old.get("invoice_item")},
        }
    details = {**shared, "subscription_item": old.get("subscription_item")}
    return {"type": "subscription_item_details", "subscription_item_details": details}


def _taxes(listed: object, whole: object) -> list[dict[str, Any]]:
    if listed is None:
        return [{"amount": whole, "tax_behavior": "exclusive"}] if whole else []
    return [{**each, "tax_behavior": "inclusive" if each.get("inclusive") else "exclusive"} for each in entries(listed)]


def _discounted(held: Object) -> list[dict[str, Any]]:
    """What the stated totals leave for discounts where none are listed; a total that leaves out all tax includes it."""
    added = sum(int(tax["amount"]) for tax in held["total_taxes"] if tax.get("tax_behavior") != "inclusive")
    off = int(held.get("subtotal") or 0) + added - int(held.get("total") or 0)
    return [{"amount": off}] if off > 0 and off != added else []


def subscription(old: Object) -> dict[str, Any]:
    """A subscription whose period and only discount stood in it."""
    made = dict(old)
    if not entries(made.get("discounts")) or not isinstance(entries(made["discounts"])[0], dict):
        made["discounts"] = [old["discount"]] if old.get("discount") else []
    period = {name: old.get(name) for name in ("current_period_start", "current_period_end")}
    items = made.get("items") or {}
    made["items"] = {**items, "data": [{**period, **each} for each in entries(items)], "has_more": False}
    return made
