"""How old the open signals are, and how many there will be if things go on as in the last four weeks.

The forecast is an estimate: as many found and closed a day as on the average of those weeks.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from store.operational_tables import Signal

WEEKS = timedelta(days=28)
AGES = ((1, "under a day"), (7, "a day to a week"), (30, "a week to 30 days"), (None, "over 30 days"))
"""Up to how many days, and how that is called."""


@dataclass(frozen=True)
class Age:
    """How many open signals were first seen so long ago."""

    title: str
    open: int


@dataclass(frozen=True)
class Workload:
    """What is open now by age, what four weeks brought and took away, and what is open after four more, an estimate."""

    ages: tuple[Age, ...]
    found: int
    closed: int
    is_known: bool  # whether there were four weeks to go by

    @property
    def open(self) -> int:
        """How many signals are open now."""
        return sum(age.open for age in self.ages)

    @property
    def expected(self) -> int | None:
        """How many would be open after four more weeks like these, never below nothing; None before the first four."""
        return max(self.open + self.found - self.closed, 0) if self.is_known else None


def workload(session: Session, now: datetime) -> Workload:
    """The work as it stands, in three statements along indexes."""
    first, is_open = Signal.first_seen, Signal.is_open.is_(True)
    bounds = [(None if days is None else now - timedelta(days=days), title) for days, title in AGES]
    columns, newer = [], None
    for bound, _ in bounds:
        within = [*([first > bound] if bound is not None else []), *([first <= newer] if newer is not None else [])]
        columns.append(select(func.count()).select_from(Signal).where(is_open, *within).scalar_subquery())
        newer = bound
    counts = session.execute(select(*columns)).one()
    every = Signal.is_open.in_((True, False))
    older = select(Signal.id).where(every, first <= now - WEEKS).exists()
    found, is_known = session.execute(select(func.count(), older).where(every, first > now - WEEKS)).one()
    gone = session.scalar(select(func.count()).where(Signal.is_open.is_(False), Signal.status_at > now - WEEKS)) or 0
    ages = tuple(Age(title, count) for (_, title), count in zip(bounds, counts, strict=True))
    return Workload(ages, found, gone, bool(is_known))


def workload_json(found: Workload) -> dict[str, Any]:
    """The work as the API and the command line tell it."""
    ages = {age.title: age.open for age in found.ages}
    return {"ages": ages, **{name: getattr(found, name) for name in ("open", "found", "closed", "expected")}}
