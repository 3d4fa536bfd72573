"""Random contracts that bill in every dialect: periods split and cut short, clocks that change."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

from billing.dialects import DIALECTS, Dialect
from billing.money import Rounding
from billing.periods import Period, Schedule, parse_duration
from billing.prices import Model, Price
from tests.detector.random_lines import SEATS, _decimal, _price, _tier_rows

AS_OF = datetime(2027, 6, 1, tzinfo=UTC)
ZONES = (
    "UTC",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kolkata",
    "America/Havana",
    "Africa/Cairo",
    "Asia/Beirut",
)
CADENCES = ("P1M", "P1M", "P7D", "P3M", "P1Y", "P1D", "PT6H")
AGGREGATIONS = ("sum", "sum", "sum", "count", "max", "min", "latest", "avg", "unique_count")

SPOKEN: dict[str, Dialect] = {
    f"{name}_{mode}": replace(dialect, rounding=mode) for name, dialect in DIALECTS.items() for mode in Rounding
}
"""Every dialect in every rounding mode, by the name of the integration that speaks it."""

Rows = dict[str, list[dict[str, Any]]]


def company(count: int, seed: int) -> Rows:
    """The books of `count` contracts, each of a customer, an integration, a meter and a price of its own."""
    chance = random.Random(seed)
    books: Rows = defaultdict(list)
    for number in range(count):
        _contract(books, number, chance)
    return books


def _contract(books: Rows, number: int, chance: random.Random) -> None:
    integration = chance.choice(list(SPOKEN))
    price = _sound_price(chance)
    zone, cadence = chance.choice(ZONES), chance.choice(CADENCES)
    anchor = datetime(2026, chance.randint(1, 3), chance.randint(1, 28), tzinfo=UTC) + timedelta(
        seconds=chance.choice((0, 18_000, chance.randint(0, 86_399)))
    )
    schedule = Schedule(anchor, parse_duration(cadence), zone)
    _, period = schedule.at(anchor + timedelta(days=chance.randint(0, 200)))
    starts = anchor if chance.random() < 0.5 else _within(period, chance)
    ends = None if chance.random() < 0.6 else _within(Period(max(starts, period.start), period.end), chance)
    proration = chance.choice(("second", "day", "day", "none", None))
    stated = {"integration": integration}
    names = {name: f"{name}_{number}" for name in ("customer_id", "subscription_id", "item_id", "price_id", "meter_id")}
    books["customers"].append(
        stated | {"customer_id": names["customer_id"], "name": "C", "status": "active", "created_at": anchor}
    )
    books["meters"].append(_meter(names["meter_id"], number, chance, stated))
    books["prices"].append(_price_row(price, names, cadence, proration, stated))
    books["price_tiers"] += [row | {"price_id": names["price_id"]} | stated for row in _tier_rows(price.tiers)]
    books["subscriptions"].append(
        stated
        | {name: names[name] for name in ("subscription_id", "customer_id")}
        | {"status": "active", "currency": price.currency, "started_at": anchor, "billing_anchor": anchor}
        | {"cadence": cadence, "timezone": zone, "collection_method": "charge_automatically"}
    )
    quantity = (
        None if price.metered or (price.model == "flat" and chance.random() < 0.5) else Decimal(chance.randint(0, 40))
    )
    books["subscription_items"].append(
        stated
        | {name: names[name] for name in ("subscription_id", "item_id", "price_id")}
        | {"quantity": quantity, "active_from": starts, "active_to": ends}
    )
    for place in range(chance.choice((0, 0, 1, 3))):
        books["discounts"].append(_discount(f"{number}_{place}", names, price, anchor, chance, stated))
    served = Period(max(starts, period.start), min(ends or period.end, period.end))
    if price.metered:
        _events(books, names, number, period, chance, stated)
    _lines(books, names, number, price, served if not served.is_empty else period, chance, stated)


def _sound_price(chance: random.Random) -> Price:
    """Mostly prices that dialects differ about: seats, volume, conversions."""
    price = _price(chance)
    if price.model in SEATS and chance.random() < 0.5:
        price = replace(price, metered=False)
    if chance.random() < 0.3:
        factor, rounding = chance.choice(("3", "1000", "0.7")), chance.choice(("ceiling", "floor", "half_up", "none"))
        price = replace(
            price, model=Model.PER_UNIT, metered=True, convert="divide", convert_factor=Decimal(factor),
            convert_rounding=rounding,
        )  # fmt: skip
    elif chance.random() < 0.2:
        price = replace(price, model=Model.VOLUME, metered=True)
    return price


def _within(period: Period, chance: random.Random) -> datetime:
    """Mostly an instant inside the period, now and then its start."""
    seconds = int((period.end - period.start).total_seconds())
    return period.start + timedelta(seconds=chance.choice((0, chance.randint(0, max(seconds - 1, 0)))))


def _meter(meter_id: str, number: int, chance: random.Random, stated: dict[str, str]) -> dict[str, Any]:
    aggregation = chance.choice(AGGREGATIONS)
    return stated | {"meter_id": meter_id, "name": "M", "event_type": f"type_{number}", "aggregation": aggregation}


def _price_row(
    price: Price, names: dict[str, str], cadence: str, proration: str | None, stated: dict[str, str]
) -> dict[str, Any]:
    fields = {name: value for name, value in asdict(price).items() if name not in ("tiers", "metered")}
    return (
        stated
        | fields
        | {"price_id": names["price_id"], "name": "P", "meter_id": names["meter_id"] if price.metered else None}
        | {"cadence": cadence, "payment_term": "in_arrears", "status": "active", "proration": proration}
    )


def _events(
    books: Rows, names: dict[str, str], number: int, period: Period, chance: random.Random, stated: dict[str, str]
) -> None:
    for place in range(chance.randint(0, 6)):
        at = _within(period, chance)
        value = _decimal(chance, 900, chance.choice((0, 3))) - chance.choice((0, 20))
        books["usage_events"].append(
            stated
            | {"event_id": f"e{number}_{place}", "source": "app", "event_type": f"type_{number}", "time": at}
            | {"subject": names["customer_id"], "value": value}
            | {"received_at": at, "status": "accepted"}
        )  # fmt: skip


def _discount(
    number: str, names: dict[str, str], price: Price, since: datetime, chance: random.Random, stated: dict[str, str]
) -> dict[str, Any]:
    scope = chance.choice(("item_id", "subscription_id", "customer_id"))
    kind = chance.choice(("percent", "amount", "amount"))
    value = _decimal(chance, 40, 1) if kind == "percent" else _decimal(chance, 120, 2)
    currency = price.currency if kind == "amount" and chance.random() < 0.9 else None
    ends = since + timedelta(days=chance.randint(1, 300)) if chance.random() < 0.3 else None
    return (
        stated
        | {"discount_id": f"d{number}", scope: names[scope], "kind": kind, "value": value, "currency": currency}
        | {"starts_at": since, "ends_at": ends}
    )


def _lines(
    books: Rows,
    names: dict[str, str],
    number: int,
    price: Price,
    served: Period,
    chance: random.Random,
    stated: dict[str, str],
) -> None:
    cuts = sorted(
        {
            served.start,
            served.end,
            *(_within(served, chance) for _ in range(chance.choice((0, 0, 1, 2)))),
        }
    )
    parts = [Period(start, end) for start, end in pairwise(cuts)]
    if not price.metered:
        parts = [chance.choice(parts)] if parts else []
    together = chance.random() < 0.5
    for place, part in enumerate(parts):
        invoice = f"i{number}" if together else f"i{number}_{place}"
        proration = not price.metered and chance.random() < 0.5
        created = min((parts[-1] if together else part).end + timedelta(hours=2), AS_OF)
        amount = _decimal(chance, 300, 2) * (-1 if proration and chance.random() < 0.5 else 1)
        header = (
            stated
            | {"invoice_id": invoice, "customer_id": names["customer_id"], "subscription_id": names["subscription_id"]}
            | {"status": "open", "currency": price.currency, "created_at": created, "subtotal": amount, "total": amount}
            | dict.fromkeys(("discount_total", "tax_total", "credits_applied", "amount_paid"), Decimal(0))
            | {"amount_due": amount}
        )
        books["invoices"] += [header] if place == 0 or not together else []
        stated_quantity = _decimal(chance, 40, 0)
        books["invoice_lines"].append(
            stated
            | {"line_id": f"l{number}_{place}", "invoice_id": invoice}
            | {name: names[name] for name in ("subscription_id", "item_id", "price_id")}
            | {"kind": "usage" if price.metered else "recurring", "period_start": part.start, "period_end": part.end}
            | {
                "raw_quantity": stated_quantity if price.metered else None,
                "quantity": stated_quantity,
                "amount": amount,
            }
            | {"discount_amount": Decimal(0), "tax_amount": Decimal(0), "proration": proration}
        )
