"""One OpenMeter: books rows turned into its objects, lists with numbered pages, events by cursor."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

from tests.peers.openmeter import writes
from tests.peers.vendor import Object, Refused, text

LISTS = "meters features plans customers subscriptions invoices entitlements events"


def ulid(name: object) -> str:
    """A stable id of OpenMeter's form for a name."""
    digest = hashlib.sha256(str(name).encode()).digest()
    return "0" + "".join("0123456789ABCDEFGHJKMNPQRSTVWXYZ"[byte % 32] for byte in digest[:25])


class Account:
    """The objects by list, oldest first."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.clock = clock
        self.lists: dict[str, list[Object]] = {name: [] for name in LISTS.split()}

    def allowed(self, headers: dict[str, str], key: str) -> bool:
        """Whether the request has the token."""
        return headers.get("authorization") == f"Bearer {key}"

    def answer(self, method: str, path: str, query: dict[str, list[str]]) -> Object | list[Object]:
        """A list or an object."""
        asked = {name: values[0] for name, values in query.items()}
        parts = path.removeprefix("/api/").split("/")
        if parts == ["v1", "meters"]:
            return self.lists["meters"]
        if parts == ["v1", "features"]:
            return _page(self.lists["features"], asked) if "page" in asked else self.lists["features"]
        if parts == ["v1", "customers"]:
            return _page([self._customer_of(each, asked) for each in self.lists["customers"]], asked)
        if parts in (["v1", "plans"], ["v2", "entitlements"]):
            return _page(self.lists[parts[1]], asked)
        if parts == ["v1", "billing", "invoices"]:
            return self._invoices(asked)
        if parts == ["v2", "events"]:
            return self._events(asked)
        if len(parts) == 3 and parts[:2] in (["v1", "subscriptions"], ["v1", "plans"]):
            for thing in self.lists[parts[1]]:
                if thing["id"] == parts[2]:
                    return thing
        if len(parts) == 3 and parts[:2] == ["v1", "customers"] and "expand" in asked:
            return self._customer_of(next(each for each in self.lists["customers"] if each["id"] == parts[2]), asked)
        if (len(parts) == 3 and parts[:2] == ["v1", "customers"]) or parts[:3] == ["v1", "billing", "invoices"]:
            for thing in self.lists[parts[-2]]:
                if thing["id"] == parts[-1]:
                    return thing
        raise Refused(404, {"type": "about:blank", "title": "Not Found", "status": 404, "detail": "not found"})

    def write(self, method: str, path: str, body: Object) -> Object:
        """What is changed."""
        return writes.written(self, method, path.removeprefix("/api/v1/").split("/"), body)

    def _customer_of(self, customer: Object, asked: dict[str, str]) -> Object:
        if asked.get("expand") != "subscriptions":
            return customer
        held = [each for each in self.lists["subscriptions"] if each["customerId"] == customer["id"]]
        short = [{name: value for name, value in each.items() if name != "phases"} for each in held]
        return {**customer, "subscriptions": short}

    def _invoices(self, asked: dict[str, str]) -> Object:
        order = asked.get("orderBy", "createdAt")
        found = sorted(self.lists["invoices"], key=lambda each: str(each[order]), reverse=asked.get("order") == "DESC")
        if "customers" in asked:
            found = [each for each in found if each["customer"]["id"] == asked["customers"]]
        if asked.get("expand") != "lines":
            found = [{name: value for name, value in each.items() if name != "lines"} for each in found]
        return _page(found, asked)

    def _events(self, asked: dict[str, str]) -> Object:
        found = list(reversed(self.lists["events"]))
        if "filter" in asked:
            wanted = json.loads(asked["filter"])
            for name in ("id", "source"):
                if name in wanted:
                    found = [each for each in found if each["event"][name] == wanted[name]["$eq"]]
            if "ingestedAt" in wanted:
                since = datetime.fromisoformat(wanted["ingestedAt"]["$gte"])
                found = [each for each in found if datetime.fromisoformat(each["ingestedAt"]) >= since]
        start, limit = int(asked.get("cursor", "0")), int(asked.get("limit", "100"))
        more = {"nextCursor": str(start + limit)} if start + limit < len(found) else {}
        return {"items": found[start : start + limit]} | more

    def load(self, rows: dict[str, list[Object]]) -> None:
        """Takes over rows of the books; those that OpenMeter has no object for are left out."""
        self.lists["meters"] += [_meter(row) for row in rows.get("meters", [])]
        self.lists["features"] += [_feature(row) for row in rows.get("meters", [])]
        self.lists["plans"] += [_plan(row, rows) for row in rows.get("plans", [])]
        self.lists["customers"] += [_customer(row, rows) for row in rows.get("customers", [])]
        self.lists["subscriptions"] += [_subscription(row, rows) for row in rows.get("subscriptions", [])]
        self.lists["invoices"] += [_invoice(row, rows) for row in rows.get("invoices", [])]
        self.lists["entitlements"] += [_entitlement(row) for row in rows.get("entitlements", [])]
        self.lists["events"] += [_event(row) for row in rows.get("usage_events", [])]


def _page(found: list[Object], asked: dict[str, str]) -> Object:
    page, size = int(asked.get("page", "1")), int(asked.get("pageSize", "100"))
    return {"totalCount": len(found), "page": page, "pageSize": size, "items": found[(page - 1) * size : page * size]}


def _stamped(created: object = None) -> Object:
    at = text(created) if created else "2025-01-01T00:00:00Z"
    return {"createdAt": at, "updatedAt": at}


def _without_nothing(thing: Object) -> Object:
    return {name: value for name, value in thing.items() if value is not None}


def _meter(row: Object) -> Object:
    return _without_nothing(
        {
            "id": ulid(row["meter_id"]),
            "slug": row["meter_id"],
            "name": row["name"],
            "aggregation": row["aggregation"].upper(),
            "eventType": row["event_type"],
            "valueProperty": row["value_property"],
            **_stamped(),
        }
    )


def _feature(row: Object) -> Object:
    return {
        "id": ulid(f"feature {row['meter_id']}"),
        "key": row["meter_id"],
        "name": row["name"],
        "meterSlug": row["meter_id"],
        **_stamped(),
    }


def _customer(row: Object, rows: dict[str, list[Object]]) -> Object:
    subjects = [each["subject"] for each in rows["subjects"] if each["customer_id"] == row["customer_id"]]
    return _without_nothing(
        {
            "id": row["customer_id"],
            "name": row["name"],
            "primaryEmail": row["email"],
            "currency": row["currency"],
            "billingAddress": {"country": row["country"]} if row["country"] else None,
            "usageAttribution": {"subjectKeys": subjects} if subjects else None,
            "deletedAt": "2026-08-01T00:00:00Z" if row["status"] == "deleted" else None,
            **_stamped(row["created_at"]),
        }
    )


def _amount(name: str, price: Object) -> Object:
    return {name: text(price[{"minimumAmount": "minimum_amount", "maximumAmount": "maximum_amount"}[name]])}


def _card(price: Object, key: str, rows: dict[str, list[Object]], off: object = None) -> Object:
    """A rate card's terms: an item of a subscription has the same."""
    model = price["model"]
    limits: Object = {}
    for name in ("minimumAmount", "maximumAmount"):
        limits |= _amount(name, price) if _amount(name, price)[name] else {}
    if model == "flat":
        stated: Object = {"type": "flat", "amount": text(price["flat_amount"]), "paymentTerm": price["payment_term"]}
    elif model == "per_unit":
        stated = {"type": "unit", "amount": text(price["unit_amount"])} | limits
    elif model == "dynamic":
        stated = {"type": "dynamic", "multiplier": text(price["unit_amount"])} | limits
    elif model == "package":
        size = text(price["package_size"])
        stated = {"type": "package", "amount": text(price["unit_amount"]), "quantityPerPackage": size} | limits
    else:
        tiers = [_tier(tier) for tier in rows["price_tiers"] if tier["price_id"] == price["price_id"]]
        stated = {"type": "tiered", "mode": model, "tiers": tiers} | limits
    usage = {"usage": {"quantity": text(price["free_units"])}} if price["free_units"] else {}
    percent = {"percentage": {"percentage": float(str(off))}} if off else {}
    tax = {"taxConfig": {"behavior": price["tax_behavior"]}} if price["tax_behavior"] else {}
    feature = {"featureKey": price["meter_id"]} if price["meter_id"] else {}
    discounts = {"discounts": usage | percent} if usage or percent else {}
    return (
        {"key": key, "name": price["name"], "billingCadence": price["cadence"], "price": stated}
        | tax
        | feature
        | discounts
    )


