"""Lago's customers, subscriptions, coupons and prepaid credits as rows of the books."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from integrations.lago.terms import anchor, base_price, cadence, customer_of, item
from integrations.objects import Object, Row, Rows, known, needed, nested
from integrations.values import UnreadableError, currency, instant, maybe, minor, moment, money, price, quantity

_EU = re.compile("AT|BE|BG|CY|CZ|DE|DK|EE|EL|ES|FI|FR|GR|HR|HU|IE|IT|LT|LU|LV|MT|NL|PL|PT|RO|SE|SI|SK")
_STATUS = {
    "pending": "scheduled",
    "incomplete": "scheduled",
    "active": "active",
    "terminated": "ended",
    "canceled": "ended",
}
_GRANT = {"pending": "pending", "settled": "active", "failed": "voided"}


def customer_rows(customer: Object) -> Rows:
    """The row of `customers`."""
    names = [customer.get("name"), customer.get("legal_name")]
    person = " ".join(str(part) for part in (customer.get("firstname"), customer.get("lastname")) if part)
    kind, number = customer.get("customer_type"), customer.get("tax_identification_number")
    row: Row = {
        "customer_id": needed(customer.get("external_id"), "external id"),
        "name": next((name for name in (*names, person) if name), customer.get("external_id")),
        "email": customer.get("email"),
        "currency": maybe(currency, customer.get("currency")),
        "country": customer.get("country"),
        "is_business": None if kind is None else kind == "company",
        "tax_ids": [_tax_id(str(number))] if number else [],
        "status": "active",
        "created_at": moment(customer.get("created_at")),
    }
    return {"customers": [row]}


def _tax_id(number: str) -> dict[str, str]:
    """Lago states the number alone; one that begins with a country of the EU is its VAT number."""
    return {"type": "eu_vat" if _EU.match(number) else "unknown", "value": number, "status": "unverified"}


def zone(customer: Object) -> str:
    """The timezone that the customer's periods are cut in."""
    return str(customer.get("applicable_timezone") or customer.get("timezone") or "UTC")


def subscription_rows(subscription: Object, customer: Object, plan: Object, at: datetime) -> Rows:
    """Rows of `subscriptions`, `subscription_items` and `subjects`, as of `at`.

    `plan` is the subscription's own, with what was negotiated. Lago's events name the subscription's external id.
    """
    row = _subscription(subscription, customer, plan, at)
    subject: Row = {
        "subject": needed(subscription.get("external_id"), "external id"),
        "customer_id": row["customer_id"],
        "kind": "subject",
        "valid_from": row["started_at"],
        "valid_to": row["ended_at"],
    }
    return {"subscriptions": [row], "subscription_items": list(_items(row, plan)), "subjects": [subject]}


def _subscription(subscription: Object, customer: Object, plan: Object, at: datetime) -> Row:
    ended = instant(subscription.get("terminated_at"))
    if subscription.get("status") == "canceled":  # before it began
        ended = ended or instant(subscription.get("canceled_at"))
    trial = instant(subscription.get("trial_ended_at"))
    status = "ended" if ended else known(subscription.get("status"), _STATUS, "active")
    leaving = instant(subscription.get("ending_at"))
    if status == "active" and trial and trial > at:
        status = "trialing"
    elif status == "active" and (leaving or subscription.get("canceled_at")):
        status = "canceled"
    provider = nested(customer, "billing_configuration", "payment_provider")
    return {
        "subscription_id": needed(subscription.get("lago_id"), "subscription"),
        "customer_id": customer_of(subscription),
        "plan_id": needed(subscription.get("plan_code"), "plan"),
        "status": status,
        "currency": currency(subscription.get("plan_amount_currency") or plan.get("amount_currency")),
        "started_at": moment(subscription.get("started_at") or subscription.get("subscription_at")),
        "trial_end": trial,
        "cancel_at": leaving,
        "canceled_at": instant(subscription.get("canceled_at")),
        "ended_at": ended,
        "billing_anchor": anchor(subscription, plan, zone(customer)),
        "cadence": cadence(plan.get("interval")),
        "timezone": zone(customer),
        "collection_method": "charge_automatically" if provider else "send_invoice",
    }


def _items(row: Row, plan: Object) -> Iterable[Row]:
    parts: list[tuple[str, Decimal | None]] = [(base_price(str(plan.get("code"))), Decimal(1))]
    parts += [(str(charge["lago_id"]), None) for charge in plan.get("charges") or []]
    parts += [(str(fixed["lago_id"]), quantity(fixed.get("units"))) for fixed in plan.get("fixed_charges") or []]
    for price_id, units in parts:
        yield {
            "item_id": item(str(row["subscription_id"]), price_id),
            "subscription_id": row["subscription_id"],
            "price_id": price_id,
            "quantity": units,
            "active_from": row["started_at"],
            "active_to": row["ended_at"],
        }


def coupon_rows(applied: Object) -> Rows:
    """The row of `discounts` for an applied coupon; none for one that counts once. It holds for the whole customer."""
    if applied.get("frequency") == "once":
        return {}
    ends = [at for at in map(instant, (applied.get("terminated_at"), applied.get("expiration_at"))) if at]
    row: Row = {
        "discount_id": needed(applied.get("lago_id"), "coupon"),
        "customer_id": needed(applied.get("external_customer_id"), "customer"),
        "starts_at": moment(applied.get("created_at")),
        "ends_at": min(ends, default=None),
    }
    if applied.get("percentage_rate") is not None:
        return {"discounts": [row | {"kind": "percent", "value": price(applied["percentage_rate"])}]}
    code = currency(applied.get("amount_currency"))
    return {
        "discounts": [row | {"kind": "amount", "value": minor(applied.get("amount_cents"), code), "currency": code}]
    }


def grant_rows(transaction: Object, wallet: Object) -> Rows:
    """The row of `credit_grants` for credits that came in; none for credits that were used."""
    if transaction.get("transaction_type") != "inbound":
        return {}
    expires = instant(wallet.get("expiration_at"))
    failed = instant(transaction.get("failed_at"))
    status = known(transaction.get("status"), _GRANT, "")
    if not status:
        raise UnreadableError(f"its status is {transaction.get('status')!r}, which is not known")
    bought = transaction.get("transaction_status") == "purchased"
    row: Row = {
        "grant_id": needed(transaction.get("lago_id"), "transaction"),
        "customer_id": needed(wallet.get("external_customer_id"), "customer"),
        "currency": currency(wallet.get("currency")),
        "amount": money(transaction.get("amount")),
        "funding": "invoice" if bought else "none",
        "priority": int(str(transaction.get("priority") or 0)),
        "effective_at": moment(transaction.get("settled_at") or transaction.get("created_at")),
        "expires_at": expires,
        "voided_at": failed,
        "status": status,
        "created_at": moment(transaction.get("created_at")),
    }
    return {"credit_grants": [row]}
