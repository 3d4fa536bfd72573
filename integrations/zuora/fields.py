"""Zuora's own forms of values: days of the tenant's zone, names that differ in spaces and case between its APIs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from integrations.objects import Object, nested
from integrations.values import UnreadableError, currency


def word(value: object) -> str:
    """A name of Zuora's for comparison: "Per Unit Pricing", "PerUnit" and "per unit" are one."""
    letters = "".join(each for each in str(value or "").lower() if each.isalnum())
    return letters.removesuffix("pricing")


def at(value: object, zone: ZoneInfo) -> datetime | None:
    """The UTC instant of a day, when it begins in the zone, or of a time; None for null. Raises UnreadableError."""
    if not value:
        return None
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError as error:
        raise UnreadableError(f"{value!r} is no instant") from error
    return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)


def after(day: object, zone: ZoneInfo) -> datetime | None:
    """The end of what goes up to a day and includes it. Raises UnreadableError."""
    begins = at(day, zone)
    return None if begins is None else (begins.astimezone(zone) + timedelta(days=1)).astimezone(UTC)


def first(thing: Object, zone: ZoneInfo, *names: str) -> datetime:
    """The first of the instants that is stated. Raises UnreadableError when none is."""
    found = next((instant for name in names if (instant := at(thing.get(name), zone))), None)
    if found is None:
        raise UnreadableError(f"it has no {names[0]}")
    return found


def coded(thing: Object) -> str:
    """The currency of an object, its account's where it has none of its own. Raises UnknownCurrencyError."""
    return currency(thing.get("currency") or nested(thing, "account", "currency"))
