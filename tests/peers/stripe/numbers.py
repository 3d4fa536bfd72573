"""Amounts and instants of the books as Stripe writes them. Written apart from the integration, to check it."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

_WHOLE = {"BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"}
_THOUSANDTHS = {"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"}


class UnheldError(ValueError):
    """Stripe has no place for this value."""


def minor(amount: object, currency: str) -> int:
    """An amount in major units as a whole number of Stripe's minor unit."""
    scaled = _scaled(amount, currency)
    if scaled != int(scaled):
        raise UnheldError(f"{amount} {currency} is no whole number of minor units")
    return int(scaled)


def minor_text(amount: object, currency: str) -> str:
    """A price in major units as the decimal text of Stripe's minor unit, at most 12 places."""
    scaled = _scaled(amount, currency)
    if scaled != round(scaled, 12):
        raise UnheldError(f"{amount} {currency} has more than 12 places of a minor unit")
    return plain(scaled)


def minor_pair(name: str, amount: object, currency: str) -> dict[str, object]:
    """The two fields in which Stripe states a price: whole where it can be, and exact."""
    if amount is None:
        return {name: None, f"{name}_decimal": None}
    text = minor_text(amount, currency)
    return {name: int(text) if "." not in text else None, f"{name}_decimal": text}


def whole(value: object) -> int:
    """A number of units that Stripe keeps as a whole number."""
    number = Decimal(str(value))
    if number != int(number):
        raise UnheldError(f"{value} is no whole number")
    return int(number)


def plain(value: Decimal) -> str:
    """The digits of a number without exponent and trailing zeros."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def seconds(at: object) -> int | None:
    """The whole seconds since 1970 of an instant; parts of a second are lost."""
    return int(at.timestamp()) if isinstance(at, datetime) else None


def _scaled(amount: object, currency: str) -> Decimal:
    digits = 0 if currency in _WHOLE else 3 if currency in _THOUSANDTHS else 2
    return Decimal(str(amount)) * 10**digits
