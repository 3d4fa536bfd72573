"""Prices, conversions, spends, discounts and rounding as other engines' own tests state them (rating.json).

The tests put a case into our words; the arithmetic and its dialects are billing's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import pytest

from billing.blocks import BlockTier, CapacityTier, all_tiers, capacity_amount, top_tier
from billing.dialects import LAGO, LAGO_ESTIMATE, dialect_of
from billing.discounts import Discount, DiscountedLine, Scope, deductions, over_invoice
from billing.money import Rounding, as_decimal, from_minor, round_money, round_to
from billing.per_event import EventTerms, events_amount, total_amount
from billing.prices import Price, tiers_from
from billing.rating import Before, Rating, rate
from billing.splits import converted, rate_in_advance, rate_split
from billing.wallets import Charge, Wallet, allocate

from .cases import Case, cases, number

MODELS = {"unit": "per_unit"}
ROUNDINGS = {"round": Rounding.HALF_UP, "ceil": Rounding.CEILING, "floor": Rounding.FLOOR}
ANY_TIME = datetime(2026, 1, 1, tzinfo=UTC)


def price_of(case: Case) -> Price:
    """The case's price in our terms; a tier without any amount is free, a case without a currency in dollars."""
    given, limits, conversion = case["price"], case.get("commitments", {}), case.get("unit_conversion", {})
    tiers = [
        {
            "up_to": tier["up_to"],
            "unit_amount": tier.get("unit") or "0",
            "flat_amount": tier.get("flat"),
            "percent_rate": tier.get("rate_percent"),
        }
        for tier in given.get("tiers", ())
    ]
    free = given.get("free_units", case.get("discounts", {}).get("usage_quantity"))
    return Price(
        model=str(MODELS.get(case["model"], case["model"])),
        currency=case["currency"] or "USD",
        unit_amount=number(given.get("unit_amount", given.get("package_amount", given.get("multiplier")))),
        flat_amount=number(given.get("amount", given.get("fixed_fee_per_event"))),
        percent_rate=number(given.get("rate_percent")),
        package_size=number(given.get("package_size")),
        free_units=number(free),
        convert=conversion.get("operation"),
        convert_factor=number(conversion.get("factor")),
        convert_rounding=conversion.get("rounding"),
        minimum_amount=number(limits.get("min")),
        maximum_amount=number(limits.get("max")),
        tiers=tiers_from(tiers),
    )


def percent_of(case: Case) -> list[Discount]:
    percentage = case.get("discounts", {}).get("percentage")
    return [Discount("d", "percent", Decimal(percentage), Scope.ITEM, ANY_TIME)] if percentage else []


def charged(case: Case, rating: Rating) -> Decimal:
    """What a rating charges: rounded as we do, or exact where the peer rounds later."""
    assert rating.problem is None, rating.problem
    assert rating.net is not None
    if case.get("rounding") == "none":
        assert rating.working is not None
        return as_decimal(rating.working.total.priced)
    return rating.net + rating.commitment


def line(case: Case) -> Decimal:
    """One line, the last or only one of its period unless it says `mid`, less the credits applied to it."""
    quantity, prior = Decimal(case["quantity"]), Decimal(case.get("prior_quantity", 0))
    rating = rate_split(
        price_of(case),
        quantity,
        dialect_of(case["peer"]),
        before=Before(prior) if prior else None,
        earlier=(prior,),
        last=case.get("line_position") != "mid",
        discounts=percent_of(case),
    )
    return charged(case, rating) - credited(case, rating)


def credited(case: Case, rating: Rating) -> Decimal:
    """What credits, in their order, pay of the line's parts and of its commitment."""
    currency = case["currency"] or "USD"
    wallets = [Wallet(str(place), Decimal(amount), currency) for place, amount in enumerate(case.get("credits", ()))]
    parts = [Charge("part", tier.amount) for tier in rating.tiers] + [Charge("commitment", rating.commitment)]
    total = sum((part.amount for part in parts), Decimal(0))
    return sum(allocate(wallets, parts, currency, total).values(), Decimal(0))


