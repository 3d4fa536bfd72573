"""The calendar: days on which people know that usage will be, or was, other than usual.

An announced event or a known outage moves what is expected of the series it names; it mutes nothing. With the first of
these days the level is in doubt until usage has shown it, and so again with the day after the last; silence is expected
in an outage alone. What is taken out of the calendar stays in the store: a dry run over the past sees the calendar of
its time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import duckdb
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from detector.learned import Announced
from store import audit
from store.usage_tables import AnnouncedDays

KINDS = {"event": "An event: a launch, a campaign, a holiday", "outage": "An outage, known to whoever it struck"}
LONGEST = 92
"""What lasts for more days is a new level: label the signal planned."""


class BadDays(ValueError):  # noqa: N818 (what is bad is what a person typed)
    """The days cannot be announced; the message says why and what to do."""


@dataclass(frozen=True)
class Said:
    """What somebody announces: a name, a kind of KINDS, the first and the last day, and whom it concerns."""

    name: str
    kind: str
    first_day: date
    last_day: date
    meter_id: str | None = None
    customer_id: str | None = None


def standing(session: Session) -> Sequence[AnnouncedDays]:
    """What is in the calendar now, the latest first."""
    query = select(AnnouncedDays).where(AnnouncedDays.withdrawn_at.is_(None))
    return session.scalars(query.order_by(AnnouncedDays.first_day.desc(), AnnouncedDays.id.desc())).all()


def announced(session: Session, as_of: datetime) -> tuple[Announced, ...]:
    """What was in the calendar at `as_of`."""
    known = AnnouncedDays.said_at <= as_of
    query = select(AnnouncedDays).where(
        known, or_(AnnouncedDays.withdrawn_at.is_(None), AnnouncedDays.withdrawn_at > as_of)
    )
    rows = session.scalars(query.order_by(AnnouncedDays.id))
    return tuple(
        Announced(row.first_day, row.last_day, row.kind == "outage", row.meter_id, row.customer_id) for row in rows
    )


def announce(
    session: Session, books: duckdb.DuckDBPyConnection, said: Said, *, actor: str, now: datetime
) -> AnnouncedDays:
    """Put days into the calendar; whom they concern is in `books`. Raises BadDays."""
    if not said.name:
        raise BadDays("say what happens on these days")
    if said.kind not in KINDS:
        raise BadDays(f"{said.kind[:20]!r} is neither an event nor an outage")
    if said.last_day < said.first_day:
        raise BadDays(f"the last day, {said.last_day}, lies before the first, {said.first_day}")
    if (said.last_day - said.first_day).days >= LONGEST:
        raise BadDays(f"more than {LONGEST} days are a new level: label the signal planned instead")
    _check_known(books, "meter", said.meter_id)
    _check_known(books, "customer", said.customer_id)
    row = AnnouncedDays(**vars(said), said_by=actor, said_at=now)
    session.add(row)
    session.flush()
    audit.record(session, "usage.days.announced", _about(row), actor=actor, now=now, after=told(row))
    return row


def withdraw(session: Session, number: int, *, actor: str, now: datetime) -> AnnouncedDays:
    """Take days out of the calendar. Raises BadDays where there are none of that number."""
    row = session.get(AnnouncedDays, number)
    if row is None or row.withdrawn_at is not None:
        raise BadDays(f"the calendar has no entry {number}")
    row.withdrawn_by, row.withdrawn_at = actor, now
    audit.record(session, "usage.days.withdrawn", _about(row), actor=actor, now=now, before=told(row))
    return row


def told(row: AnnouncedDays) -> dict[str, Any]:
    """An entry as JSON."""
    names = ("name", "kind", "meter_id", "customer_id")
    return {name: getattr(row, name) for name in names} | {
        "first_day": row.first_day.isoformat(),
        "last_day": row.last_day.isoformat(),
    }


def _check_known(books: duckdb.DuckDBPyConnection, what: str, id: str | None) -> None:
    query = f"SELECT 1 FROM books.{what}s WHERE {what}_id = ? LIMIT 1"
    if id is not None and books.execute(query, [id]).fetchone() is None:
        raise BadDays(f"there is no {what} {id} in the books; leave it out to mean every {what}")


def _about(row: AnnouncedDays) -> tuple[str, str]:
    return "announced_days", str(row.id)
