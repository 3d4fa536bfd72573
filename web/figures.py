"""How numbers are written: exact, grouped by thousands, money in its currency's own digits.

Nothing is ever rounded away: an amount that holds parts of a minor unit shows them.
"""

from __future__ import annotations

from decimal import Decimal

from markupsafe import Markup, escape

from billing.money import MINOR_DIGITS

MINUS = "\u2212"


def plain_amount(amount: Decimal, currency: str | None) -> str:
    """The amount without its currency: `1,234.50` for USD, `1,235` for JPY, `0.0025` where it holds smaller parts."""
    return _grouped(amount, MINOR_DIGITS.get(currency or "", 0))


def money(amount: Decimal | None, currency: str | None) -> Markup:
    """The amount with its currency, digits aligned in columns; a dash when there is none."""
    if amount is None:
        return Markup("\u2013")
    return Markup('<span class="money">{} <small>{}</small></span>').format(
        plain_amount(amount, currency), currency or ""
    )


def gap(amount: Decimal | None, unit: str | None) -> Markup:
    """Expected less actual, in words rather than by a sign: `12.00 USD too little`; a dash when not known."""
    if amount is None:
        return Markup("\u2013")
    if not amount:
        return Markup("none")
    which = "too little" if amount > 0 else "too much"
    return Markup('{} <small class="which">{}</small>').format(stated(abs(amount), unit), which)


def quantity(value: Decimal | int | None) -> str:
    """A count or metered quantity: `1,842,300`, `0.5`; a dash when there is none."""
    return "\u2013" if value is None else _grouped(Decimal(value), 0)


def stated(value: Decimal | None, unit: str | None) -> Markup:
    """An expected or actual value in its unit: money when the unit is a currency, else a quantity."""
    if value is not None and unit in MINOR_DIGITS:
        return money(value, unit)
    return escape(quantity(value))


def short(value: Decimal | int) -> str:
    """A number for an axis, at most four characters and a unit: `250`, `1.2k`, `3M`."""
    value = Decimal(value)
    for size, unit in ((10**12, "T"), (10**9, "B"), (10**6, "M"), (10**3, "k")):
        if abs(value) >= size:
            return f"{_trimmed(round(value / size, 1))}{unit}"
    return _trimmed(round(value, 2))


def _grouped(value: Decimal, least: int) -> str:
    """Thousands separated, at least `least` digits after the point and no zeros beyond them."""
    whole, _, fraction = f"{abs(value):f}".partition(".")
    fraction = fraction.rstrip("0").ljust(least, "0")
    sign = MINUS if value < 0 else ""
    return f"{sign}{int(whole):,}" + (f".{fraction}" if fraction else "")


def _trimmed(value: Decimal) -> str:
    return f"{value:f}".rstrip("0").rstrip(".") if "." in f"{value:f}" else f"{value:f}"