def _tier(tier: Object) -> Object:
    return {
        "flatPrice": {"type": "flat", "amount": text(tier["flat_amount"] or Decimal(0))},
        "unitPrice": {"type": "unit", "amount": text(tier["unit_amount"])},
    } | ({"upToAmount": text(tier["up_to"])} if tier["up_to"] is not None else {})


def _plan(row: Object, rows: dict[str, list[Object]]) -> Object:
    own = [price for price in rows["prices"] if price["plan_id"] == row["plan_id"]]
    kinds = {True: "usage_based", False: "flat_fee"}
    cards = [
        {"type": kinds[price["meter_id"] is not None], **_card(price, price["price_id"].split(":")[-1], rows)}
        for price in own
    ]
    return _without_nothing(
        {
            "id": row["plan_id"],
            "key": row["plan_key"],
            "version": row["version"],
            "name": row["name"],
            "status": row["status"],
            "currency": row["currency"],
            "billingCadence": row["cadence"],
            "proRatingConfig": {"enabled": True, "mode": "prorate_prices"},
            "effectiveFrom": text(row["effective_from"]),
            "effectiveTo": text(row["effective_to"]),
            "phases": [{"key": "all", "name": "All", "duration": None, "rateCards": cards}],
            "validationErrors": [],
            **_stamped(),
        }
    )


