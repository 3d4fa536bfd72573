"""A signal's values as its timeline keeps them: as JSON, and back as its columns take them."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

_MONEY = {"snoozed_amount"}
_INSTANTS = {"snoozed_until", "snoozed_run", "suppressed_until", "resolved_at", "status_at"}


def plain(value: Any) -> Any:
    """The value as JSON keeps it."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return f"{value:.4f}" if isinstance(value, Decimal) else value


def restored(name: str, value: Any) -> Any:
    """The value of the column `name` as it was before JSON."""
    if value is None:
        return None
    if name in _INSTANTS:
        return datetime.fromisoformat(value)
    return Decimal(value) if name in _MONEY else value
