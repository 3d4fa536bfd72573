"""Parts of periods as other engines' own tests state them (conformance/README.md, proration.json)."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest

from billing.cycles import Plan, cycles, share_after, share_before
from billing.dialects import KILLBILL, KILLBILL_30, LAGO, dialect_of
from billing.levels import (
    Days,
    LevelChange,
    Presence,
    Step,
    graduated_amount,
    level_units,
    prorated_units,
    sum_steps,
    unique_steps,
)
from billing.money import Rounding, as_decimal, from_minor, round_money, round_to, to_minor
from billing.periods import Duration, Period, parse_duration, timezone_named
from billing.prices import Price, Tier, tiers_from
from billing.rating import rate

from .cases import Case, at, cases, day, number

CADENCES = {
    "daily": "P1D",
    "weekly": "P1W",
    "biweekly": "P2W",
    "monthly": "P1M",
    "bimonthly": "P2M",
    "quarterly": "P3M",
    "biannual": "P6M",
    "semiannual": "P6M",
    "half_yearly": "P6M",
    "annual": "P1Y",
    "yearly": "P1Y",
    "biennial": "P2Y",
    "thirty_days": "P30D",
    "thirty_one_days": "P31D",
    "sixty_days": "P60D",
    "ninety_days": "P90D",
    "triannual": "P4M",
}
NUMBER = re.compile(r"-?\d+(\.\d+)?")
BASES = {"openmeter": "second"}
"""What the prices of a peer say of proration; by the day, as its dialect counts days, where it is not named."""


def cadence(case: Case) -> Duration:
    return parse_duration(CADENCES[case["billing_period"].lower()])


def midnight(text: str, timezone: str, days: int = 0) -> datetime:
    """The instant at which a date begins in the timezone, `days` later."""
    start = datetime.fromisoformat(text[:10]) + timedelta(days=days)
    return start.replace(tzinfo=timezone_named(timezone)).astimezone(UTC)


def part(case: Case, used: Period, full: Period) -> Fraction:
    share = dialect_of(case["peer"]).share(used, full, BASES.get(case["peer"], "day"), case.get("timezone", "UTC"))
    assert share is not None
    return share


def seat(case: Case, amount: Decimal, share: Fraction) -> Decimal | None:
    """A flat charge for a part of its period."""
    return rate(Price("flat", case["currency"], flat_amount=amount, metered=False), None, share=share).amount


def plan_fee(case: Case) -> dict[str, str]:
    timezone = case["timezone"]
    start = at(case["activated_at"]) if "activated_at" in case else midnight(case["billed_from"], timezone)
    full = Period(
        midnight(case["billed_from"], timezone),
        midnight(case["billed_from"], timezone, case["full_period_days"]),
    )
    used = Period(start, midnight(case["billed_to_inclusive"], timezone) + timedelta(hours=12))
    if case.get("trial_days"):
        used = used.clip(midnight(case["subscription_started"], timezone, case["trial_days"]), None)
    amount = seat(case, from_minor(int(case["price_minor"]), case["currency"]), part(case, used, full))
    assert amount is not None
    return {"amount_minor": str(to_minor(amount, case["currency"]))}


def refund(case: Case) -> dict[str, str]:
    """The unused days and the tax on them, each rounded."""
    currency, full = case["currency"], case["full_period_days"]
    start = datetime(2023, 1, 1, tzinfo=UTC)
    end = start + timedelta(days=full)
    share = part({"peer": case["peer"]}, Period(end - timedelta(days=case["unused_days"]), end), Period(start, end))
    exact = Fraction(from_minor(int(case["price_minor"]), currency)) * share
    net = round_money(exact, currency)
    tax = round_money(exact * Fraction(Decimal(case.get("tax_rate_percent", "0"))) / 100, currency)
    found = {"net_minor": net, "tax_minor": tax, "total_minor": net + tax}
    return {name: str(to_minor(amount, currency)) for name, amount in found.items()}


def flat_fee(case: Case) -> dict[str, str]:
    used, full = (Period(at(case[name]["from"]), at(case[name]["to"])) for name in ("service_period", "full_period"))
    prorated = case.get("prorate", case.get("subscription_end_mode") != "bill_full_period")
    share = dialect_of(case["peer"]).share(used, full, "second" if prorated else "none", case["timezone"])
    assert share is not None
    return {"amount": str(seat(case, Decimal(case["price"]), share))}


def cycles_in_advance(case: Case) -> dict[str, str]:
    plan = Plan(day(case["start"]), day(case["end"]) if case["end"] else None, case["bill_cycle_day"], cadence(case))
    dialect = KILLBILL_30 if case.get("fixed_days_in_month") else KILLBILL
    found = sum((each.share for each in cycles(plan, day(case["invoice_through"]), dialect)), Fraction(0))
    return {"cycles": str(round_to(found, 9))}


def day_fraction(case: Case) -> dict[str, str]:
    share = share_before if case["kind"] == "day_fraction_before_first_cycle" else share_after
    dialect = KILLBILL_30 if case.get("fixed_days_in_month") else KILLBILL
    return {"cycles": str(round_to(share(*_ends(case), cadence(case), dialect), 9))}


def _ends(case: Case) -> tuple[date, date]:
    return day(case["start"]), day(case["end"])


def days(case: Case) -> Days:
    return Days(local(case, case["period"]["from"]), local(case, case["period"]["to"]), days_of(case))


def days_of(case: Case) -> int:
    return int(case["period"].get("days") or case["period"]["full_days"])


def local(case: Case, text: str) -> date:
    """The date of an instant in the case's timezone; a date is itself."""
    zone = timezone_named(case.get("timezone", "UTC"))
    return day(text) if len(text) == len("2023-01-01") else at(text).astimezone(zone).date()


