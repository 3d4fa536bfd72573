"""How far a table was read by a column that only grows, as the text of a cursor: the value's type and the value."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal


def mark(value: object) -> str | None:
    """The cursor of a value; None for null."""
    if value is None:
        return None
    kind = "at" if isinstance(value, datetime) else "on" if isinstance(value, date) else "n" if _counts(value) else "s"
    return f"{kind}:{value.isoformat() if isinstance(value, date) else value}"


def bound(text: str) -> object:
    """The value that a cursor holds."""
    kind, _, held = text.partition(":")
    if kind == "at":
        return datetime.fromisoformat(held)
    if kind == "on":
        return date.fromisoformat(held)
    return Decimal(held) if kind == "n" and "." in held else int(held) if kind == "n" else held


def _counts(value: object) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)
