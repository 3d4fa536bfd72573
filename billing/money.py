"""Money: how many minor digits a currency has, and exact rounding to them.

Amounts are `Decimal` at the edges and `Fraction` while they are being worked out, so that nothing is rounded
except where a caller says so. No float, and no dependence on the decimal context's precision.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

Number = Decimal | Fraction | int


class Rounding(StrEnum):
    """Where a value between two neighbours goes."""

    HALF_UP = "half_up"  # the nearer one, from the middle away from zero
    HALF_EVEN = "half_even"  # the nearer one, from the middle to the even one
    HALF_DOWN = "half_down"  # the nearer one, from the middle towards zero
    UP = "up"  # away from zero
    DOWN = "down"  # towards zero
    CEILING = "ceiling"  # towards plus infinity
    FLOOR = "floor"  # towards minus infinity


class UnknownCurrencyError(ValueError):
    """A code that ISO 4217 does not list as money."""

    def __init__(self, currency: str | None) -> None:
        super().__init__(f"{currency!r} is not an ISO 4217 currency; use a code such as USD, EUR or JPY")
        self.currency = currency


_DIGITS = {
    0: "BIF BYR CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: """AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE
    CHF CHW CNY COP COU CRC CUC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HRK
    HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL LTL MAD MDL MGA MKD MMK MNT MOP MRO MRU MUR
    MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP
    SLE SLL SOS SRD SSP STD STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VEF VES WST XAD XCD
    XCG YER ZAR ZMW ZWG ZWL""",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}

MINOR_DIGITS: dict[str, int] = {code: digits for digits, codes in _DIGITS.items() for code in codes.split()}
"""Digits after the point, by ISO 4217 code: today's currencies and those withdrawn since 2015, which old invoices hold.

Metals, testing and "no currency" codes (XAU, XTS, XXX ...) have no minor unit and are left out.
"""


def is_currency(code: str | None) -> bool:
    """Whether `code` (upper case) is a currency that money can be stated in."""
    return code in MINOR_DIGITS


def minor_digits(currency: str | None) -> int:
    """The ISO 4217 exponent: 0 for JPY, 2 for USD, 3 for KWD, 4 for CLF. Raises UnknownCurrencyError."""
    digits = MINOR_DIGITS.get(currency or "")
    if digits is None:
        raise UnknownCurrencyError(currency)
    return digits


def minor_unit(currency: str) -> Decimal:
    """The smallest amount of the currency in major units: 1 for JPY, 0.01 for USD. Raises UnknownCurrencyError."""
    return Decimal(f"1E-{minor_digits(currency)}")


def to_minor(amount: Decimal, currency: str, digits: int | None = None) -> int:
    """The amount in minor units: 12.34 USD is 1234. Raises ValueError when it holds a part of a minor unit.

    `digits`: those of a system that states the currency otherwise than ISO 4217.
    """
    minor = Fraction(amount) * _power_of_ten(minor_digits(currency) if digits is None else digits)
    if minor.denominator != 1:
        raise ValueError(f"{amount} {currency} is not a whole number of minor units; round it first")
    return minor.numerator


def from_minor(minor: int, currency: str) -> Decimal:
    """The amount in major units: 1234 minor units of USD are 12.34. Raises UnknownCurrencyError."""
    return Decimal(f"{minor}E-{minor_digits(currency)}")


def round_money(amount: Number, currency: str, mode: Rounding = Rounding.HALF_UP) -> Decimal:
    """The amount rounded to the currency's minor unit (rating.md, opening). Raises UnknownCurrencyError."""
    return round_to(amount, minor_digits(currency), mode)


def round_to(value: Number, places: int, mode: Rounding = Rounding.HALF_UP) -> Decimal:
    """The value rounded to `places` digits after the point, exactly."""
    exact = Fraction(value)
    whole, rest = divmod(abs(exact.numerator) * _power_of_ten(places), exact.denominator)
    negative = exact < 0
    if rest and _goes_away_from_zero(whole, 2 * rest, exact.denominator, negative, mode):
        whole += 1
    return Decimal(f"{'-' if negative and whole else ''}{whole}E-{places}")


def _power_of_ten(exponent: int) -> int:
    return int(10**exponent)


def _goes_away_from_zero(whole: int, twice_rest: int, one: int, negative: bool, mode: Rounding) -> bool:
    """Whether a magnitude of `whole` and a rest above zero becomes `whole + 1`; `one` is a whole in the rest's unit."""
    match mode:
        case Rounding.HALF_UP:
            return twice_rest >= one
        case Rounding.HALF_DOWN:
            return twice_rest > one
        case Rounding.HALF_EVEN:
            return twice_rest > one or (twice_rest == one and whole % 2 == 1)
        case Rounding.UP:
            return True
        case Rounding.DOWN:
            return False
        case Rounding.CEILING:
            return not negative
        case Rounding.FLOOR:
            return negative


def as_decimal(value: Number, places: int = 9) -> Decimal:
    """The value as a decimal: exact when its digits end, else (as 1/3) rounded half up to `places`."""
    fraction = Fraction(value)
    digits = _digits_after_point(fraction.denominator)
    return round_to(fraction, places if digits is None else digits)


def _digits_after_point(denominator: int) -> int | None:
    """Digits that a fraction in lowest terms needs after the point; None when they never end."""
    twos = fives = 0
    while denominator % 2 == 0:
        denominator, twos = denominator // 2, twos + 1
    while denominator % 5 == 0:
        denominator, fives = denominator // 5, fives + 1
    return max(twos, fives) if denominator == 1 else None
