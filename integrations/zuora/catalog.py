"""Zuora's product rate plans and their charges as plans, prices and meters of the books.

A charge has a price in every currency of its tiers. The charges of subscriptions carry terms of the same form.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Context, Decimal
from zoneinfo import ZoneInfo

from integrations.objects import Object, Row, Rows, entries, needed
from integrations.values import UnreadableError, currency, decimal, maybe, price, quantity
from integrations.zuora.fields import at, word

_MODEL = {
    "flatfee": "flat",
    "perunit": "per_unit",
    "overage": "per_unit",
    "tiered": "graduated",
    "tieredwithoverage": "graduated",
    "highwatermarktiered": "graduated",
    "volume": "volume",
    "highwatermarkvolume": "volume",
}
_MONTHS = {
    "month": 1,
    "quarter": 3,
    "semiannual": 6,
    "annual": 12,
    "eighteenmonths": 18,
    "twoyears": 24,
    "threeyears": 36,
    "fiveyears": 60,
}
_KIND = {"usage": "usage", "recurring": "recurring", "onetime": "one_time"}
_WHOLE = frozenset({"noproration", "chargefullperiod"})
_OTHER = frozenset({"price_id", "plan_id", "name", "status"})


@dataclass(frozen=True)
class Charged:
    """What a charge of a subscription is in the books."""

    item_id: str
    price_id: str
    kind: str
    model: str
    cadence: str | None
    started: datetime | None


def is_discount(charge: Object) -> bool:
    """Whether a charge takes something off others: it is no price, its lines show what it took."""
    return word(charge.get("chargeModel")).startswith("discount")


def cadence(charge: Object) -> str | None:
    """How often a charge recurs; None for once. Raises UnreadableError."""
    if word(charge.get("chargeType")) == "onetime":
        return None
    every = word(charge.get("billingPeriod"))
    if every in _MONTHS:
        months = _MONTHS[every]
        return f"P{months // 12}Y" if months % 12 == 0 else f"P{months}M"
    if every == "week":
        return "P1W"
    if every in {"specificmonths", "specificweeks"}:
        return f"P{int(decimal(charge.get('specificBillingPeriod')))}{every[8].upper()}"
    raise UnreadableError(f"it recurs every {charge.get('billingPeriod')!r}, which is not known")


def recurs(charges: list[Object]) -> str | None:
    """How often what has these charges is billed: as its first recurring charge, else its first of usage."""
    lasting = [each for each in charges if word(each.get("chargeType")) != "onetime" and not is_discount(each)]
    lasting.sort(key=lambda each: word(each.get("chargeType")) != "recurring")
    return cadence(lasting[0]) if lasting else None


def charges_of(plan: Object) -> list[Object]:
    """The charges of a product rate plan, one for each currency, with the ids of its price and plan."""
    found: list[Object] = []
    lasts = recurs(entries(plan.get("productRatePlanCharges"))) is not None
    for charge in entries(plan.get("productRatePlanCharges")):
        tiers = [] if is_discount(charge) else entries(charge.get("productRatePlanChargeTiers"))
        for code in dict.fromkeys(str(tier.get("currency")) for tier in tiers):
            own = [tier for tier in tiers if str(tier.get("currency")) == code]
            ids = {"priceId": f"{charge.get('id')}/{code}", "planId": f"{plan.get('id')}/{code}" if lasts else None}
            found.append({**charge, **ids, "currency": code, "tiers": own})
    return found


def plan_rows(plan: Object, zone: ZoneInfo) -> Rows:
    """The rows of `plans`, one for each currency; none for a rate plan that charges once."""
    id, every = needed(plan.get("id"), "rate plan"), recurs(entries(plan.get("productRatePlanCharges")))
    if every is None:
        return {}
    codes = dict.fromkeys(currency(charge["currency"]) for charge in charges_of(plan))
    made: Row = {
        "plan_key": id,
        "version": 1,
        "name": plan.get("name") or id,
        "status": "archived" if word(plan.get("status")) == "expired" else "active",
        "cadence": every,
        "effective_from": at(plan.get("effectiveStartDate"), zone),
        "effective_to": at(plan.get("effectiveEndDate"), zone),
    }
    return {"plans": [{**made, "plan_id": f"{id}/{code}", "currency": code} for code in codes]}


def price_rows(charge: Object, price_id: str, plan_id: str | None, proration: str) -> Rows:
    """Rows of `prices`, `price_tiers` and `meters` of a charge with `currency` and its `tiers`."""
    code, stated = currency(charge.get("currency")), word(charge.get("chargeModel"))
    if stated not in _MODEL:
        raise UnreadableError(f"it charges by {charge.get('chargeModel')}, which is not known")
    every, kind, unit = cadence(charge), kind_of(charge), charge.get("uOM")
    tiers = sorted(entries(charge.get("tiers")), key=lambda tier: int(tier.get("tier") or 1))
    if not tiers:
        raise UnreadableError("its price is not stated")
    peak = stated.startswith("highwatermark")
    metered = kind == "usage"
    meter_id = (f"{needed(unit, 'unit')}/max" if peak else needed(unit, "unit")) if metered else None
    late = metered or word(charge.get("billingTiming")) == "inarrears"
    whole = word(charge.get("prorationOption")) in _WHOLE
    row: Row = {
        "price_id": price_id,
        "plan_id": plan_id,
        "meter_id": meter_id,
        "name": charge.get("name") or price_id,
        "model": _MODEL[stated],
        "currency": code,
        "cadence": every,
        "payment_term": "in_arrears" if late else "in_advance",
        "proration": None if kind != "recurring" else "none" if whole else proration,
        "status": "active",
    }
    meter: Row = {"meter_id": meter_id, "name": meter_id, "event_type": unit, "unit": unit}
    meters = {"meters": [meter | {"aggregation": "max" if peak else "sum"}]} if metered else {}
    return meters | _charged(row, charge, stated, tiers)


def kind_of(charge: Object) -> str:
    """The kind of line that a charge makes. Raises UnreadableError."""
    kind = _KIND.get(word(charge.get("chargeType")))
    if kind is None:
        raise UnreadableError(f"it is a charge of {charge.get('chargeType')!r}, which is not known")
    return kind


def _charged(row: Row, charge: Object, stated: str, tiers: list[Object]) -> Rows:
    per = _factor(charge, row["cadence"])
    if row["model"] in {"graduated", "volume"}:
        made = [_tier(row, n, tier, per) for n, tier in enumerate(tiers, start=1)]
        over = tiers[-1].get("overagePrice")
        if stated == "tieredwithoverage" and over is not None:
            made.append({"price_id": row["price_id"], "tier": len(made) + 1, "unit_amount": price(over)})
        return {"prices": [row], "price_tiers": made}
    one = tiers[0]
    if stated == "overage":
        free = maybe(quantity, one.get("includedUnits"))
        return {"prices": [row | {"unit_amount": price(one.get("overagePrice")), "free_units": free or None}]}
    column = "flat_amount" if row["model"] == "flat" else "unit_amount"
    return {"prices": [row | {column: _times(one.get("price"), per)}]}


def _tier(row: Row, number: int, tier: Object, per: int) -> Row:
    column = "flat_amount" if word(tier.get("priceFormat")) == "flatfee" else "unit_amount"
    return {
        "price_id": row["price_id"],
        "tier": number,
        "up_to": maybe(quantity, tier.get("endingUnit")),
        column: _times(tier.get("price"), per),
    }


def _times(amount: object, per: int) -> Decimal:
    return price(Context(prec=60).multiply(decimal(amount), Decimal(per)))


def _factor(charge: Object, every: object) -> int:
    """What a list price is multiplied by: it may be stated per month or year, whatever the billing period.

    Raises UnreadableError where that is no whole number.
    """
    base = {"permonth": 1, "peryear": 12, "perweek": 0}.get(word(charge.get("listPriceBase")))
    if base is None or every is None or kind_of(charge) == "usage":
        return 1
    text = str(every)
    months = int(text[1:-1]) * {"M": 1, "Y": 12}.get(text[-1], 0)
    if not base or not months or months % base:
        raise UnreadableError(f"its price is {charge.get('listPriceBase')} and it is billed every {every}")
    return months // base


def terms(rows: Rows) -> Mapping[str, object]:
    """What makes a price, without what it is called: two charges with the same terms are the same price."""

    def plain(row: Row) -> tuple[tuple[str, object], ...]:
        """What a row says of terms, comparable with another one."""
        held = {name: value for name, value in row.items() if name not in _OTHER and value is not None}
        return tuple(sorted((n, v.normalize() if isinstance(v, Decimal) else v) for n, v in held.items()))

    return {table: [plain(row) for row in rows.get(table, [])] for table in ("prices", "price_tiers")}
