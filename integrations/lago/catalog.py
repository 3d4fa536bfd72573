"""Lago's billable metrics, plans and charges as meters, plans and prices of the books.

A plan's own fee, each charge and each fixed charge is a price. What is not understood is left out with its reason:
filters of a charge, amounts in pricing units, metrics by expression or weighted over time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal

from integrations.lago.terms import base_price, cadence
from integrations.objects import Object, Row, Rows, entries, merged, needed
from integrations.values import UnreadableError, currency, decimal, maybe, minor, money, price, quantity

_AGGREGATION = {
    "count_agg": "count",
    "sum_agg": "sum",
    "max_agg": "max",
    "unique_count_agg": "unique_count",
    "latest_agg": "latest",
}
_MODEL = {
    "standard": "per_unit",
    "graduated": "graduated",
    "volume": "volume",
    "package": "package",
    "percentage": "percentage",
    "graduated_percentage": "graduated_percentage",
    "dynamic": "dynamic",
}
_ROUNDING = {"ceil": "ceiling", "floor": "floor", "round": "half_up"}
_UNREAD = (
    "free_units_per_events",
    "free_units_per_total_aggregation",
    "per_transaction_max_amount",
    "per_transaction_min_amount",
)


def meter_rows(metric: Object) -> Rows:
    """The row of `meters`. Raises UnreadableError for a way of adding up that is not known."""
    code, kind = needed(metric.get("code"), "code"), str(metric.get("aggregation_type"))
    if kind not in _AGGREGATION:
        raise UnreadableError(f"it adds up by {kind}, which the books do not know")
    if metric.get("expression"):
        raise UnreadableError("its value is an expression, which the books do not know")
    name = metric.get("field_name")
    row: Row = {
        "meter_id": code,
        "name": metric.get("name") or code,
        "event_type": code,
        "aggregation": _AGGREGATION[kind],
        "value_property": f"$.{name}" if name and kind != "count_agg" else None,
    }
    return {"meters": [row]}


def plan_rows(plan: Object) -> Rows:
    """The row of `plans` and the prices of all its parts. Raises UnreadableError for a plan that is not understood."""
    code = needed(plan.get("code"), "code")
    row: Row = {
        "plan_id": code,
        "plan_key": code,
        "version": 1,
        "name": plan.get("name") or code,
        "status": "active",
        "currency": currency(plan.get("amount_currency")),
        "cadence": cadence(plan.get("interval")),
    }
    return merged({"plans": [row]}, {"prices": [_base(plan)]})


def charge_rows(charge: Object, plan: Object, rounding: str | None = None) -> Rows:
    """Rows of `prices` and `price_tiers` for a charge by usage. `rounding`: its metric's rounding to whole units."""
    if charge.get("filters"):
        raise UnreadableError("it has filters, which the books do not know")
    if charge.get("applied_pricing_unit"):
        raise UnreadableError("it is priced in a pricing unit, which the books do not know")
    properties = charge.get("properties") or {}
    if unread := [name for name in _UNREAD if decimal(properties.get(name) or 0)]:
        raise UnreadableError(f"it has {', '.join(unread)}, which the books do not know")
    code = currency(plan.get("amount_currency"))
    least = minor(charge.get("min_amount_cents") or 0, code)
    row = _price(charge, plan) | {
        "meter_id": needed(charge.get("billable_metric_code"), "billable metric"),
        "name": charge.get("invoice_display_name") or charge.get("code") or charge.get("billable_metric_code"),
        "minimum_amount": least or None,
    }
    if rounding in _ROUNDING:
        row |= {"convert": "multiply", "convert_factor": Decimal(1), "convert_rounding": _ROUNDING[rounding]}
    return _with_tiers(row, properties)


def fixed_rows(fixed: Object, plan: Object) -> Rows:
    """Rows of `prices` and `price_tiers` for a fixed charge, which is by subscribed units."""
    named = fixed.get("invoice_display_name") or fixed.get("code") or fixed.get("add_on_code")
    row = _price(fixed, plan) | {"name": named, "proration": "day" if fixed.get("prorated") else "none"}
    return _with_tiers(row, fixed.get("properties") or {})


def _base(plan: Object) -> Row:
    code = str(plan["code"])
    return {
        "price_id": base_price(code),
        "plan_id": code,
        "name": plan.get("invoice_display_name") or plan.get("name") or code,
        "model": "flat",
        "currency": currency(plan.get("amount_currency")),
        "cadence": cadence(plan.get("interval")),
        "payment_term": "in_advance" if plan.get("pay_in_advance") else "in_arrears",
        "flat_amount": minor(plan.get("amount_cents") or 0, currency(plan.get("amount_currency"))),
        "proration": "day",
        "status": "active",
    }


def _price(part: Object, plan: Object) -> Row:
    kind = str(part.get("charge_model"))
    if kind not in _MODEL:
        raise UnreadableError(f"it charges by {kind}, which is not known")
    usage = part.get("lago_billable_metric_id") is not None
    every = "bill_charges_monthly" if usage else "bill_fixed_charges_monthly"
    return {
        "price_id": needed(part.get("lago_id"), "charge"),
        "plan_id": plan.get("code"),
        "model": _MODEL[kind],
        "currency": currency(plan.get("amount_currency")),
        "cadence": "P1M" if plan.get(every) else cadence(plan.get("interval")),
        "payment_term": "in_advance" if part.get("pay_in_advance") else "in_arrears",
        "status": "active",
    }


def _with_tiers(row: Row, properties: Object) -> Rows:
    """The price with its amounts. Lago's charges state them in major units, as text."""
    ranges = entries(properties.get(f"{row['model']}_ranges"))
    if row["model"] in {"graduated", "volume", "graduated_percentage"}:
        if not ranges:
            raise UnreadableError("its ranges are not stated")
        return {"prices": [row], "price_tiers": list(_tiers(str(row["price_id"]), ranges))}
    if row["model"] == "percentage":
        fixed = maybe(money, properties.get("fixed_amount"))
        return {"prices": [row | {"percent_rate": price(properties.get("rate")), "flat_amount": fixed or None}]}
    if row["model"] == "dynamic":
        return {"prices": [row | {"unit_amount": Decimal(1)}]}
    amounts: Row = {"unit_amount": price(properties.get("amount"))}
    if row["model"] == "package":
        free = quantity(properties.get("free_units") or 0)
        amounts |= {"package_size": quantity(properties.get("package_size")), "free_units": free or None}
    return {"prices": [row | amounts]}


def _tiers(price_id: str, ranges: Iterable[Object]) -> Iterator[Row]:
    for number, part in enumerate(ranges, start=1):
        flat = maybe(money, part.get("flat_amount"))
        yield {
            "price_id": price_id,
            "tier": number,
            "up_to": maybe(quantity, part.get("to_value")),
            "unit_amount": maybe(price, part.get("per_unit_amount")),
            "flat_amount": flat or None,
            "percent_rate": maybe(price, part.get("rate")),
        }
