"""Column types of the operational store that lose nothing: exact money, exact quantities, instants in UTC.

The same Python value comes back from SQLite and from PostgreSQL; a float or a naive instant is refused when it is
written, so that neither can ever be read.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, DateTime, Dialect, Text, TypeDecorator
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import JSON

PLACES = 4
"""Digits after the point that money has, as in the books."""

_SCALE = 10**PLACES


class Money(TypeDecorator[Decimal]):
    """An amount in major units, kept as a whole number of 1/10000, so that it sorts and sums exactly in SQL."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> int | None:
        """The number of 1/10000 units. Raises TypeError for a float, ValueError where digits would be lost."""
        if value is None:
            return None
        if not isinstance(value, Decimal | int):
            raise TypeError(f"money must be a Decimal, not {type(value).__name__}")
        scaled = Decimal(value) * _SCALE
        if scaled != int(scaled):
            raise ValueError(f"money has at most {PLACES} digits after the point: {value}")
        return int(scaled)

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        """The amount in major units; PostgreSQL's sums arrive as decimals, SQLite's as integers."""
        return None if value is None else Decimal(int(value)).scaleb(-PLACES)


class Exact(TypeDecorator[Decimal]):
    """A decimal of any length, kept as its digits: for quantities and prices, which are shown and never summed."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> str | None:
        """The digits, without exponent. Raises TypeError for a float."""
        if value is None:
            return None
        if not isinstance(value, Decimal | int):
            raise TypeError(f"a quantity must be a Decimal, not {type(value).__name__}")
        return f"{Decimal(value):f}"

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        """The decimal that was written, with the same digits."""
        return None if value is None else Decimal(value)


class Instant(TypeDecorator[datetime]):
    """An instant: aware in Python, UTC in the database."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """The instant in UTC. Raises ValueError for one without a timezone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"an instant needs a timezone: {value.isoformat()}")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """The instant, aware and in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


Document = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
"""A JSON value; decimals stand in it as strings. None is SQL's NULL."""
