"""Chargebee's items and item prices as meters, plans and prices of the books.

An item price of a plan is a plan, because currency and period are its own. Amounts are whole minor units, or exact
decimal texts in major units where the site has them (`*_in_decimal`).
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from integrations.objects import Object, Row, Rows, entries, known, merged, needed
from integrations.values import UnreadableError, currency, decimal, minor_price, price, quantity

_AGGREGATION = {"sum_of_usages": "sum", "last_usage": "latest", "max_usage": "max"}
_MODEL = {
    "flat_fee": "flat",
    "per_unit": "per_unit",
    "tiered": "graduated",
    "volume": "volume",
    "stairstep": "volume",  # a tier's price is for all units together
}
_UNIT = {"day": "P{}D", "week": "P{}W", "month": "P{}M", "year": "P{}Y"}
_STATUS = {"active": "active"}


def cadence(count: object, unit: object) -> str | None:
    """A billing period as a duration; None where there is none. Raises UnreadableError."""
    if unit is None:
        return None
    if str(unit) not in _UNIT:
        raise UnreadableError(f"it recurs every {unit!r}, which is not known")
    return _UNIT[str(unit)].format(int(decimal(count or 1)))


def amount(thing: Object, name: str, code: str) -> Decimal | None:
    """A price from its exact text, else from its minor units; None where neither is stated."""
    exact = thing.get(f"{name}_in_decimal")
    if exact is not None:
        return price(exact)
    return None if thing.get(name) is None else minor_price(thing[name], code)


def units(thing: Object, name: str) -> Decimal | None:
    """A number of units from its exact text, else the whole number."""
    exact = thing.get(f"{name}_in_decimal")
    stated = thing.get(name) if exact is None else exact
    return None if stated is None else quantity(stated)


def meter_rows(item: Object) -> Rows:
    """The row of `meters` for an item that is metered; none for others."""
    if not item.get("metered"):
        return {}
    how = str(item.get("usage_calculation") or "sum_of_usages")
    if how not in _AGGREGATION:
        raise UnreadableError(f"it adds up by {how}, which is not known")
    id = needed(item.get("id"), "item")
    row: Row = {
        "meter_id": id,
        "name": item.get("name") or id,
        "event_type": id,
        "aggregation": _AGGREGATION[how],
        "unit": item.get("unit"),
    }
    return {"meters": [row]}


def price_rows(item_price: Object, metered: bool, proration: str) -> Rows:
    """Rows of `prices`, `price_tiers` and, for a plan, `plans`. `proration`: as the site does unless stated."""
    code, model = currency(item_price.get("currency_code")), str(item_price.get("pricing_model"))
    if model not in _MODEL:
        raise UnreadableError(f"it charges by {model}, which is not known")
    id, plan = needed(item_price.get("id"), "item price"), item_price.get("item_type") == "plan"
    every = cadence(item_price.get("period"), item_price.get("period_unit"))
    full = item_price.get("proration_type") == "full_term"
    row: Row = {
        "price_id": id,
        "plan_id": id if plan else None,
        "meter_id": item_price.get("item_id") if metered else None,
        "name": item_price.get("external_name") or item_price.get("name") or id,
        "model": _MODEL[model],
        "currency": code,
        "cadence": every,
        "payment_term": "in_arrears" if metered else "in_advance",
        "free_units": units(item_price, "free_quantity") or None,
        "proration": None if metered or every is None else "none" if full else proration,
        "status": known(item_price.get("status"), _STATUS, "archived"),
    }
    plans: Rows = {"plans": [_plan(item_price, row)]} if plan and every else {}
    return merged(plans, _charged(row, item_price, model, code))


def _plan(item_price: Object, row: Row) -> Row:
    shared = ("plan_id", "name", "status", "currency", "cadence")
    return {name: row[name] for name in shared} | {
        "plan_key": item_price.get("item_id") or row["plan_id"],
        "version": 1,
    }


def _charged(row: Row, item_price: Object, model: str, code: str) -> Rows:
    stated = entries(item_price.get("tiers"))
    if model in {"tiered", "volume"} and any(each.get("pricing_type") == "package" for each in stated):
        return {"prices": [row | _packages(stated, code)]}
    if model in {"tiered", "volume", "stairstep"}:
        tiers = [_tier(row, n, each, code, model) for n, each in enumerate(stated, start=1)]
        if not tiers:
            raise UnreadableError("its tiers are not stated")
        return {"prices": [row], "price_tiers": tiers}
    each = amount(item_price, "price", code)
    if each is None:
        raise UnreadableError("its price is not stated")
    if model == "flat_fee":
        return {"prices": [row | {"flat_amount": each}]}
    return {"prices": [row | {"unit_amount": each}]}


def _packages(tiers: Sequence[Object], code: str) -> Row:
    """The columns of a price by packages: Chargebee states their size with the tier. Raises UnreadableError."""
    size, each = units(tiers[0], "package_size"), amount(tiers[0], "price", code)
    if len(tiers) > 1:
        raise UnreadableError("its tiers are of packages, which the books hold only of one tier")
    if not size or each is None:
        raise UnreadableError("its package size or price is not stated")
    return {"model": "package", "package_size": size, "unit_amount": each}


def _tier(row: Row, number: int, tier: Object, code: str, model: str) -> Row:
    each = amount(tier, "price", code)
    flat = model == "stairstep" or tier.get("pricing_type") == "flat_fee"
    return {
        "price_id": row["price_id"],
        "tier": number,
        "up_to": units(tier, "ending_unit"),
        "unit_amount": None if flat else each,
        "flat_amount": each if flat else None,
    }
