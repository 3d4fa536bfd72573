"""Customers, subscriptions and reported usage of the books as Zuora's accounts, versions and usage records."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from tests.peers.vendor import Object
from tests.peers.zuora.catalog import terms
from tests.peers.zuora.forms import day, stamp

STATUS = {
    "scheduled": "Pending Activation",
    "active": "Active",
    "canceled": "Cancelled",
    "ended": "Cancelled",
    "paused": "Suspended",
}

BILLED_ON = 15
SIGNED = datetime(2026, 10, 1, 9, tzinfo=UTC)
"""When a subscription was made that has not begun."""


def account(row: Object) -> Object:
    """An account with its contact and its default payment method."""
    method: Any = row["payment_method"]
    shown: Object | None = method and {"type": "PayPal"}
    if method and method["kind"] == "card":
        shown = {
            "type": "CreditCard",
            "creditCardType": "Visa",
            "creditCardMaskNumber": f"************{method['last4']}",
            "creditCardExpirationMonth": method["exp_month"],
            "creditCardExpirationYear": method["exp_year"],
        }
    return {
        "id": row["customer_id"],
        "accountNumber": f"A-{row['customer_id']}",
        "name": row["name"],
        "currency": row["currency"],
        "status": "Canceled" if row["status"] == "deleted" else "Active",
        "vATId": row["tax_ids"][0]["value"] if row["tax_ids"] else None,
        "creditBalance": row["credit_balance"] or 0,
        "unappliedBalance": 0,
        "billCycleDay": BILLED_ON,
        "autoPay": row["customer_id"] != "kuwait",
        "billTo": {"country": row["country"], "workEmail": row["email"]},
        "defaultPaymentMethod": shown,
        "createdDate": stamp(row["created_at"]),
    }


def versions(row: Object, rows: dict[str, list[Object]], accounts: dict[str, Object]) -> list[Object]:
    """A subscription as it was first, superseded, and as it is now. Ids are of a version, numbers stay."""
    made = min(row["started_at"], SIGNED)
    changed = row["canceled_at"] or row["ended_at"] or made
    shared: Object = {
        "name": row["subscription_id"],
        "accountId": row["customer_id"],
        "account": accounts[row["customer_id"]],
        "currency": row["currency"],
        "subscriptionStartDate": day(row["started_at"]),
        "createdDate": stamp(made),
    }
    first = {
        "id": f"v1-{row['subscription_id']}",
        "version": 1,
        "isLatestVersion": False,
        "status": "Expired",
        "updatedDate": stamp(made),
        "ratePlans": _rate_plans(row, rows, "v1"),
    }
    latest = {
        "id": f"v2-{row['subscription_id']}",
        "version": 2,
        "isLatestVersion": True,
        "status": STATUS[row["status"]],
        "cancelledDate": day(row["cancel_at"] or row["ended_at"]),
        "updatedDate": stamp(changed),
        "ratePlans": _rate_plans(row, rows, "v2"),
    }
    return [shared | first, shared | latest]


def _rate_plans(row: Object, rows: dict[str, list[Object]], version: str) -> list[Object]:
    items = [each for each in rows["subscription_items"] if each["subscription_id"] == row["subscription_id"]]
    prices = {each["price_id"]: each for each in rows["prices"]}
    charges = [_charge(item, prices[item["price_id"]], row, rows, version) for item in items]
    return [{"productRatePlanId": row["plan_id"].partition("/")[0], "ratePlanCharges": charges}]


def _charge(item: Object, price: Object, row: Object, rows: dict[str, list[Object]], version: str) -> Object:
    number, _, segment = item["item_id"].partition(":")
    stated = terms(price, rows)
    return {
        "id": f"{version}-{item['item_id']}",
        "chargeNumber": number,
        "segment": int(segment),
        "productRatePlanChargeId": price["name"],
        "quantity": item["quantity"],
        "effectiveStartDate": day(item["active_from"]),
        "effectiveEndDate": day(item["active_to"]),
        "billCycleType": "SubscriptionStartDay"
        if row["billing_anchor"] == row["started_at"]
        else "DefaultFromCustomer",
        "ratePlanChargeTiers": stated.pop("tiers"),
        **stated,
    }


def usage(row: Object) -> Object:
    """A usage record."""
    return {
        "id": row["record_id"],
        "ratePlanChargeId": f"v2-{row['item_id']}",
        "startDateTime": stamp(row["period_start"]),
        "endDateTime": stamp(row["period_end"]),
        "quantity": row["quantity"],
        "rbeStatus": str(row["status"]).title(),
        "submissionDateTime": stamp(row["recorded_at"]),
        "createdDate": stamp(row["recorded_at"]),
    }
