"""Whether the books are recent enough to say that something is gone.

Every import and sync leaves a row in `loads`. An integration is stale when its latest one failed, never ended, or
finished longer ago than its limit; then a run may open signals, and resolves none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from store.operational_tables import Load


@dataclass(frozen=True)
class Freshness:
    """How recent the data of one integration is; `stale` is the reason, None when it is fresh."""

    integration: str
    latest: Load | None
    last_ok_at: datetime | None
    stale: str | None


def freshness(session: Session, limits: Mapping[str, timedelta | None], now: datetime) -> list[Freshness]:
    """Every configured integration (with its limit, None for none), and every other one that was ever loaded."""
    latest = {load.integration: load for load in session.scalars(_latest())}
    good = {row[0]: row[1] for row in session.execute(_last_good())}
    names = sorted({*limits, *latest})
    return [_fresh(name, latest.get(name), good.get(name), name in limits, limits.get(name), now) for name in names]


def stale(session: Session, limits: Mapping[str, timedelta | None], now: datetime) -> dict[str, str]:
    """The stale integrations, each with its reason."""
    return {each.integration: each.stale for each in freshness(session, limits, now) if each.stale}


def _fresh(
    name: str,
    latest: Load | None,
    good: datetime | None,
    configured: bool,
    limit: timedelta | None,
    now: datetime,
) -> Freshness:
    if latest is None:
        return Freshness(name, None, None, "never synced")
    if latest.kind == "sync" and latest.status == "running":
        return Freshness(name, latest, good, f"a sync that began at {latest.started_at:%Y-%m-%d %H:%M} has not ended")
    if latest.kind == "sync" and latest.status == "failed" and configured:
        return Freshness(name, latest, good, f"the last sync failed: {latest.error}")
    if limit is not None and (good is None or now - good > limit):
        since = f"since {good:%Y-%m-%d %H:%M}" if good else "ever"
        return Freshness(name, latest, good, f"nothing came in {since}, the limit is {limit}")
    return Freshness(name, latest, good, None)


def _latest() -> Select[Load]:
    newest = select(func.max(Load.id)).group_by(Load.integration)
    return select(Load).where(Load.id.in_(newest))


def _last_good() -> Select[str, datetime | None]:
    done = Load.status.in_(("ok", "partial"))
    return select(Load.integration, func.max(Load.finished_at)).where(done).group_by(Load.integration)
