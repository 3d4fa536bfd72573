"""Numbers, currencies and instants of outside systems as the books hold them, exactly."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import TypeVar

from billing.model import DECIMAL_PLACES, Kind
from billing.money import minor_digits

T = TypeVar("T")


class UnreadableError(ValueError):
    """A value that the books cannot hold exactly, or that says nothing known. Its object is skipped with the reason."""


def currency(code: object) -> str:
    """The ISO 4217 code in upper case. Raises UnknownCurrencyError."""
    upper = str(code or "").upper()
    minor_digits(upper)
    return upper


def minor(amount: object, code: str) -> Decimal:
    """An amount of ISO 4217's minor units in major units. Raises UnreadableError for parts of 1/10000."""
    return fitting(shifted(decimal(amount), -minor_digits(code)), Kind.MONEY)


def minor_price(amount: object, code: str) -> Decimal:
    """A price per unit in minor units, in major units. Raises UnreadableError beyond 12 places."""
    return fitting(shifted(decimal(amount), -minor_digits(code)), Kind.PRICE)


def money(amount: object) -> Decimal:
    """An amount in major units. Raises UnreadableError beyond 4 places."""
    return fitting(decimal(amount), Kind.MONEY)


def price(amount: object) -> Decimal:
    """A price per unit in major units. Raises UnreadableError beyond 12 places."""
    return fitting(decimal(amount), Kind.PRICE)


def quantity(value: object) -> Decimal:
    """A number of units. Raises UnreadableError beyond 9 places."""
    return fitting(decimal(value), Kind.QTY)


def decimal(value: object) -> Decimal:
    """The number, from a decimal, a whole number or text. A JSON fraction (`percent_off`) counts as it was written.

    Raises UnreadableError when it is none.
    """
    if isinstance(value, bool) or value is None:
        raise UnreadableError(f"{value!r} is not a number")
    try:
        number = value if isinstance(value, Decimal) else Decimal(str(value))
    except InvalidOperation as error:
        raise UnreadableError(f"{value!r} is not a number") from error
    if not number.is_finite():
        raise UnreadableError(f"{value!r} is not a finite number")
    return number


def maybe(read: Callable[[object], T], value: object) -> T | None:
    """What `read` makes of a value; None for null."""
    return None if value is None else read(value)


def instant(text: object) -> datetime | None:
    """The UTC instant of an RFC 3339 text; None for null. Raises UnreadableError, also without an offset."""
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError as error:
        raise UnreadableError(f"{text!r} is no instant") from error
    if at.tzinfo is None:
        raise UnreadableError(f"{text!r} has no offset")
    return at.astimezone(UTC)


def moment(text: object) -> datetime:
    """As `instant`, for what must be there. Raises UnreadableError."""
    at = instant(text)
    if at is None:
        raise UnreadableError("an instant is missing")
    return at


def epoch(seconds: object) -> datetime | None:
    """The UTC instant of seconds since 1970; None for null. Raises UnreadableError."""
    try:
        return None if seconds is None else datetime.fromtimestamp(int(decimal(seconds)), UTC)
    except (OverflowError, OSError, ValueError) as error:
        raise UnreadableError(f"{seconds!r} is no instant") from error


def shifted(value: Decimal, places: int) -> Decimal:
    """The value times ten to the `places`, without the decimal context, which would round long numbers."""
    sign, figures, exponent = value.as_tuple()
    return Decimal((sign, figures, int(exponent) + places))


def fitting(value: Decimal, kind: Kind) -> Decimal:
    """The value if a column of the kind holds it; without the decimal context, which would round long numbers."""
    whole, places = DECIMAL_PLACES[kind]
    _, figures, exponent = value.as_tuple()
    ending = "".join(map(str, figures))
    zeros = len(ending) - len(ending.rstrip("0"))
    if value and (int(exponent) + zeros < -places or value.adjusted() >= whole - places):
        raise UnreadableError(f"{value} does not fit {whole - places} digits before and {places} after the point")
    return value
