"""Prices of the books as Zuora's product rate plans, and as the terms of a subscription's charge."""

from __future__ import annotations

from tests.peers.vendor import Object

MODEL = {
    "flat": "Flat Fee Pricing",
    "per_unit": "Per Unit Pricing",
    "graduated": "Tiered Pricing",
    "volume": "Volume Pricing",
}
PERIOD = {"P1M": "Month", "P3M": "Quarter", "P1Y": "Annual"}
MONTHLY = frozenset({"P3M"})  # cadences whose list price is stated per month here
WITH_OVERAGE = frozenset({"blocks"})  # charges whose last tier is an overage


def rate_plans(rows: dict[str, list[Object]]) -> list[Object]:
    """A product rate plan for each plan key, with a charge for all currencies; one more for what is charged once."""
    plans = {row["plan_id"]: row for row in rows["plans"]}
    made: dict[str, Object] = {}
    for price in rows["prices"]:
        charge, _, code = price["price_id"].partition("/")
        if not code:
            continue  # a subscription's own price
        plan = plans.get(price["plan_id"])
        key = plan["plan_key"] if plan else "extra"
        status = "Expired" if plan and plan["status"] == "archived" else "Active"
        held = made.setdefault(
            key, {"id": key, "name": plan["name"] if plan else key, "status": status, "productRatePlanCharges": []}
        )
        same = next((one for one in held["productRatePlanCharges"] if one["id"] == charge), None)
        stated = terms(price, rows)
        tiers = stated.pop("tiers")
        if same is None:
            same = {"id": charge, **stated, "productRatePlanChargeTiers": []}
            held["productRatePlanCharges"].append(same)
        same["productRatePlanChargeTiers"] += tiers
    return list(made.values())


def terms(price: Object, rows: dict[str, list[Object]]) -> Object:
    """The terms of a charge, with its tiers in the price's currency."""
    meter = next((one for one in rows["meters"] if one["meter_id"] == price["meter_id"]), None)
    over, once = price["free_units"] is not None, price["cadence"] is None
    model = "Overage Pricing" if over else MODEL[price["model"]]
    if meter and meter["aggregation"] == "max":
        model = f"High Water Mark {model}"
    if price["name"] in WITH_OVERAGE:
        model = "Tiered with Overage Pricing"
    return {
        "name": price["name"],
        "chargeModel": model,
        "chargeType": "Usage" if meter else "OneTime" if once else "Recurring",
        "billingPeriod": PERIOD.get(price["cadence"]),
        "billingTiming": "In Advance" if price["payment_term"] == "in_advance" else "In Arrears",
        "listPriceBase": "Per Month" if price["cadence"] in MONTHLY else "Per Billing Period",
        "prorationOption": "NoProration" if price["proration"] == "none" else "TimeBasedProration",
        "uOM": meter["unit"] if meter else "Each",
        "tiers": _tiers(price, rows),
    }


def _tiers(price: Object, rows: dict[str, list[Object]]) -> list[Object]:
    code = {"currency": price["currency"], "active": True}
    if price["free_units"] is not None:
        return [{**code, "tier": 1, "includedUnits": price["free_units"], "overagePrice": price["unit_amount"]}]
    tiers = [row for row in rows["price_tiers"] if row["price_id"] == price["price_id"]]
    if not tiers:
        amount = price["unit_amount"] if price["flat_amount"] is None else price["flat_amount"]
        return [{**code, "tier": 1, "price": amount / 3 if price["cadence"] in MONTHLY else amount}]
    made = []
    for row in tiers:
        flat = row["unit_amount"] is None
        amount = row["flat_amount"] if flat else row["unit_amount"]
        form = "Flat Fee" if flat else "Per Unit"
        made.append({**code, "tier": row["tier"], "endingUnit": row["up_to"], "price": amount, "priceFormat": form})
    if price["name"] in WITH_OVERAGE:
        over = made.pop()
        made[-1]["overagePrice"] = over["price"]
    return made
