"""Lago's codes, calendars and amounts as the books hold them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from zoneinfo import ZoneInfo

from billing.money import minor_digits
from integrations.objects import Object, nested
from integrations.values import UnreadableError, decimal, instant, moment, shifted

CADENCE: Mapping[str, str] = {
    "weekly": "P7D",
    "monthly": "P1M",
    "quarterly": "P3M",
    "semiannual": "P6M",
    "yearly": "P1Y",
}


def cadence(interval: object) -> str:
    """A plan's interval as a duration. Raises UnreadableError."""
    if str(interval) not in CADENCE:
        raise UnreadableError(f"its interval is {interval!r}, which is not known")
    return CADENCE[str(interval)]


def base_price(plan_code: str) -> str:
    """The id of the price that holds a plan's own fee, which in Lago is a part of the plan."""
    return f"{plan_code}:base"


def item(subscription_id: str, price_id: str) -> str:
    """The id of what a subscription is charged by a price, which in Lago has none."""
    return f"{subscription_id}:{price_id}"


def end(inclusive: object) -> datetime | None:
    """The end of a period of the books: Lago's periods end with their last second (23:59:59), the books' after it."""
    at = instant(inclusive)
    if at is None:
        return None
    return at.replace(microsecond=0) + timedelta(seconds=1) if at.second == 59 else at


def day(text: object, zone: str) -> datetime | None:
    """The first instant of a date in a timezone."""
    if text is None:
        return None
    return datetime.combine(date.fromisoformat(str(text)), datetime.min.time(), ZoneInfo(zone)).astimezone(UTC)


def anchor(subscription: Object, plan: Object, zone: str) -> datetime:
    """From where billing periods are counted: the subscription's day, or the calendar's."""
    begun = moment(subscription.get("subscription_at") or subscription.get("started_at"))
    if subscription.get("billing_time") == "anniversary":
        return begun
    local = begun.astimezone(ZoneInfo(zone)).date()
    if plan.get("interval") == "weekly":
        local -= timedelta(days=local.weekday())
    else:
        local = local.replace(day=1, month=local.month if plan.get("interval") == "monthly" else 1)
    return datetime.combine(local, datetime.min.time(), ZoneInfo(zone)).astimezone(UTC)


def rounded(precise_minor: object, code: str) -> Decimal:
    """A precise part of an amount (minor units with a fraction) in major units, to the books' four places."""
    exact = shifted(decimal(precise_minor or 0), -minor_digits(code))
    return exact.quantize(Decimal("0.0001"), ROUND_HALF_EVEN)


def customer_of(thing: Object) -> str | None:
    """The external id of the customer that an object names, expanded or not."""
    found = nested(thing, "customer", "external_id") or thing.get("external_customer_id")
    return None if found is None else str(found)
