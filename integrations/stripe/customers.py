"""Customers of Stripe as rows of the books."""

from __future__ import annotations

from integrations.stripe.amounts import currency, decimal, moment, money
from integrations.stripe.metadata import stated
from integrations.stripe.objects import Object, Row, Rows, entries, known, link, merged, needed, nested
from integrations.stripe.subscriptions import discount_rows

EXPAND = ("tax_ids", "invoice_settings.default_payment_method", "discount.source.coupon")
"""What a customer must be asked with, so that its row is complete."""

_TAX_ID_STATUS = {"verified": "verified", "unverified": "unverified"}


def customer_rows(customer: Object) -> Rows:
    """The row of `customers`, and of `discounts` if there is one. Raises UnreadableError, UnknownCurrencyError.

    `credit_balance` is what Stripe's balance holds for the customer; a balance of nothing is null, because then
    credits, if there are any, are kept elsewhere.
    """
    said = stated("customers", customer.get("metadata"))
    code = said.get("currency") or (currency(customer["currency"]) if customer.get("currency") else None)
    held = decimal(customer.get("balance") or 0)
    row: Row = {
        "customer_id": needed(customer.get("id"), "customer"),
        "name": customer.get("name") or customer.get("email") or customer.get("id"),
        "email": customer.get("email"),
        "currency": code,
        "country": nested(customer, "address", "country"),
        "is_business": True if customer.get("business_name") else None,
        "tax_ids": _tax_ids(customer),
        "payment_method": _payment_method(nested(customer, "invoice_settings", "default_payment_method")),
        "credit_balance": money(-held, str(code)) if held else None,
        "status": "deleted" if customer.get("deleted") else "active",
        "created_at": moment(customer.get("created")),
        "external_url": link(customer, "customers"),
    }
    rows: Rows = {"customers": [row | said]}
    return merged(rows, discount_rows(customer["discount"])) if customer.get("discount") else rows


def _tax_ids(customer: Object) -> list[dict[str, str]] | None:
    """The tax ids in their order; null when Stripe was not asked for them."""
    if customer.get("tax_ids") is None:
        return None
    return [
        {
            "type": str(tax_id.get("type")),
            "value": str(tax_id.get("value")),
            "status": known(nested(tax_id, "verification", "status"), _TAX_ID_STATUS, "pending"),
        }
        for tax_id in entries(customer["tax_ids"])
    ]


def _payment_method(method: object) -> dict[str, object] | None:
    """The default payment method's kind and, of a card, what may be shown of it; null when there is none."""
    if not isinstance(method, dict):
        return None
    kind = str(method.get("type"))
    card = method.get("card") if kind == "card" else None
    shown = ("brand", "last4", "exp_month", "exp_year")
    return {"kind": kind, **({name: card.get(name) for name in shown} if isinstance(card, dict) else {})}
