"""When a billed amount is wrong, the other way of computing that gives it is named."""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.hypotheses import Circumstances, hypotheses, other_mode, shifted
from billing.prices import Price, Tier
from billing.rating import Before, rate

TIERS = (
    Tier(1, Decimal(1000), Decimal("0.30")),
    Tier(2, Decimal(5000), Decimal("0.20")),
    Tier(3, None, Decimal("0.10")),
)
GRADUATED = Price("graduated", "USD", tiers=TIERS)
PER_UNIT = Price("per_unit", "USD", unit_amount=Decimal("0.05"))


def names(price: Price, quantity: int, billed: str, known: Circumstances | None = None) -> list[str]:
    return [each.name for each in hypotheses(price, Decimal(quantity), Decimal(billed), known)]


def test_the_right_amount_needs_no_other_explanation() -> None:
    assert names(GRADUATED, 6000, "1200.00") == []


def test_an_amount_that_nothing_explains_stays_unexplained() -> None:
    assert names(GRADUATED, 6000, "777.77") == []


def test_the_other_tier_mode_is_recognised() -> None:
    (found,) = hypotheses(GRADUATED, Decimal(6000), Decimal(600))
    assert (found.name, found.text) == ("other_mode", "the tiers taken as volume in place of graduated")
    assert found.rating is not None and [tier.amount for tier in found.rating.tiers] == [600]


@pytest.mark.parametrize(
    ("price", "quantity", "billed", "name"),
    [
        (GRADUATED, 6000, "1199.80", "bounds_exclusive"),
        (GRADUATED, 6000, "1200.20", "bounds_late"),
        (replace(PER_UNIT, free_units=Decimal(100)), 300, "15", "no_free_units"),
        (replace(PER_UNIT, maximum_amount=Decimal(10)), 300, "15", "no_maximum"),
        (replace(PER_UNIT, convert="divide", convert_factor=Decimal(60)), 300, "15", "no_conversion"),
        (Price("package", "USD", unit_amount=Decimal(10), package_size=Decimal(20)), 30, "15", "part_packages"),
        (PER_UNIT, 300, "1500", "minor_units"),
        (PER_UNIT, 300, "1.5", "minor_units"),
        (replace(PER_UNIT, currency="JPY"), 309, "15.45", "currency_digits"),
        (PER_UNIT, 309, "15", "currency_digits"),
        (replace(PER_UNIT, unit_amount=Decimal("0.015")), 1, "0.01", "rounding_mode"),
    ],
)
def test_one_thing_done_wrongly_is_recognised(price: Price, quantity: int, billed: str, name: str) -> None:
    assert name in names(price, quantity, billed)


def test_another_price_is_recognised_by_its_name() -> None:
    known = Circumstances(prices={"catalog price": replace(PER_UNIT, unit_amount=Decimal("0.08"))})
    (found,) = hypotheses(PER_UNIT, Decimal(300), Decimal(24), known)
    assert found.text == "the catalog price in place of this price"


def test_another_proration_basis_is_recognised() -> None:
    seats = Price("per_unit", "USD", unit_amount=Decimal(100), metered=False, proration="second")
    known = Circumstances(share=Fraction(383, 743), shares={"by calendar days": Fraction(16, 31)})
    assert names(seats, 1, "51.61", known) == ["proration_basis"]


def test_tiers_that_start_anew_on_a_split_line_are_recognised() -> None:
    assert names(GRADUATED, 1000, "300", Circumstances(before=Before(Decimal(1000)))) == ["starts_anew"]


def test_the_lines_own_quantity_is_tried_alone_and_with_a_second_fault() -> None:
    known = Circumstances(line_quantity=Decimal(6000))
    assert names(GRADUATED, 6500, "1200", known) == ["line_quantity"]
    (found,) = hypotheses(GRADUATED, Decimal(6500), Decimal(600), known)
    assert found.text == (
        "the line's quantity of 6,000 in place of 6,500, and the tiers taken as volume in place of graduated"
    )


def test_a_second_fault_that_changes_nothing_is_not_named() -> None:
    assert names(GRADUATED, 600, "150", Circumstances(line_quantity=Decimal(500))) == ["line_quantity"]


def test_a_price_without_tiers_has_neither_mode_nor_bounds() -> None:
    assert other_mode(PER_UNIT) is None and shifted(PER_UNIT, 1) is None


@given(quantity=st.integers(1001, 10**6))
def test_whatever_the_usage_the_other_mode_is_found(quantity: int) -> None:
    volume = rate(replace(GRADUATED, model="volume"), Decimal(quantity)).amount
    assert names(GRADUATED, quantity, str(volume))[0] == "other_mode"
