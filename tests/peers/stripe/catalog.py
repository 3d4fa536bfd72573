"""Plans, prices and meters of the books as Stripe's products, prices and meters."""

from __future__ import annotations

import re
from collections import defaultdict

from tests.peers.stripe.books import Row, Rows
from tests.peers.stripe.notes import noted, notes
from tests.peers.stripe.numbers import UnheldError, minor_pair, seconds, whole
from tests.peers.stripe.shapes import Object, shaped

LONG_AGO = 1_577_836_800  # 2020-01-01, the age of what the books do not date
NO_PLAN = "prod_no_plan"

_INTERVAL = {"D": "day", "W": "week", "M": "month", "Y": "year"}
_FORMULA = {"sum": "sum", "count": "count", "latest": "last"}


def meter(row: Row) -> Object:
    """A meter. Stripe adds up, counts or takes the last; it has no unit."""
    if row["aggregation"] not in _FORMULA:
        raise UnheldError(f"aggregation {row['aggregation']}")
    key = str(row["value_property"]).removeprefix("$.") if row.get("value_property") else None
    if (key is None) != (row["aggregation"] == "count"):
        raise UnheldError(f"value_property {row.get('value_property')}")
    return shaped(
        "billing.meter",
        id=row["meter_id"],
        created=LONG_AGO,
        updated=LONG_AGO,
        display_name=row["name"],
        event_name=row["event_type"],
        default_aggregation={"formula": _FORMULA[str(row["aggregation"])]},
        value_settings={"event_payload_key": key or "value"},
    )


def products(rows: Rows) -> list[Object]:
    """A product per plan, its default price the first with the plan's currency and cadence."""
    of_plan: dict[object, list[Row]] = defaultdict(list)
    for price in rows.get("prices", []):
        of_plan[price.get("plan_id")].append(price)
    made = [_product(plan, of_plan[plan["plan_id"]]) for plan in rows.get("plans", [])]
    loose = shaped(
        "product", id=NO_PLAN, created=LONG_AGO, updated=LONG_AGO, name="Other", metadata=notes(plan_key=None)
    )
    return [*made, loose]


def _product(plan: Row, prices: list[Row]) -> Object:
    if plan["status"] not in {"active", "archived"}:
        raise UnheldError(f"plan status {plan['status']}")
    alike = [p for p in prices if (p["currency"], p.get("cadence")) == (plan["currency"], plan["cadence"])]
    shown = next((price["price_id"] for price in alike), None)
    natural = {"plan_key": plan["plan_id"], "version": 1, "effective_from": None, "effective_to": None}
    natural |= {name: plan[name] if shown else None for name in ("currency", "cadence")}
    created = seconds(plan.get("effective_from")) or LONG_AGO
    return shaped(
        "product",
        id=plan["plan_id"],
        created=created,
        updated=created,
        name=plan["name"],
        active=plan["status"] == "active",
        default_price=shown,
        metadata=noted(plan, natural),
    )


def price(row: Row, tiers: list[Row]) -> tuple[Object, Object]:
    """A price and the fields that Stripe leaves out unless asked: its tiers."""
    code, model = str(row["currency"]), str(row["model"])
    if model not in {"flat", "per_unit", "package", "graduated", "volume"}:
        raise UnheldError(f"model {model}")
    recurring = _recurring(row)
    metered = bool(recurring and recurring["usage_type"] == "metered")
    product = row.get("plan_id") or NO_PLAN
    charged, natural = _charged(row, tiers, code)
    natural |= {
        "plan_id": product if recurring else None,
        "payment_term": "in_arrears" if metered else "in_advance",
        "proration": "second" if recurring and not metered else None,
    }
    natural |= dict.fromkeys(("free_units", "minimum_amount", "maximum_amount", "effective_from", "effective_to"))
    made = shaped(
        "price",
        id=row["price_id"],
        created=seconds(row.get("effective_from")) or LONG_AGO,
        currency=code.lower(),
        nickname=row["name"],
        product=product,
        active=row["status"] == "active",
        recurring=recurring,
        type="recurring" if recurring else "one_time",
        tax_behavior=row.get("tax_behavior") or "unspecified",
        metadata=noted(row, natural),
        **charged,
    )
    return made, {"tiers": _tiers(tiers, code)} if charged["billing_scheme"] == "tiered" else {}


def _recurring(row: Row) -> Object | None:
    if not row.get("cadence"):
        if row.get("meter_id"):
            raise UnheldError("a one-time price with a meter")
        return None
    found = re.fullmatch(r"P(\d+)([DWMY])", str(row["cadence"]))
    if not found:
        raise UnheldError(f"cadence {row['cadence']}")
    return {
        "interval": _INTERVAL[found[2]],
        "interval_count": int(found[1]),
        "meter": row.get("meter_id"),
        "usage_type": "metered" if row.get("meter_id") else "licensed",
        "trial_period_days": None,
    }


def _charged(row: Row, tiers: list[Row], code: str) -> tuple[Object, Object]:
    """Stripe's fields that say how much, and what the books would read in them."""
    natural: Object = {"model": row["model"], "package_size": None}
    natural |= dict.fromkeys(("convert", "convert_factor", "convert_rounding"))
    if row["model"] in {"graduated", "volume"}:
        if not tiers:
            raise UnheldError("a tiered price without tiers")
        fields = {
            "billing_scheme": "tiered",
            "tiers_mode": row["model"],
            "unit_amount": None,
            "unit_amount_decimal": None,
        }
        return fields, natural
    amount = row.get("flat_amount") if row["model"] == "flat" else row.get("unit_amount")
    fields = {"billing_scheme": "per_unit", "tiers_mode": None, **minor_pair("unit_amount", amount, code)}
    if row["model"] == "flat":
        natural["model"] = "per_unit"
    if row["model"] == "package" and row.get("package_size") is not None:
        fields["transform_quantity"] = {"divide_by": whole(row["package_size"]), "round": "up"}
        natural["package_size"] = row["package_size"]
    return fields, natural


def _tiers(tiers: list[Row], code: str) -> list[Object]:
    ordered = sorted(tiers, key=lambda tier: int(str(tier["tier"])))
    if [tier["tier"] for tier in ordered] != list(range(1, len(ordered) + 1)):
        raise UnheldError("tiers whose numbers have holes")
    return [
        {
            "up_to": None if tier.get("up_to") is None else whole(tier["up_to"]),
            **minor_pair("unit_amount", tier.get("unit_amount"), code),
            **minor_pair("flat_amount", tier.get("flat_amount"), code),
        }
        for tier in ordered
    ]