def sequence(case: Case) -> list[Decimal]:
    """What each phase of one period adds to the charge for its usage so far, the minimum in the last one."""
    amounts: list[Decimal] = []
    for phase in case["phases"]:
        last = phase is case["phases"][-1]
        so_far = Decimal(phase["cumulative_quantity"])
        rating = rate(price_of(case), so_far, closes_period=last, discounts=percent_of(case))
        amounts.append(charged(case, rating) - sum(amounts, Decimal(0)))
    return amounts


def events_in_advance(case: Case) -> list[Decimal | None]:
    """Each event charged when it comes: what it adds to the period so far."""
    if case["model"] == "percentage":
        return percentages_in_advance(case)
    if "operations" in case:
        return rate_in_advance(price_of(case), unit_changes(case["operations"]), LAGO)
    return rate_in_advance(price_of(case), [Decimal(event) for event in case["events"]], LAGO)


def percentages_in_advance(case: Case) -> list[Decimal | None]:
    terms, currency = terms_of(case), case["currency"]
    events = [Decimal(event) for event in case["events"]]
    so_far = [events_amount(terms, events[:count]) for count in range(len(events) + 1)]
    return [round_money(now - before, currency) for before, now in pairwise(so_far)]


def unit_changes(operations: list[list[str]]) -> list[Decimal]:
    """How each operation changes the number of distinct values."""
    present: set[str] = set()
    changes = []
    for _, operation, value in operations:
        before = len(present)
        (present.add if operation == "add" else present.discard)(value)
        changes.append(Decimal(len(present) - before))
    return changes


def terms_of(case: Case) -> EventTerms:
    given = case["price"]
    return EventTerms(
        percent_rate=Decimal(given["rate_percent"]),
        fee=Decimal(given.get("fixed_fee_per_event") or 0),
        free_events=int(given["free_events"]) if given.get("free_events") else None,
        free_units=number(given.get("free_units_total")),
        minimum=number(given.get("min_per_event")),
        maximum=number(given.get("max_per_event")),
    )


def percentage(case: Case) -> Decimal:
    dialect = LAGO_ESTIMATE if "estimate_instant" in case["source"] else dialect_of(case["peer"])
    if "events" in case:
        events = [Decimal(event) for event in case["events"]]
        exact = events_amount(terms_of(case), events, fee_at_zero=dialect.event_fee_at_zero)
    else:
        exact = total_amount(terms_of(case), Decimal(case["quantity"]), int(case.get("event_count", 0)))
    return money(case, exact)


def money(case: Case, exact: Fraction) -> Decimal:
    """An exact amount as the peer asserts it: as money, or before it is rounded."""
    return as_decimal(exact) if case.get("rounding") == "none" else round_money(exact, case["currency"] or "USD")


def event_amounts(case: Case) -> Decimal:
    """Events that bring their own amounts: a dynamic price, each group a line of its own."""
    groups = case.get("groups", [case])
    return sum((dynamic(case, group["event_amounts_minor"]) for group in groups), Decimal(0))


def dynamic(case: Case, minor: list[str]) -> Decimal:
    amount = sum((Decimal(each) for each in minor), Decimal(0)) / 100
    return charged(case, rate(Price("dynamic", case["currency"] or "EUR", unit_amount=Decimal(1)), amount))


def supplied(case: Case) -> Decimal:
    """A custom charge is worked out elsewhere: a flat amount to us."""
    price = Price("flat", case["currency"] or "EUR", flat_amount=Decimal(case["price"]["supplied_amount"]))
    return charged(case, rate(price, None))


def block_tiers(given: Case) -> list[BlockTier]:
    return [
        BlockTier(Decimal(tier["block_size"]), Decimal(tier["block_amount"]), number(tier["max_blocks"]))
        for tier in given["tiers"]
    ]


