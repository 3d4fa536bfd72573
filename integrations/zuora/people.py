"""Zuora's accounts, subscriptions and usage records as rows of the books."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from integrations.objects import Object, Row, Rows, entries, known, merged, needed, nested
from integrations.values import UnreadableError, currency, maybe, money, quantity
from integrations.zuora.catalog import Charged, cadence, is_discount, kind_of, price_rows, recurs
from integrations.zuora.fields import at, coded, first, word

Find = Callable[[object], Charged]
"""What the charge of an id is. Raises UnreadableError for none."""

PriceOf = Callable[[Rows, Object], str | None]
"""The id of the catalogue's price with the terms in the rows, for a charge; None when the terms are its own."""

_STATUS = {
    "draft": "scheduled",
    "pendingactivation": "scheduled",
    "pendingacceptance": "scheduled",
    "active": "active",
    "suspended": "paused",
    "expired": "ended",
}
_BY_DAY = frozenset({"", "defaultfromcustomer", "specificdayofmonth"})
_USAGE = {"processed": "processed", "pending": "pending", "importing": "pending", "error": "rejected"}


def customer_rows(account: Object, zone: ZoneInfo) -> Rows:
    """The row of `customers`. Its credit is its credit balance and what of payments and memos is not applied."""
    code, vat = maybe(currency, account.get("currency")), account.get("vATId")
    held = [maybe(money, account.get(name)) for name in ("creditBalance", "unappliedBalance")]
    country = str(nested(account, "billTo", "country") or "")
    row: Row = {
        "customer_id": needed(account.get("id"), "account"),
        "name": account.get("name") or account.get("accountNumber"),
        "email": nested(account, "billTo", "workEmail"),
        "currency": code,
        "country": country.upper() if len(country) == 2 else None,
        "tax_ids": [{"type": "eu_vat", "value": str(vat), "status": "pending"}] if vat else [],
        "payment_method": _method(account.get("defaultPaymentMethod")),
        "credit_balance": sum(each for each in held if each) or None,
        "status": "deleted" if word(account.get("status")) == "canceled" else "active",
        "created_at": first(account, zone, "createdDate"),
    }
    return {"customers": [row]}


def _method(method: object) -> Row | None:
    kind = nested(method, "type")
    if kind is None:
        return None
    if word(kind) != "creditcard":
        return {"kind": str(kind).lower()}
    number = str(nested(method, "creditCardMaskNumber") or "")
    return {
        "kind": "card",
        "brand": str(nested(method, "creditCardType") or "").lower() or None,
        "last4": number[-4:] or None,
        "exp_month": nested(method, "creditCardExpirationMonth"),
        "exp_year": nested(method, "creditCardExpirationYear"),
    }


def charges_of(subscription: Object) -> list[Object]:
    """The charges of a subscription, with its number and currency; none of a version that is superseded."""
    plans = [] if subscription.get("isLatestVersion") is False else entries(subscription.get("ratePlans"))
    charges = [charge for plan in plans for charge in entries(plan.get("ratePlanCharges")) if not is_discount(charge)]
    shared = {"subscription": subscription.get("name"), "currency": coded(subscription)} if charges else {}
    return [{**charge, **shared} for charge in charges]


def subscription_rows(subscription: Object, zone: ZoneInfo) -> Rows:
    """The row of `subscriptions`; none for a version that is superseded."""
    if subscription.get("isLatestVersion") is False:
        return {}
    charges = charges_of(subscription)
    every = recurs(charges)
    if every is None:
        raise UnreadableError("it has no billing period")
    started = first(subscription, zone, "subscriptionStartDate", "contractEffectiveDate", "createdDate")
    left, changed = at(subscription.get("cancelledDate"), zone), at(subscription.get("updatedDate"), zone)
    status = known(word(subscription.get("status")), _STATUS, "active")
    if word(subscription.get("status")) == "cancelled":
        status = "canceled" if left and changed and left > changed else "ended"
    code, account = coded(subscription), subscription.get("account")
    lasting = (plan for plan in entries(subscription.get("ratePlans")) if recurs(entries(plan.get("ratePlanCharges"))))
    plan_id = nested(next(lasting, None), "productRatePlanId")
    by_hand = nested(account, "autoPay") is False
    over = left or at(subscription.get("subscriptionEndDate"), zone)
    row: Row = {
        "subscription_id": needed(subscription.get("name"), "number"),
        "customer_id": needed(subscription.get("accountId"), "account"),
        "plan_id": f"{plan_id}/{code}" if plan_id else None,
        "status": status,
        "currency": code,
        "started_at": started,
        "cancel_at": left if status == "canceled" else None,
        "canceled_at": changed if status == "canceled" else None,
        "ended_at": over if status == "ended" else None,
        "billing_anchor": _anchor(started, charges, account, zone),
        "cadence": every,
        "timezone": zone.key,
        "collection_method": "send_invoice" if by_hand else "charge_automatically",
    }
    return {"subscriptions": [row]}


def _anchor(started: datetime, charges: list[Object], account: object, zone: ZoneInfo) -> datetime:
    """Where periods are counted from: the last bill cycle day up to the start, or the start where that sets the day."""
    charge = next((each for each in charges if word(each.get("chargeType")) == "recurring"), charges[0])
    if word(charge.get("billCycleType")) not in _BY_DAY:
        return started
    local = started.astimezone(zone)
    day = int(charge.get("billCycleDay") or nested(account, "billCycleDay") or local.day)
    back = (local - timedelta(days=n) for n in range(62))
    return next((found for found in back if found.day == day), local).astimezone(UTC)


def item_rows(charge: Object, zone: ZoneInfo, proration: str, price_of: PriceOf) -> tuple[Charged, Rows]:
    """What a segment of a subscription's charge is: its item, and its price where the terms are its own."""
    item_id = f"{needed(charge.get('chargeNumber'), 'charge number')}:{int(charge.get('segment') or 1)}"
    stated = {**charge, "tiers": entries(charge.get("ratePlanChargeTiers"))}
    own = price_rows(stated, item_id, None, proration)
    price_id, kind = price_of(own, charge), kind_of(charge)
    started = at(charge.get("effectiveStartDate"), zone)
    row: Row = {
        "item_id": item_id,
        "subscription_id": charge.get("subscription"),
        "price_id": price_id or item_id,
        "quantity": None if kind == "usage" else maybe(quantity, charge.get("quantity")),
        "active_from": started,
        "active_to": at(charge.get("effectiveEndDate"), zone),
    }
    made = Charged(item_id, price_id or item_id, kind, str(own["prices"][0]["model"]), cadence(charge), started)
    return made, merged({"subscription_items": [row]}, own if price_id is None else {})


def usage_rows(usage: Object, zone: ZoneInfo, find: Find) -> Rows:
    """The row of `reported_usage`."""
    start = first(usage, zone, "startDateTime")
    row: Row = {
        "record_id": needed(usage.get("id"), "usage"),
        "item_id": find(needed(usage.get("ratePlanChargeId"), "charge")).item_id,
        "period_start": start,
        "period_end": at(usage.get("endDateTime"), zone) or start + timedelta(seconds=1),
        "quantity": quantity(usage.get("quantity")),
        "recorded_at": first(usage, zone, "submissionDateTime", "createdDate"),
        "status": known(word(usage.get("rbeStatus")), _USAGE, "pending"),
    }
    return {"reported_usage": [row]}
