"""Until when a signal is to be dealt with: so many hours after it was first seen, by how severe it is."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, or_
from sqlalchemy.orm import Session

from store import audit
from store.operational_tables import Signal
from store.team_tables import OperatorSetting

HOURS: Mapping[str, int] = {"critical": 24, "high": 72, "medium": 168, "low": 720, "info": 2160}
"""The hours that hold until somebody sets others, the worst severity first."""

LONGEST = 24 * 366
NAME = "sla_hours"


class BadHours(ValueError):  # noqa: N818 (what is bad is what a person typed)
    """Hours that cannot be used; the message says which and why."""


def hours(session: Session) -> Mapping[str, int]:
    """The hours by severity as they hold now."""
    kept = session.get(OperatorSetting, NAME)
    return {**HOURS, **(kept.value if kept else {})}


def set_hours(
    session: Session, wanted: Mapping[str, str], *, actor: str, now: datetime, reason: str | None = None
) -> Mapping[str, int]:
    """Keep the hours of every severity. Raises BadHours when one is no whole number from 1 to LONGEST."""
    values = {severity: checked_hours(severity, wanted.get(severity, "")) for severity in HOURS}
    before = dict(hours(session))
    kept = session.get(OperatorSetting, NAME) or OperatorSetting(name=NAME)
    kept.value, kept.changed_by, kept.changed_at = dict(values), actor, now
    session.add(kept)
    told = {"before": before, "after": values, "reason": reason}
    audit.record(session, "team.hours", ("setting", NAME), actor=actor, now=now, **told)  # type: ignore[arg-type]
    return values


def checked_hours(severity: str, text: str) -> int:
    """The hours that a person typed for a severity. Raises BadHours."""
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= LONGEST):
        raise BadHours(f"the hours for {severity} must be a whole number from 1 to {LONGEST}")
    return int(text)


def due_at(severity: str, first_seen: datetime, by_severity: Mapping[str, int]) -> datetime:
    """Until when a signal is to be dealt with."""
    return first_seen + timedelta(hours=by_severity[severity])


def overdue(by_severity: Mapping[str, int], now: datetime) -> ColumnElement[bool]:
    """Signals whose time is up, open or not."""
    return or_(*overdue_each(by_severity, now))


def overdue_each(by_severity: Mapping[str, int], now: datetime) -> list[ColumnElement[bool]]:
    """The same by severity, each of which an index answers by itself."""
    return [
        and_(Signal.severity == severity, Signal.first_seen < now - timedelta(hours=limit))
        for severity, limit in by_severity.items()
    ]