def block_amount(given: Case, quantity: str) -> Fraction:
    if given["mode"] == "volume":
        return top_tier(block_tiers(given), Decimal(quantity))
    return sum(all_tiers(block_tiers(given), Decimal(quantity)), Fraction(0))


def blocks(case: Case) -> Decimal:
    amount = round_money(block_amount(case["price"], case["quantity"]), case["currency"])
    return amount - Decimal(case.get("prior_billed", 0))


def blocks_of_units(case: Case) -> Decimal:
    units = case["price"]["units"]
    exact = [block_amount(units[unit], quantity) for unit, quantity in case["quantities"].items()]
    return dialect_of(case["peer"]).total(exact, case["currency"]) - Decimal(case.get("prior_billed", 0))


def capacity(case: Case) -> Decimal:
    tiers = [
        CapacityTier(Decimal(tier["amount"]), {unit: number(limit) for unit, limit in tier["max"].items()})
        for tier in case["price"]["tiers"]
    ]
    quantities = {unit: Decimal(quantity) for unit, quantity in case["quantities"].items()}
    return capacity_amount(tiers, quantities) - Decimal(case.get("prior_billed", 0))


def units_converted(case: Case) -> Decimal:
    given = case["price"]
    price = Price(
        "per_unit",
        "USD",
        convert=given["operation"],
        convert_factor=Decimal(given["factor"]),
        convert_rounding=given["rounding"],
    )
    return converted(price, Decimal(case["quantity"]), int(given.get("precision") or 0))


def rounded_units(case: Case) -> Decimal:
    given, units = case["price"], Decimal(case["quantity"])
    if given["function"] is None:
        return units
    scale = Fraction(10) ** int(given["precision"] or 0)
    return as_decimal(Fraction(round_to(Fraction(units) * scale, 0, ROUNDINGS[given["function"]])) / scale)


def packages(case: Case) -> Decimal:
    price = Price("package", "USD", unit_amount=Decimal(1), package_size=Decimal(case["price"]["package_size"]))
    return rate(price, Decimal(case["quantity"])).tiers[0].counted


def billable_units(case: Case) -> Decimal:
    price = Price("per_unit", "USD", unit_amount=Decimal(1), free_units=Decimal(case["price"]["discount_quantity"]))
    before = Before(Decimal(case["prior_quantity"])) if Decimal(case["prior_quantity"]) else None
    return rate(price, Decimal(case["quantity"]), before=before).tiers[0].units


def within_maximum(case: Case) -> Decimal | None:
    """The discount that the maximum makes on a line, from what was charged before it."""
    price = Price(
        "per_unit", case["currency"], unit_amount=Decimal(1), maximum_amount=Decimal(case["price"]["maximum"])
    )
    amount = Decimal(case["line_amount"])
    allowed = rate(price, amount, before=Before(Decimal(case["prior_billed"]))).amount
    return None if allowed is None else amount - allowed


def topped_up(case: Case) -> Decimal:
    """The minimum of a partial period less what was used; `used_minor` is absent where only the minimum is asked."""
    currency, period = case["currency"], case["period"]
    price = Price(
        "per_unit", currency, Decimal(1), minimum_amount=from_minor(int(case["price"]["minimum_minor"]), currency)
    )
    used = from_minor(int(case.get("used_minor", 0)), currency)
    share = Fraction(period["days"], period["full_days"])
    top_up = rate_split(price, used, dialect_of(case["peer"]), share=share).commitment
    return round_money(Fraction(top_up) * Fraction(case["price"].get("conversion_rate", "1")), currency)


def coupons(case: Case) -> Decimal:
    currency = case["currency"] or "USD"
    given = case["price"].get("coupons", [case["price"]])
    discounts = [coupon(each, f"d{place}", currency) for place, each in enumerate(given)]
    spent = from_minor(int(case.get("already_used_minor", 0)), currency)
    left = {each.discount_id: each.value - spent for each in discounts if each.kind == "amount"}
    taken = deductions(from_minor(int(case["base_minor"]), currency), currency, discounts, left=left)
    return sum((each.amount for each in taken), Decimal(0))