def _subscription(row: Object, rows: dict[str, list[Object]]) -> Object:
    plan = next((plan for plan in rows["plans"] if plan["plan_id"] == row["plan_id"]), None)
    items = [
        _item(each, rows) for each in rows["subscription_items"] if each["subscription_id"] == row["subscription_id"]
    ]
    current = [item for item in items if "activeTo" not in item]
    timelines: dict[str, list[Object]] = {}
    for item in items:
        timelines.setdefault(item["key"], []).append(item)
    phase = {"id": ulid("phase"), "key": "all", "name": "All", "activeFrom": text(row["started_at"]), **_stamped()}
    return _without_nothing(
        {
            "id": row["subscription_id"],
            "name": "Subscription",
            "activeFrom": text(row["started_at"]),
            "activeTo": text(row["ended_at"] or row["cancel_at"]),
            "status": "inactive" if row["status"] == "ended" else row["status"],
            "customerId": row["customer_id"],
            "plan": {"id": plan["plan_id"], "key": plan["plan_key"], "version": plan["version"]} if plan else None,
            "currency": row["currency"],
            "costBasisMode": "dynamic",
            "costBasisPins": [],
            "billingCadence": row["cadence"],
            "proRatingConfig": {"enabled": True, "mode": "prorate_prices"},
            "billingAnchor": text(row["billing_anchor"]),
            "settlementMode": "credit_then_invoice",
            "phases": [{**phase, "items": current, "itemTimelines": timelines}],
            **_stamped(row["started_at"]),
        }
    )


def _item(row: Object, rows: dict[str, list[Object]]) -> Object:
    price = next(price for price in rows["prices"] if price["price_id"] == row["price_id"])
    off = next((each["value"] for each in rows["discounts"] if each["item_id"] == row["item_id"]), None)
    card = _card(price, price["price_id"].split(":")[-1] if price["plan_id"] else "own", rows, off)
    return _without_nothing(
        {
            **card,
            "id": row["item_id"],
            "activeFrom": text(row["active_from"]),
            "activeTo": text(row["active_to"]),
            **_stamped(),
        }
    )


def _sums(amount: Decimal, charges: Decimal, off: Decimal, credits: Decimal, tax: Decimal) -> Object:
    total = amount + charges - off - credits + tax
    names = "amount chargesTotal discountsTotal creditsTotal taxesExclusiveTotal taxesTotal total taxesInclusiveTotal"
    values = (amount, charges, off, credits, tax, tax, total, Decimal(0))
    return {name: text(value) for name, value in zip(names.split(), values, strict=True)}


