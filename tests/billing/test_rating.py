"""What an invoice line should be: the numbers of rating.md and features.md, and what holds for every number."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.money import minor_unit
from billing.prices import Model, Override, Price, Problem, Tier, overridden, tiers_from
from billing.rating import Before, rate

THREE_TIERS = (
    Tier(1, Decimal(1000), Decimal("0.30")),
    Tier(2, Decimal(5000), Decimal("0.20")),
    Tier(3, None, Decimal("0.10")),
)
FLAT_TIERS = (
    Tier(1, Decimal(5), flat_amount=Decimal(100)),
    Tier(2, Decimal(10), Decimal(2), Decimal(50)),
    Tier(3, None, Decimal(5)),
)
GRADUATED = Price("graduated", "USD", tiers=THREE_TIERS)
VOLUME = Price("volume", "USD", tiers=THREE_TIERS)
PACKAGE = Price("package", "USD", unit_amount=Decimal(10), package_size=Decimal(20))
PER_UNIT = Price("per_unit", "USD", unit_amount=Decimal("0.05"))
SEATS = Price("per_unit", "USD", unit_amount=Decimal(30), proration="second", metered=False)


def amount(price: Price, quantity: str | int, before: str | int | None = None) -> Decimal | None:
    return rate(price, Decimal(quantity), before=None if before is None else Before(Decimal(before))).amount


@pytest.mark.parametrize(
    ("price", "quantity", "expected"),
    [
        (GRADUATED, "6000", "1200"),  # features.md A3.05
        (VOLUME, "6000", "600"),
        (PACKAGE, "0", "0"),
        (PACKAGE, "20", "10"),
        (PACKAGE, "20.1", "20"),
        (PACKAGE, "98", "50"),
        (GRADUATED, "1000", "300"),  # bounds are inclusive
        (GRADUATED, "1000.000000001", "300.00"),
        (GRADUATED, "1001", "300.20"),
        (VOLUME, "1000", "300"),
        (VOLUME, "1001", "200.20"),
        (replace(GRADUATED, tiers=FLAT_TIERS), "0", "100"),  # the first flat amount is due at 0 units
        (replace(GRADUATED, tiers=FLAT_TIERS), "5", "100"),
        (replace(GRADUATED, tiers=FLAT_TIERS), "5.5", "151"),  # a later one only past the bound before it
        (replace(GRADUATED, tiers=FLAT_TIERS), "12", "170"),
        (replace(VOLUME, tiers=FLAT_TIERS), "0", "100"),
        (replace(VOLUME, tiers=FLAT_TIERS), "10", "70"),
        (replace(VOLUME, tiers=FLAT_TIERS), "11", "55"),
        (PER_UNIT, "0.3", "0.02"),  # 0.015, half away from zero
        (Price("dynamic", "USD", unit_amount=Decimal("1.33333")), "10", "13.33"),
        (Price("percentage", "USD", percent_rate=Decimal("2.9")), "1000", "29"),
        (Price("flat", "USD", flat_amount=Decimal(49)), "1234", "49"),  # usage does not multiply a flat fee
        (Price("flat", "USD", flat_amount=Decimal(49), metered=False), "3", "147"),
    ],
)
def test_the_models_give_the_amounts_of_the_specification(price: Price, quantity: str, expected: str) -> None:
    assert amount(price, quantity) == Decimal(expected)


def test_a_graduated_percentage_takes_each_tiers_rate() -> None:
    tiers = tiers_from([{"up_to": "10", "percent_rate": "1", "flat_amount": "200"}, {"percent_rate": "2"}])
    price = Price("graduated_percentage", "EUR", tiers=tiers)
    assert [amount(price, q) for q in (0, 10, 60)] == [Decimal(200), Decimal("200.1"), Decimal("201.1")]


def test_a_percentage_adds_its_fee_for_every_event() -> None:
    price = Price("percentage", "USD", percent_rate=Decimal("2.9"), flat_amount=Decimal("0.30"))
    assert rate(price, Decimal(200), events=3).amount == Decimal("6.70")
    carried = rate(price, Decimal(100), events=1, before=Before(Decimal(200), 3))
    assert carried.amount == Decimal("3.20")


def test_a_flat_fee_without_a_quantity_is_charged_once() -> None:
    assert rate(Price("flat", "USD", flat_amount=Decimal(49), metered=False), None).amount == Decimal(49)


@pytest.mark.parametrize(
    ("currency", "expected"), [("JPY", "1235"), ("USD", "1234.57"), ("KWD", "1234.568"), ("CLF", "1234.5679")]
)
def test_the_amount_has_the_currencys_digits(currency: str, expected: str) -> None:
    price = Price("per_unit", currency, unit_amount=Decimal("1.23456789"))
    assert str(amount(price, 1000)) == expected


@pytest.mark.parametrize(
    ("convert", "factor", "rounding", "raw", "converted"),
    [
        ("divide", "1000", "ceiling", "1247", "2"),
        ("divide", "1000", "floor", "1947", "1"),
        ("divide", "1000", "half_up", "1500", "2"),
        ("divide", "1000", "none", "1247", "1.247"),
        ("divide", "3", "none", "1", "0.333333333"),  # the books' nine digits
        ("divide", "3", "none", "2", "0.666666667"),
        ("divide", "3", None, "2", "0.666666667"),
        ("divide", "3", "ceiling", "3.000000001", "2"),  # rounded from the exact value
        ("multiply", "60", "none", "1.5", "90"),
    ],
)
def test_usage_is_converted_before_it_is_priced(
    convert: str, factor: str, rounding: str | None, raw: str, converted: str
) -> None:
    price = replace(
        PER_UNIT,
        unit_amount=Decimal(1000),
        convert=convert,
        convert_factor=Decimal(factor),
        convert_rounding=rounding,
    )
    rating = rate(price, Decimal(raw))
    assert rating.quantity == Decimal(converted)
    assert rating.amount == rate(replace(PER_UNIT, unit_amount=Decimal(1000)), Decimal(converted)).amount


def test_free_units_are_taken_off_after_conversion() -> None:
    price = replace(PER_UNIT, convert="divide", convert_factor=Decimal(1000), convert_rounding="ceiling")
    assert amount(replace(price, free_units=Decimal(2)), 5001) == Decimal("0.20")
    assert amount(replace(price, free_units=Decimal(7)), 5001) == 0


def test_a_split_period_carries_on_from_the_lines_before() -> None:
    price = replace(GRADUATED, free_units=Decimal(100))
    assert [amount(price, 900), amount(price, 300, 900), amount(price, 200, 1200)] == [240, 80, 40]


def test_a_package_begun_on_an_earlier_line_is_not_charged_again() -> None:
    assert [amount(PACKAGE, 1), amount(PACKAGE, 8, 1), amount(PACKAGE, 12, 9)] == [10, 0, 10]


def test_the_first_tiers_flat_amount_is_due_once_also_after_a_line_without_usage() -> None:
    price = replace(GRADUATED, tiers=FLAT_TIERS)
    assert [amount(price, 0), amount(price, 3, 0)] == [100, 0]


def test_the_maximum_cuts_the_whole_period() -> None:
    price = replace(PER_UNIT, unit_amount=Decimal(1), maximum_amount=Decimal(100))
    assert [amount(price, 60), amount(price, 60, 60), amount(price, 60, 120)] == [60, 40, 0]


def test_the_minimum_is_a_line_of_its_own_on_the_periods_last_line() -> None:
    price = replace(PER_UNIT, unit_amount=Decimal(1), minimum_amount=Decimal(100))
    assert rate(price, Decimal(30)).commitment == 0
    assert rate(price, Decimal(30), closes_period=True).commitment == 70
    last = rate(price, Decimal(20), before=Before(Decimal(30)), closes_period=True)
    assert (last.amount, last.commitment) == (20, 50)
    assert rate(price, Decimal(130), closes_period=True).commitment == 0


def test_the_minimum_comes_after_the_maximum() -> None:
    price = replace(PER_UNIT, unit_amount=Decimal(1), minimum_amount=Decimal(90), maximum_amount=Decimal(80))
    rating = rate(price, Decimal(500), closes_period=True)
    assert (rating.amount, rating.commitment) == (80, 10)


def test_the_minimum_is_due_for_the_active_part_of_the_period() -> None:
    price = replace(PER_UNIT, minimum_amount=Decimal(100))
    assert rate(price, Decimal(0), share=Fraction(1, 3), closes_period=True).commitment == Decimal("33.33")


def test_seats_are_prorated_and_rounded_once_and_usage_is_not() -> None:
    assert rate(SEATS, Decimal(7), share=Fraction(17, 31)).amount == Decimal("115.16")
    assert rate(PER_UNIT, Decimal(700), share=Fraction(17, 31)).amount == Decimal("35.00")


def test_negotiated_terms_replace_what_they_name() -> None:
    override = Override(unit_amount=Decimal("0.04"), maximum_amount=Decimal(30))
    price = overridden(replace(PER_UNIT, free_units=Decimal(10)), override)
    assert (amount(price, 110), amount(price, 100000)) == (4, 30)
    assert overridden(GRADUATED, Override(tiers=FLAT_TIERS)).tiers == FLAT_TIERS
    assert overridden(PER_UNIT, None) is PER_UNIT


def test_tiers_are_read_from_rows_in_the_order_of_their_numbers() -> None:
    rows = [
        {"tier": 2, "up_to": None, "unit_amount": Decimal("0.1")},
        {"tier": 1, "up_to": "10", "unit_amount": "0.2"},
    ]
    assert tiers_from(rows) == (Tier(1, Decimal(10), Decimal("0.2")), Tier(2, None, Decimal("0.1")))


@pytest.mark.parametrize("value", [0.1, "ten", True, "NaN"])
def test_a_tier_amount_that_is_no_exact_number_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="number"):
        tiers_from([{"unit_amount": value}])


def tiers(*bounds: int | None) -> tuple[Tier, ...]:
    numbered = enumerate(bounds, start=1)
    return tuple(Tier(n, None if b is None else Decimal(b), Decimal(1)) for n, b in numbered)


@pytest.mark.parametrize(
    ("price", "problem"),
    [
        (replace(PER_UNIT, currency="XYZ"), Problem.UNKNOWN_CURRENCY),
        (replace(PER_UNIT, model="per_seat"), Problem.UNKNOWN_MODEL),
        (replace(PER_UNIT, unit_amount=None), Problem.MISSING_AMOUNT),
        (Price("flat", "USD"), Problem.MISSING_AMOUNT),
        (Price("percentage", "USD"), Problem.MISSING_AMOUNT),
        (Price("dynamic", "USD"), Problem.MISSING_AMOUNT),
        (replace(PACKAGE, unit_amount=None), Problem.MISSING_AMOUNT),
        (replace(PACKAGE, package_size=None), Problem.PACKAGE_SIZE),
        (replace(PACKAGE, package_size=Decimal(0)), Problem.PACKAGE_SIZE),
        (replace(PER_UNIT, convert="divide"), Problem.CONVERT_FACTOR),
        (replace(PER_UNIT, convert="divide", convert_factor=Decimal(0)), Problem.CONVERT_FACTOR),
        (replace(GRADUATED, tiers=()), Problem.NO_TIERS),
        (replace(GRADUATED, tiers=THREE_TIERS[:2]), Problem.TIERS_NO_OPEN_END),
        (replace(GRADUATED, tiers=(THREE_TIERS[0], THREE_TIERS[2])), Problem.TIERS_GAP),
        (replace(VOLUME, tiers=tiers(10, None, None)), Problem.TIERS_GAP),
        (replace(VOLUME, tiers=tiers(10, 10, None)), Problem.TIERS_NOT_INCREASING),
        (replace(VOLUME, tiers=tiers(10, 5, None)), Problem.TIERS_NOT_INCREASING),
        (replace(GRADUATED, tiers=(Tier(1, None),)), Problem.MISSING_AMOUNT),
        (Price("graduated_percentage", "USD", tiers=THREE_TIERS), Problem.MISSING_AMOUNT),
    ],
)
def test_a_price_that_cannot_be_applied_is_named_and_not_guessed(price: Price, problem: Problem) -> None:
    rating = rate(price, Decimal(10))
    assert (rating.amount, rating.problem) == (None, problem)


def test_a_line_that_cannot_be_rated_is_named() -> None:
    fee = Price("percentage", "USD", percent_rate=Decimal(1), flat_amount=Decimal(1))
    assert rate(PER_UNIT, Decimal(-1)).problem == Problem.NEGATIVE_QUANTITY
    assert rate(PER_UNIT, Decimal(1), before=Before(Decimal(-1))).problem == Problem.NEGATIVE_QUANTITY
    assert rate(PER_UNIT, None).problem == Problem.MISSING_QUANTITY
    assert rate(SEATS, Decimal(1), share=None).problem == Problem.ZERO_LENGTH_PERIOD
    assert rate(fee, Decimal(1)).problem == Problem.MISSING_EVENTS
    assert rate(fee, Decimal(1), events=1, before=Before(Decimal(1))).problem == Problem.MISSING_EVENTS


def test_every_step_says_what_it_did() -> None:
    price = replace(GRADUATED, free_units=Decimal(100), maximum_amount=Decimal(500), minimum_amount=Decimal(400))
    rating = rate(price, Decimal(600), before=Before(Decimal(600)), closes_period=True)
    assert [(step.name, step.text) for step in rating.steps] == [
        ("quantity", "600 units metered"),
        ("carried", "carries on from 600 units on earlier lines of the period: 1,200 so far"),
        ("free_units", "1,200 less 100 free = 1,100"),
        ("price", "graduated: tier 1: 1,000 × 0.3; tier 2: 100 × 0.2 = 320"),
        ("rounding", "rounded half up to 2 digits = 320"),
        ("maximum", "within the period's maximum of 500"),
        ("carried_charge", "320 less 150 for the earlier lines = 170"),
        ("minimum", "the period's minimum of 400, 320 charged: 80 more as a commitment line"),
    ]
    assert [(t.tier, t.units, t.amount) for t in rating.tiers] == [(1, 500, 150), (2, 100, 20)]


def test_a_prorated_seat_shows_its_share_of_the_period() -> None:
    steps = {step.name: step.text for step in rate(SEATS, Decimal(7), share=Fraction(17, 31)).steps}
    assert steps["proration"] == "210 × 17/31 of the period = 115.161290323…"


# What holds for every number

money = st.decimals(0, 1000, places=4, allow_nan=False)
unit_price = st.decimals(0, 10, places=12, allow_nan=False)
quantity = st.decimals(0, 100_000, places=9, allow_nan=False)


@st.composite
def tier_lists(draw: st.DrawFn) -> tuple[Tier, ...]:
    bounds = sorted(draw(st.sets(st.decimals(1, 90_000, places=3, allow_nan=False), max_size=4)))
    return tuple(
        Tier(n, bound, draw(unit_price), draw(st.none() | money), draw(unit_price))
        for n, bound in enumerate([*bounds, None], start=1)
    )


@st.composite
def usage_prices(draw: st.DrawFn, models: Sequence[Model] = tuple(Model)) -> Price:
    convert = draw(st.sampled_from([None, "multiply", "divide"]))
    return Price(
        draw(st.sampled_from(list(models))),
        draw(st.sampled_from(["JPY", "USD", "KWD", "CLF"])),
        unit_amount=draw(unit_price),
        flat_amount=draw(money),
        percent_rate=draw(unit_price),
        package_size=draw(st.decimals("0.001", 1000, places=3, allow_nan=False)),
        free_units=draw(st.none() | quantity),
        convert=convert,
        convert_factor=draw(st.decimals("0.001", 5000, places=3, allow_nan=False)) if convert else None,
        convert_rounding=draw(st.sampled_from([None, "none", "ceiling", "floor", "half_up"])),
        maximum_amount=draw(st.none() | money),
        tiers=draw(tier_lists()),
    )


@given(price=usage_prices(), parts=st.lists(quantity, min_size=1, max_size=5))
def test_splitting_a_period_never_changes_its_total(price: Price, parts: list[Decimal]) -> None:
    whole = rate(price, sum(parts, Decimal(0)), events=2 * len(parts)).amount
    lines, before = [], None
    for part in parts:
        lines.append(rate(price, part, before=before, events=2).amount or Decimal(0))
        before = Before((before.quantity if before else Decimal(0)) + part, 2 * len(lines))
    assert sum(lines) == whole


RISING = (Model.GRADUATED, Model.GRADUATED_PERCENTAGE, Model.PER_UNIT, Model.PACKAGE, Model.PERCENTAGE, Model.DYNAMIC)


step = st.sampled_from([Decimal("1e-9"), Decimal("0.001"), Decimal(1)]) | quantity


@given(price=usage_prices(RISING), more=step, data=st.data())
def test_more_usage_never_costs_less(price: Price, more: Decimal, data: st.DataObject) -> None:
    bounds = [tier.up_to for tier in price.tiers if tier.up_to is not None]
    less = data.draw(st.sampled_from(bounds) | quantity if bounds else quantity)  # a bound is where it would show
    lower, higher = (rate(price, used, events=1).amount for used in (less, less + more))
    assert lower is not None and higher is not None and lower <= higher


@given(price=usage_prices(), used=quantity)
def test_no_line_passes_the_maximum_or_its_currencys_digits(price: Price, used: Decimal) -> None:
    billed = rate(price, used, events=1).amount
    assert billed is not None and billed >= 0
    if price.maximum_amount is None:
        assert billed % minor_unit(price.currency) == 0
    else:
        assert billed <= price.maximum_amount


@given(price=usage_prices((Model.GRADUATED, Model.VOLUME)), used=quantity)
def test_one_open_tier_is_the_same_in_both_modes(price: Price, used: Decimal) -> None:
    single = replace(price, tiers=(replace(price.tiers[-1], number=1),))
    graduated, volume = (rate(replace(single, model=m), used).amount for m in (Model.GRADUATED, Model.VOLUME))
    assert graduated == volume


@given(price=usage_prices(), used=quantity, before=st.none() | quantity)
def test_the_tiers_shown_add_up_to_the_price_result(price: Price, used: Decimal, before: Decimal | None) -> None:
    rating = rate(price, used, events=1, before=None if before is None else Before(before, 1))
    assert rating.working is not None
    earlier = rating.working.earlier.priced if rating.working.earlier else 0
    assert sum(Fraction(row.amount) for row in rating.tiers) == rating.working.total.priced - earlier
    assert all(
        Fraction(r.counted) * Fraction(r.unit_amount) + Fraction(r.flat_amount) == r.amount for r in rating.tiers
    )


@given(
    price=st.builds(
        Price,
        model=st.sampled_from([*Model, "per_seat", ""]),
        currency=st.sampled_from(["USD", "JPY", "usd", "XXX"]),
        unit_amount=st.none() | st.decimals(-10, 10, places=12, allow_nan=False),
        flat_amount=st.none() | money,
        percent_rate=st.none() | unit_price,
        package_size=st.none() | st.decimals(-1, 1, places=1, allow_nan=False),
        free_units=st.none() | quantity,
        convert=st.sampled_from([None, "multiply", "divide"]),
        convert_factor=st.none() | st.decimals(-1, 1, places=1, allow_nan=False),
        maximum_amount=st.none() | money,
        minimum_amount=st.none() | money,
        tiers=st.lists(
            st.builds(
                Tier, st.integers(0, 3), st.none() | st.decimals(-5, 5, places=0, allow_nan=False), st.none() | money
            ),
            max_size=3,
        ).map(tuple),
        metered=st.booleans(),
    ),
    used=st.none() | st.decimals(-10, 10, places=9, allow_nan=False),
    before=st.none() | st.builds(Before, st.decimals(-1, 10, places=9, allow_nan=False), st.none() | st.integers(0, 5)),
    events=st.none() | st.integers(0, 5),
    share=st.none() | st.fractions(0, 1),
)
def test_whatever_a_price_holds_there_is_an_amount_or_a_named_problem(
    price: Price, used: Decimal | None, before: Before | None, events: int | None, share: Fraction | None
) -> None:
    rating = rate(price, used, before=before, events=events, share=share, closes_period=True)
    assert (rating.amount is None) == (rating.problem is not None)
    assert all(step.text for step in rating.steps)