def coupon(given: Case, name: str, currency: str) -> Discount:
    if given["kind"] == "fixed":
        amount = from_minor(int(given["amount_minor"]), currency)
        return Discount(name, "amount", amount, Scope.CUSTOMER, ANY_TIME, currency=currency)
    return Discount(name, "percent", Decimal(given["percentage"]), Scope.CUSTOMER, ANY_TIME)


def coupon_over_fees(case: Case) -> Decimal:
    currency = case["currency"]
    discount = coupon(case["price"], "d", currency)
    fees = [from_minor(int(fee), currency) for fee in case["fees_minor"]]
    lines = [DiscountedLine(str(place), fee, (discount,)) for place, fee in enumerate(fees)]
    return sum((each.amount for taken in over_invoice(lines, currency).values() for each in taken), Decimal(0))


def rounded_money(case: Case) -> Decimal:
    assert case["price"]["mode"] == "half_away_from_zero"
    if case["currency"] is None:
        return round_to(Decimal(case["quantity"]), case["price"]["decimals"])
    return round_money(Decimal(case["quantity"]), case["currency"])


def rows_of_groups(case: Case) -> Decimal:
    """Each group of events has its own amount, rounded alone."""
    given = case["price"]
    total = Decimal(0)
    for group in case["groups"]:
        unit_amount = given["by_value"].get(group["group"], given["default_unit_amount"])
        price = Price("per_unit", case["currency"], unit_amount=Decimal(unit_amount))
        total += rate(price, Decimal(group["quantity"])).amount or Decimal(0)
    return total


def one_tier(case: Case) -> Decimal:
    """The share of one tier: with the tier before it free, that is all there is to pay."""
    given = case["price"]
    gap = 1 if given["range_style"] == "integer_gap" and Decimal(given["from"]) else 0
    below = Decimal(given["from"]) - gap
    row = {"up_to": given["up_to"], "unit_amount": given.get("unit"), "flat_amount": given["flat"]}
    row["percent_rate"] = given.get("rate_percent")
    rest = {"unit_amount": "0", "percent_rate": "0"}
    tiers = [*([{"up_to": str(below), **rest}] if below else []), row, *([rest] if given["up_to"] else [])]
    price = Price(case["model"].removesuffix("_single_tier"), "USD", tiers=tiers_from(tiers))
    return charged(case, rate(price, Decimal(case["quantity"])))


READERS: Mapping[str, Callable[[Case], Decimal | None]] = {
    **dict.fromkeys(("flat", "unit", "package", "dynamic", "graduated", "volume", "graduated_percentage"), line),
    **dict.fromkeys(("graduated_single_tier", "graduated_percentage_single_tier"), one_tier),
    **dict.fromkeys(("minimum_true_up", "minimum_commitment_amount"), topped_up),
    **dict.fromkeys(("coupon", "coupon_stack"), coupons),
    "percentage": percentage,
    "dynamic_event_amounts": event_amounts,
    "custom": supplied,
    "block_tiered": blocks,
    "block_tiered_multi_unit": blocks_of_units,
    "capacity_tiered": capacity,
    "coupon_allocation": coupon_over_fees,
    "unit_by_dimension": rows_of_groups,
    "unit_conversion": units_converted,
    "unit_rounding": rounded_units,
    "usage_discount": billable_units,
    "package_count": packages,
    "maximum_commitment_discount": within_maximum,
    "currency_rounding": rounded_money,
}


@pytest.mark.parametrize("case", cases("rating.json"))
def test_an_amount_is_what_the_peer_says(case: Case) -> None:
    expected = case["expected"]
    if case.get("kind") == "sequence":
        assert sequence(case) == [Decimal(amount) for amount in expected["phase_amounts"]]
    elif case.get("kind") == "pay_in_advance_sequence":
        assert events_in_advance(case) == [Decimal(amount) for amount in expected["amounts"]]
    else:
        assert READERS[case["model"]](case) == Decimal(expected.get("amount", expected.get("packages")))
