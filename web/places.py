"""Where a page of records of the books ended, as its address says it: an instant and an id, the newest first."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import request

Place = tuple[datetime, str]


def wanted(name: str = "after") -> Place | None:
    """The place that the address names; None when it names none, or nothing that can be one."""
    at, _, id = request.args.get(name, "").partition("~")
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        return None
    return (moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment), id


def written(at: datetime, id: str) -> str:
    """The place as an address takes it."""
    return f"{at.isoformat()}~{id}"