def precise(case: Case, exact: Fraction) -> Decimal:
    """A number as the case asserts it: `round 2`, `ceil to 5 decimals`."""
    words = case["precision"].split()
    mode = {"round": Rounding.HALF_UP, "ceil": Rounding.CEILING, "floor": Rounding.FLOOR}[words[0]]
    return round_to(exact, next(int(word) for word in words if word.isdigit()), mode)


def recurring_sum(case: Case) -> dict[str, str]:
    """Values that are no numbers do not count."""
    numbers = [(local(case, when), Decimal(value)) for when, value in case["events"] if NUMBER.fullmatch(value)]
    steps = sum_steps(numbers, days(case))
    return {
        "units": str(precise(case, prorated_units(steps))),
        "events_count": str(len(numbers)),
    }


def presences(case: Case) -> list[Presence]:
    known = sorted(case["operations"], key=lambda each: each[0])
    return [Presence(local(case, when), operation == "add", value) for when, operation, value in known]


def unique_count(case: Case) -> dict[str, str]:
    units = prorated_units(unique_steps(presences(case), days(case)))
    return {"units": str(precise(case, units))}


def unit_levels(case: Case) -> dict[str, str]:
    changes = [
        LevelChange(Decimal(each["units"]), day(each["effective"]), day(each["recorded"])) for each in case["changes"]
    ]
    return {"units": str(precise(case, level_units(changes, days(case))))}


def tiers(case: Case) -> tuple[Tier, ...]:
    return tiers_from(
        {"up_to": each["up_to"], "unit_amount": each["unit"], "flat_amount": each["flat"]} for each in case["tiers"]
    )


def graduated(case: Case, steps: list[Step]) -> dict[str, str]:
    units = sum((step.units for step in steps), Fraction(0))
    return {"amount": str(precise(case, graduated_amount(tiers(case), steps))), "units": str(as_decimal(units))}


def graduated_events(case: Case) -> dict[str, str]:
    pairs = zip(case["event_units"], case["event_prorated_units"], strict=True)
    return graduated(case, [Step(Fraction(units), Fraction(prorated)) for units, prorated in pairs])


def graduated_sum(case: Case) -> dict[str, str]:
    changes = [(local(case, when), Decimal(units)) for when, units in case["unit_changes"]]
    return graduated(case, sum_steps(changes, days(case)))


def graduated_unique(case: Case) -> dict[str, str]:
    return graduated(case, unique_steps(presences(case), days(case)))


def commitment(case: Case) -> dict[str, str]:
    return {"coefficient": str(as_decimal(days(case).share(days(case).first)))}


READERS: dict[str, Callable[[Case], dict[str, str]]] = {
    "plan_fee_by_days": plan_fee,
    "unused_days_refund": refund,
    "flat_fee_by_duration": flat_fee,
    "billing_cycles_in_advance": cycles_in_advance,
    "day_fraction_before_first_cycle": day_fraction,
    "day_fraction_after_last_cycle": day_fraction,
    "prorated_recurring_sum": recurring_sum,
    "prorated_unique_count": unique_count,
    "unit_level_changes": unit_levels,
    "prorated_graduated": graduated_events,
    "prorated_graduated_recurring": graduated_sum,
    "prorated_graduated_recurring_unique": graduated_unique,
    "commitment_coefficient": commitment,
}
FLOAT_PLACES = 9
"""Digits that a coefficient asserted as a floating point number is good for."""


@pytest.mark.parametrize("case", cases("proration.json"))
def test_a_part_of_a_period_is_what_the_peer_says(case: Case) -> None:
    found = {name: Decimal(value) for name, value in READERS[case["kind"]](case).items()}
    expected = {name: number(str(case["expected"][name])) for name in found.keys() & case["expected"].keys()}
    assert expected
    for name, value in expected.items():
        assert value is not None
        wanted = round_to(value, FLOAT_PLACES) if name == "coefficient" else value
        assert found[name] == wanted, name


def test_prorated_units_are_rounded_up() -> None:
    assert LAGO.units(Fraction(15, 31)) == Decimal("0.48388")
