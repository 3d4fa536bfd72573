"""OpenMeter's customers, subscriptions, entitlements and events as rows of the books."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal

from integrations.objects import Object, Row, Rows, entries, known, needed, nested
from integrations.openmeter.catalog import Meters, percentage
from integrations.values import UnreadableError, currency, decimal, instant, maybe, moment, quantity

_STATUS = {"active": "active", "canceled": "canceled", "inactive": "ended", "scheduled": "scheduled"}


def customer_rows(customer: Object) -> Rows:
    """The row of `customers`, and one of `subjects` for each subject that its usage is told by."""
    id, created = needed(customer.get("id"), "customer"), moment(customer.get("createdAt"))
    deleted = instant(customer.get("deletedAt"))
    row: Row = {
        "customer_id": id,
        "name": customer.get("name") or id,
        "email": customer.get("primaryEmail"),
        "currency": maybe(currency, customer.get("currency")),
        "country": nested(customer, "billingAddress", "country"),
        "status": "deleted" if deleted else "active",
        "created_at": created,
    }
    subjects: list[Row] = [
        {"subject": str(key), "customer_id": id, "kind": "subject", "valid_from": created, "valid_to": deleted}
        for key in nested(customer, "usageAttribution", "subjectKeys") or []
    ]
    return {"customers": [row], "subjects": subjects}


def subscription_rows(subscription: Object, price_ids: Mapping[str, str]) -> Rows:
    """Rows of `subscriptions`, `subscription_items` and `discounts`. `price_ids`: item -> its price in the books."""
    status = known(subscription.get("status"), _STATUS, "active")
    until = instant(subscription.get("activeTo"))
    row: Row = {
        "subscription_id": needed(subscription.get("id"), "subscription"),
        "customer_id": needed(subscription.get("customerId"), "customer"),
        "plan_id": nested(subscription, "plan", "id"),
        "status": status,
        "currency": currency(subscription.get("currency")),
        "started_at": moment(subscription.get("activeFrom")),
        "cancel_at": until if status == "canceled" else None,
        "ended_at": until if status == "ended" else None,
        "billing_anchor": moment(subscription.get("billingAnchor") or subscription.get("activeFrom")),
        "cadence": needed(subscription.get("billingCadence"), "cadence"),
        "timezone": "UTC",
        "collection_method": "charge_automatically",
    }
    rows: Rows = {"subscriptions": [row], "subscription_items": [], "discounts": []}
    for item in items(subscription):
        if item["id"] in price_ids:
            rows["subscription_items"].append(_item(item, row, price_ids[item["id"]]))
            rows["discounts"] += _discounts(item, row)
    return {table: held for table, held in rows.items() if held}


def items(subscription: Object) -> Iterator[Object]:
    """Every item with a price that the subscription has or had: the timelines keep what was edited away."""
    seen: set[str] = set()
    for phase in entries(subscription.get("phases")):
        timelines = phase.get("itemTimelines") or {}
        for item in [*entries(phase.get("items")), *(item for held in timelines.values() for item in entries(held))]:
            if item.get("price") and item["id"] not in seen:
                seen.add(item["id"])
                yield item


def _item(item: Object, subscription: Row, price_id: str) -> Row:
    ends = [at for at in (instant(item.get("activeTo")), subscription["ended_at"]) if at]
    return {
        "item_id": item["id"],
        "subscription_id": subscription["subscription_id"],
        "price_id": price_id,
        "quantity": Decimal(1) if nested(item, "price", "type") == "flat" else None,
        "active_from": moment(item.get("activeFrom")),
        "active_to": min(ends, default=None),  # type: ignore[type-var]
    }


def _discounts(item: Object, subscription: Row) -> list[Row]:
    off = percentage(item)
    if off is None:
        return []
    row: Row = {
        "discount_id": f"{item['id']}:percentage",
        "customer_id": subscription["customer_id"],
        "subscription_id": subscription["subscription_id"],
        "item_id": item["id"],
        "kind": "percent",
        "value": off,
        "starts_at": moment(item.get("activeFrom")),
        "ends_at": instant(item.get("activeTo")),
    }
    return [row]


def entitlement_rows(entitlement: Object, meters: Meters) -> Rows:
    """The row of `entitlements`."""
    kind = str(entitlement.get("type"))
    if kind not in {"metered", "static", "boolean"}:
        raise UnreadableError(f"it is of type {kind}, which is not known")
    metered = kind == "metered"
    issued = entitlement.get("issueAfterReset")
    row: Row = {
        "entitlement_id": needed(entitlement.get("id"), "entitlement"),
        "customer_id": needed(entitlement.get("customerId"), "customer"),
        "feature": needed(entitlement.get("featureKey"), "feature"),
        "meter_id": meters.get(str(entitlement.get("featureKey"))) if metered else None,
        "kind": kind,
        "allowance": maybe(quantity, nested(entitlement, "issue", "amount") if issued is None else issued),
        "soft_limit": entitlement.get("isSoftLimit") if metered else None,
        "access": True if kind == "boolean" else None,
        "usage_period": nested(entitlement, "usagePeriod", "intervalISO"),
        "last_reset_at": instant(entitlement.get("lastReset")),
        "active_from": moment(entitlement.get("activeFrom") or entitlement.get("createdAt")),
        "active_to": instant(entitlement.get("activeTo") or entitlement.get("deletedAt")),
    }
    return {"entitlements": [row]}


def event_rows(ingested: Object, property: str | None) -> Rows:
    """The row of `usage_events`. `property`: where the metered value is, `$.name`; None where events are counted."""
    event, error = ingested.get("event") or {}, ingested.get("validationError")
    data = event.get("data") if isinstance(event.get("data"), dict) else None
    row: Row = {
        "event_id": needed(event.get("id"), "id"),
        "source": needed(event.get("source"), "source"),
        "event_type": needed(event.get("type"), "type"),
        "subject": str(event.get("subject") or ""),
        "time": moment(event.get("time") or ingested.get("ingestedAt")),
        "value": _value(data or {}, property),
        "properties": data,
        "received_at": moment(ingested.get("ingestedAt")),
        "status": "invalid" if error else "accepted",
        "error": error,
    }
    return {"usage_events": [row]}


def _value(data: Object, property: str | None) -> Decimal | None:
    """The metered number; None for text, of which distinct ones may be counted."""
    found = nested(data, *property.removeprefix("$.").split(".")) if property else None
    try:
        return None if found is None else quantity(decimal(found))
    except UnreadableError:
        return None
