"""Stripe's numbers and instants as the books hold them, exactly.

Stripe states amounts as whole numbers of a minor unit, prices as decimal strings of it ("0.025" cents), instants as
seconds since 1970. Its minor unit is ISO 4217's, with the exceptions below (docs.stripe.com/currencies, "Zero-decimal
currencies" and "Special cases").
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from billing.model import Kind
from billing.money import minor_digits, to_minor
from integrations.values import UnreadableError, currency, decimal, fitting, quantity, shifted

__all__ = [
    "UnreadableError",
    "currency",
    "decimal",
    "digits",
    "in_minor",
    "instant",
    "moment",
    "money",
    "price",
    "quantity",
    "total",
]

STRIPE_DIGITS: Mapping[str, int] = {"ISK": 2, "UGX": 2, "MGA": 0}
"""Digits where Stripe and ISO 4217 differ.

ISK and UGX have no minor unit, but Stripe kept the two digits that they had ("00" always); MGA's fifths are not used.
BHD, JOD, KWD, OMR and TND are in thousandths as ISO says; for payments Stripe wants the last digit to be 0, which
changes nothing in how they are read. HUF and TWD are whole for payouts only.
"""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def digits(code: str) -> int:
    """Digits after the point of Stripe's amounts in the currency (upper case). Raises UnknownCurrencyError."""
    return STRIPE_DIGITS.get(code, minor_digits(code))


def money(minor: object, code: str) -> Decimal:
    """An amount of minor units in major units: 1234 usd are 12.34. Raises UnreadableError for parts of 1/10000."""
    return _major(minor, code, Kind.MONEY)


def in_minor(amount: object, code: str) -> int:
    """An amount in Stripe's minor units: "12.34" USD are 1234. Raises ValueError for a part of a minor unit."""
    return to_minor(decimal(amount), code, digits(code))


def price(minor: object, code: str) -> Decimal:
    """A price per unit in major units: "0.025" usd are 0.00025. Raises UnreadableError beyond 12 places."""
    return _major(minor, code, Kind.PRICE)


def total(entries: object, field: str = "amount") -> int:
    """The sum of a whole-number field over a list of objects that may be null. Raises UnreadableError."""
    listed = entries if isinstance(entries, list | tuple) else []
    return sum((int(decimal(entry[field])) for entry in listed), start=0)


def instant(seconds: object) -> datetime | None:
    """The UTC instant of seconds since 1970; None for null. Raises UnreadableError."""
    if seconds is None:
        return None
    try:
        return _EPOCH + timedelta(seconds=int(decimal(seconds)))
    except OverflowError as error:
        raise UnreadableError(f"{seconds!r} is no instant") from error


def moment(seconds: object) -> datetime:
    """As `instant`, for what must be there. Raises UnreadableError."""
    at = instant(seconds)
    if at is None:
        raise UnreadableError("an instant is missing")
    return at


def _major(minor: object, code: str, kind: Kind) -> Decimal:
    return fitting(shifted(decimal(minor), -digits(code)), kind)