def _invoice(row: Object, rows: dict[str, list[Object]]) -> Object:
    own = [line for line in rows["invoice_lines"] if line["invoice_id"] == row["invoice_id"]]
    charges = sum((line["amount"] for line in own if line["kind"] == "commitment"), Decimal(0))
    status = {"open": "issued", "void": "voided"}.get(row["status"], row["status"])
    period = {"from": text(row["period_start"]), "to": text(row["period_end"])} if row["period_start"] else None
    return _without_nothing(
        {
            "id": row["invoice_id"],
            "type": "standard",
            "supplier": {"name": "We"},
            "customer": {"id": row["customer_id"], "usageAttribution": {"subjectKeys": []}},
            "number": row["number"] or "",
            "currency": row["currency"],
            "totals": _sums(
                row["subtotal"] - charges, charges, row["discount_total"], row["credits_applied"], row["tax_total"]
            ),
            "status": status,
            "statusDetails": {
                "immutable": status != "draft",
                "failed": False,
                "extendedStatus": status,
                "availableActions": {},
            },
            "issuedAt": text(row["issued_at"]),
            "draftUntil": text(row["finalizes_at"]),
            "dueAt": text(row["due_at"]),
            "voidedAt": text(row["voided_at"]),
            "period": period,
            "workflow": {
                "sourceBillingProfileId": ulid("profile"),
                "workflow": {"invoicing": {"autoAdvance": row["auto_advance"]}},
            },
            "lines": [_line(line, own, row, rows) for line in own if line["kind"] != "commitment"],
            "validationIssues": [_issue(row["error"])] if row["error"] else None,
            **_stamped(row["created_at"]),
        }
    )


def _issue(message: str) -> Object:
    return {"id": ulid("issue"), "severity": "critical", "component": "tax", "message": message, **_stamped()}


def _line(line: Object, own: list[Object], invoice: Object, rows: dict[str, list[Object]]) -> Object:
    added = [each["amount"] for each in own if each["line_id"] == f"{line['line_id']}:commitment"]
    price = next((each for each in rows["prices"] if each["price_id"] == line["price_id"]), None)
    created = text(invoice["created_at"])
    period = {"from": text(line["period_start"]) or created, "to": text(line["period_end"]) or created}
    full = {**period, "from": text(invoice["period_start"]) or created} if line["proration"] else period
    card = _card(price, "k", rows) if price else {"price": {"type": "flat", "amount": text(line["amount"])}}
    reference = {
        "subscription": {"id": line["subscription_id"]},
        "phase": {"id": ulid("phase")},
        "item": {"id": line["item_id"]},
        "billingPeriod": full,
    }
    return _without_nothing(
        {
            "id": line["line_id"],
            "name": line["description"],
            "managedBy": "subscription",
            "status": "valid",
            "currency": invoice["currency"],
            "totals": _sums(
                line["amount"], sum(added, Decimal(0)), line["discount_amount"], Decimal(0), line["tax_amount"]
            ),
            "period": period,
            "invoiceAt": created,
            "type": "usage_based",
            "subscription": reference if line["item_id"] else None,
            "price": card["price"],
            "featureKey": card.get("featureKey"),
            "rateCard": {"price": card["price"]},
            "quantity": text(line["quantity"]),
            "meteredQuantity": text(line["raw_quantity"]),
            **_stamped(invoice["created_at"]),
        }
    )


def _entitlement(row: Object) -> Object:
    start = text(row["active_from"])
    metered = {
        "isSoftLimit": row["soft_limit"],
        "issueAfterReset": None if row["allowance"] is None else float(row["allowance"]),
        "lastReset": text(row["last_reset_at"]),
        "currentUsagePeriod": {"from": start, "to": start},
        "measureUsageFrom": start,
        "usagePeriod": {"interval": "MONTH", "anchor": start, "intervalISO": row["usage_period"]},
    }
    return _without_nothing(
        {
            "id": row["entitlement_id"],
            "type": row["kind"],
            "featureKey": row["feature"],
            "featureId": ulid(f"feature {row['feature']}"),
            "customerId": row["customer_id"],
            "activeFrom": start,
            "activeTo": text(row["active_to"]),
            **(metered if row["kind"] == "metered" else {}),
            **_stamped(row["active_from"]),
        }
    )


def _event(row: Object) -> Object:
    at = text(row["received_at"])
    event = {
        "id": row["event_id"],
        "source": row["source"],
        "specversion": "1.0",
        "type": row["event_type"],
        "subject": row["subject"],
        "time": text(row["time"]),
        "data": row["properties"],
    }
    return _without_nothing(
        {"event": _without_nothing(event), "validationError": row["error"], "ingestedAt": at, "storedAt": at}
    )
