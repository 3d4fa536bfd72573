"""OpenMeter's meters, plans and rate cards as meters, plans and prices of the books. All amounts are decimal texts."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from integrations.objects import Object, Row, Rows, entries, merged, needed, nested
from integrations.values import UnreadableError, currency, instant, maybe, money, price, quantity

Meters = Mapping[str, str | None]
"""Feature -> the meter that it counts by; None for a feature that is not metered, or only by a part of a meter."""

_AGGREGATION = frozenset({"sum", "count", "unique_count", "avg", "min", "max", "latest"})
_PLAN_STATUS = frozenset({"draft", "scheduled", "active", "archived"})


def meter_rows(meter: Object) -> Rows:
    """The row of `meters`. Raises UnreadableError for a way of adding up that is not known."""
    slug, kind = needed(meter.get("slug"), "slug"), str(meter.get("aggregation")).lower()
    if kind not in _AGGREGATION:
        raise UnreadableError(f"it adds up by {kind}, which the books do not know")
    row: Row = {
        "meter_id": slug,
        "name": meter.get("name") or slug,
        "event_type": needed(meter.get("eventType"), "event type"),
        "aggregation": kind,
        "value_property": None if kind == "count" else meter.get("valueProperty"),
    }
    return {"meters": [row]}


def plan_rows(plan: Object) -> Rows:
    """The row of `plans` for a version of a plan."""
    status = str(plan.get("status"))
    row: Row = {
        "plan_id": needed(plan.get("id"), "plan"),
        "plan_key": needed(plan.get("key"), "key"),
        "version": int(plan.get("version") or 1),
        "name": plan.get("name") or plan["key"],
        "status": "archived" if plan.get("deletedAt") else status if status in _PLAN_STATUS else "active",
        "currency": currency(plan.get("currency")),
        "cadence": needed(plan.get("billingCadence"), "cadence"),
        "effective_from": instant(plan.get("effectiveFrom")),
        "effective_to": instant(plan.get("effectiveTo")),
    }
    return {"plans": [row]}


def rate_cards(plan: Object) -> dict[str, Object]:
    """The rate cards of a plan that have a price, by the id of their price in the books."""
    return {
        f"{plan['id']}:{phase.get('key')}:{card.get('key')}": card
        for phase in entries(plan.get("phases"))
        for card in entries(phase.get("rateCards"))
        if card.get("price")
    }


def price_rows(card: Object, price_id: str, terms: Object, plan_id: str | None, meters: Meters) -> Rows:
    """Rows of `prices` and `price_tiers` for a rate card or a subscription's item.

    `terms`: the plan or subscription, which says currency, proration and when it holds.
    """
    stated = card.get("price") or {}
    kind = str(stated.get("type"))
    usage = kind != "flat"
    feature = card.get("featureKey")
    if usage and not meters.get(str(feature)):
        raise UnreadableError(f"its feature {feature} is not counted by one whole meter")
    prorated = nested(terms, "proRatingConfig", "enabled")
    free = maybe(quantity, nested(card, "discounts", "usage", "quantity"))
    row: Row = {
        "price_id": price_id,
        "plan_id": plan_id,
        "meter_id": meters.get(str(feature)) if usage else None,
        "name": card.get("name") or card.get("key"),
        "currency": currency(card.get("currency") or terms.get("currency")),
        "cadence": card.get("billingCadence"),
        "payment_term": "in_arrears" if usage else stated.get("paymentTerm") or "in_advance",
        "free_units": free or None,
        "minimum_amount": maybe(money, stated.get("minimumAmount")),
        "maximum_amount": maybe(money, stated.get("maximumAmount")),
        "proration": None if usage else "second" if prorated else "none",
        "tax_behavior": nested(card, "taxConfig", "behavior"),
        "status": "active",
    }
    return merged(*_charged(row, stated, kind))


def _charged(row: Row, stated: Object, kind: str) -> list[Rows]:
    """The row with what its way of charging needs."""
    if kind == "flat":
        return [{"prices": [row | {"model": "flat", "flat_amount": money(stated.get("amount"))}]}]
    if kind == "unit":
        return [{"prices": [row | {"model": "per_unit", "unit_amount": price(stated.get("amount"))}]}]
    if kind == "dynamic":
        multiplier = price(stated.get("multiplier") or "1")
        return [{"prices": [row | {"model": "dynamic", "unit_amount": multiplier}]}]
    if kind == "package":
        size = quantity(stated.get("quantityPerPackage"))
        return [
            {"prices": [row | {"model": "package", "unit_amount": price(stated.get("amount")), "package_size": size}]}
        ]
    if kind == "tiered" and stated.get("mode") in {"graduated", "volume"}:
        tiers = [_tier(str(row["price_id"]), n, tier) for n, tier in enumerate(entries(stated.get("tiers")), start=1)]
        return [{"prices": [row | {"model": stated["mode"]}], "price_tiers": tiers}]
    raise UnreadableError(f"it charges by {kind}, which is not known")


def _tier(price_id: str, number: int, tier: Object) -> Row:
    flat = maybe(money, nested(tier, "flatPrice", "amount"))
    return {
        "price_id": price_id,
        "tier": number,
        "up_to": maybe(quantity, tier.get("upToAmount")),
        "unit_amount": maybe(price, nested(tier, "unitPrice", "amount")),
        "flat_amount": flat or None,
    }


def percentage(card: Object) -> Decimal | None:
    """The discount in percent that a rate card carries."""
    found = maybe(price, nested(card, "discounts", "percentage", "percentage"))
    return found or None
