"""Money is rounded to its currency, exactly, whatever the number of digits."""

from decimal import Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.money import (
    MINOR_DIGITS,
    Rounding,
    UnknownCurrencyError,
    as_decimal,
    from_minor,
    is_currency,
    minor_digits,
    minor_unit,
    round_money,
    round_to,
    to_minor,
)

decimals = st.decimals(-(10**17), 10**17, allow_nan=False, places=9)


@pytest.mark.parametrize(
    ("currency", "digits"), [("JPY", 0), ("KRW", 0), ("USD", 2), ("HUF", 2), ("KWD", 3), ("TND", 3), ("CLF", 4)]
)
def test_a_currency_has_the_digits_of_iso_4217(currency: str, digits: int) -> None:
    assert minor_digits(currency) == digits


@pytest.mark.parametrize("code", ["XYZ", "usd", "", None, "XAU", "XXX", "BTC"])
def test_what_is_no_currency_is_named(code: str | None) -> None:
    assert not is_currency(code)
    with pytest.raises(UnknownCurrencyError, match="ISO 4217"):
        minor_digits(code)


def test_every_code_has_three_capital_letters() -> None:
    assert all(code.isalpha() and code.isupper() and len(code) == 3 for code in MINOR_DIGITS)


@pytest.mark.parametrize(
    ("amount", "currency", "rounded"),
    [
        ("0.005", "USD", "0.01"),
        ("-0.005", "USD", "-0.01"),
        ("0.00499999999999999999999999999999999999", "USD", "0.00"),
        ("1.5", "JPY", "2"),
        ("2.5", "JPY", "3"),
        ("1.2345", "KWD", "1.235"),
        ("1.00005", "CLF", "1.0001"),
        ("-0.001", "USD", "0.00"),
    ],
)
def test_money_is_rounded_half_away_from_zero(amount: str, currency: str, rounded: str) -> None:
    assert str(round_money(Decimal(amount), currency)) == rounded


@pytest.mark.parametrize("mode", list(Rounding))
@given(value=decimals)
def test_every_mode_agrees_with_python_decimal(mode: Rounding, value: Decimal) -> None:
    with localcontext(prec=60):
        assert round_to(value, 2, mode) == value.quantize(Decimal("0.01"), rounding=f"ROUND_{mode.upper()}")


def test_thirds_are_rounded_from_their_exact_value() -> None:
    assert round_money(Fraction(1, 3), "USD") == Decimal("0.33")
    assert round_money(Fraction(2, 3), "USD") == Decimal("0.67")


def test_the_decimal_context_changes_nothing() -> None:
    with localcontext(prec=3):
        assert str(round_money(Decimal("123456789.125"), "USD")) == "123456789.13"


@given(value=decimals, currency=st.sampled_from(["JPY", "USD", "KWD", "CLF"]))
def test_minor_units_and_back(value: Decimal, currency: str) -> None:
    amount = round_money(value, currency)
    assert from_minor(to_minor(amount, currency), currency) == amount
    assert abs(Fraction(amount) - Fraction(value)) <= Fraction(minor_unit(currency)) / 2


def test_a_part_of_a_minor_unit_is_refused() -> None:
    with pytest.raises(ValueError, match=r"12\.345 USD"):
        to_minor(Decimal("12.345"), "USD")


@given(value=decimals)
def test_a_decimal_is_shown_as_it_is(value: Decimal) -> None:
    assert Fraction(as_decimal(Fraction(value))) == Fraction(value)


def test_digits_that_never_end_are_rounded_for_showing() -> None:
    assert as_decimal(Fraction(2, 3)) == Decimal("0.666666667")
