"""Columns of a price set otherwise, as a person writes them, each checked against the books' description of `prices`.

What-if explanations (detector/other_terms.py) and draft prices (detector/rerating.py) read them here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from decimal import Decimal, InvalidOperation
from typing import Any

from billing.books import BY_NAME
from billing.model import DECIMAL_PLACES, Column, Kind
from billing.money import is_currency
from billing.periods import BadDurationError, parse_duration
from billing.prices import Price, Tier, tiers_from
from billing.working import plain

TIERS = "tiers"
COLUMNS = (*(field.name for field in fields(Price) if field.name != "metered"), "cadence")
"""What can be set: the columns of books `prices` that rating reads, and the tiers."""

_NOTHING = frozenset({"", "none", "null"})
_EXAMPLE = '[{"up_to": "1000", "unit_amount": "0.30"}, {"unit_amount": "0.10"}]'
_PRICES, _PRICE_TIERS = BY_NAME["prices"].by_name, BY_NAME["price_tiers"].by_name
_TIER_COLUMNS = tuple(name for name in _PRICE_TIERS if name not in ("price_id", "integration", "external_url"))


class BadSettingError(ValueError):
    """A setting that does not exist, or a value that it does not take: one line, with what is allowed."""


def price_columns(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The values of price columns as rating takes them: decimals, text, a tuple of tiers, None for none.

    Values are text; of `tiers` a list, or JSON text of one. Raises BadSettingError.
    """
    return {name: _value(name, given) for name, given in settings.items()}


def decimal(name: str, text: str, kind: Kind) -> Decimal:
    """The number that the text names, if a column of that kind of the books can hold it. Raises BadSettingError."""
    try:
        number = Decimal(text.strip())
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise BadSettingError(f"{name}={text} is not a number; write a decimal such as 0.02")
    digits, places = DECIMAL_PLACES[kind]
    if number.adjusted() >= digits - places or number != round(number, places):
        raise BadSettingError(f"{name}={text} has too many digits: the books hold {digits - places} before the point "
                              f"and {places} after it")  # fmt: skip
    return number


def told(value: Any) -> str:
    """A value that was set as text, tiers in words."""
    if isinstance(value, tuple):
        return "; ".join(map(_tier, value)) or "none"
    return "none" if value is None else f"{value:f}" if isinstance(value, Decimal) else str(value)


def _tier(tier: Tier) -> str:
    bound = "and more" if tier.up_to is None else f"to {plain(tier.up_to)}"
    amounts = {"": tier.unit_amount, " flat": tier.flat_amount, " %": tier.percent_rate}
    return f"{bound}: {' + '.join(f'{plain(value)}{unit}' for unit, value in amounts.items() if value is not None)}"


def _value(name: str, given: Any) -> Any:
    if name not in COLUMNS:
        raise BadSettingError(f"a price has no {name} to set; there are {', '.join(COLUMNS)}")
    if name == TIERS:
        return _tiers(given)
    if not isinstance(given, str):
        raise BadSettingError(f"{name} takes one value, not {given!r}")
    column = _PRICES[name]
    if given.strip().lower() in _NOTHING and given not in column.values:
        if not column.optional:
            raise BadSettingError(f"a price cannot be without {name}{_allowed(column)}")
        return None
    return _held(name, given.strip(), column)


def _held(name: str, text: str, column: Column) -> Decimal | str:
    if column.kind in DECIMAL_PLACES:
        return decimal(name, text, column.kind)
    if column.kind is Kind.ENUM and text not in column.values:
        raise BadSettingError(f"{name}={text} is not known{_allowed(column)}")
    if column.kind is Kind.CURRENCY and not is_currency(text):
        raise BadSettingError(f"{name}={text} is not an ISO 4217 currency; write a code such as USD, EUR or JPY")
    if column.kind is Kind.DURATION:
        try:
            parse_duration(text)
        except BadDurationError as error:
            raise BadSettingError(f"{name}: {error}") from None
    return text


def _allowed(column: Column) -> str:
    return f"; it is one of {', '.join(column.values)}" if column.values else ""


def _tiers(given: Any) -> tuple[Tier, ...]:
    """Tiers as they were written: whether they make sense together is for rating to say."""
    rows = _listed(given)
    for place, row in enumerate(rows, start=1):
        for name, value in row.items():
            if name not in _TIER_COLUMNS:
                raise BadSettingError(f"tier {place} has no {name}; a tier has {', '.join(_TIER_COLUMNS)}")
            if value is not None and name != "tier":
                decimal(f"tier {place} {name}", str(value), _PRICE_TIERS[name].kind)
    try:
        return tiers_from(rows)
    except ValueError as error:
        raise BadSettingError(f"{TIERS}: {error}") from None


def _listed(given: Any) -> list[dict[str, Any]]:
    if isinstance(given, str):
        if given.strip().lower() in _NOTHING:
            return []
        try:
            given = json.loads(given, parse_float=Decimal)
        except ValueError as error:
            raise BadSettingError(f"{TIERS} is no JSON ({error}); write {_EXAMPLE}") from None
    if not isinstance(given, list) or not all(isinstance(row, dict) for row in given):
        raise BadSettingError(f"{TIERS} is no list of tiers; write {_EXAMPLE}")
    return [{name: _kept(value) for name, value in row.items()} for row in given]


def _kept(value: Any) -> Any:
    return None if isinstance(value, str) and value.strip().lower() in _NOTHING else value
