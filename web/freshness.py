"""How fresh what is shown is: the latest load of every source and the latest run of every rule."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from flask import g
from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from detector import freshness as sources
from store import operational
from store.operational_tables import Load, Run
from web.console import console, now


@dataclass(frozen=True)
class Freshness:
    """The latest load per source, the latest finished run per rule, and why sources are stale that are."""

    loads: tuple[Load, ...]
    runs: tuple[Run, ...]
    stale: Mapping[str, str]

    @property
    def broken(self) -> tuple[Load, ...]:
        """Sources whose latest load failed."""
        return tuple(load for load in self.loads if load.status == "failed")

    @property
    def behind(self) -> Mapping[str, str]:
        """Sources that are stale although their latest load did not fail."""
        failed = {load.integration for load in self.broken}
        return {name: why for name, why in self.stale.items() if name not in failed}

    @property
    def failed(self) -> tuple[Run, ...]:
        """Rules whose latest run failed: what they would find is not known."""
        return tuple(run for run in self.runs if run.status == "failed")

    @property
    def loaded_at(self) -> datetime | None:
        """When data last came in."""
        return max((load.finished_at for load in self.loads if load.finished_at), default=None)

    @property
    def ran_at(self) -> datetime | None:
        """When a rule last finished."""
        return max((run.finished_at for run in self.runs if run.finished_at), default=None)


def read(session: Session) -> Freshness:
    """What the latest loads and runs say."""
    return Freshness(tuple(latest_loads(session)), tuple(latest_runs(session)), stale(session))


def stale(session: Session) -> Mapping[str, str]:
    """The integrations whose data cannot say that something is gone, each with its reason."""
    return sources.stale(session, console().limits, now())


def behind(names: Collection[str | None] | None = None) -> dict[str, str]:
    """Why the data of these integrations, or of any, is stale; read once per page."""
    if "behind" not in g:
        with operational.reading(console().engine) as session:
            g.behind = dict(stale(session))
    found: dict[str, str] = g.behind
    return {name: why for name, why in found.items() if names is None or name in names}


def usage_sources() -> list[str]:
    """The configured integrations that bring usage events."""
    return [each.name for each in console().integrations if "usage_events" in each.can.reads]


def latest_loads(session: Session) -> Sequence[Load]:
    """One load per source, the latest."""
    latest = select(func.max(Load.id)).group_by(Load.integration)
    return session.scalars(select(Load).where(Load.id.in_(latest)).order_by(Load.integration)).all()


def latest_runs(session: Session) -> Sequence[Run]:
    """One finished run per rule, the latest; one that was skipped because nothing had changed is as good."""
    finished = or_(Run.status.in_(("ok", "failed")), Run.reason == "unchanged")
    latest = select(func.max(Run.id)).where(finished).group_by(Run.rule)
    return session.scalars(select(Run).where(Run.id.in_(latest)).order_by(Run.rule)).all()
