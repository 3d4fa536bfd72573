"""How the configured integrations are doing: is each read, how late is it, what went wrong, what waits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from detector import arrivals, deliveries, reconcile
from detector.deliveries import Tally
from detector.flow import Flow, Held, Hole, flows
from detector.freshness import Freshness, freshness
from detector.reconcile import Outcome
from integrations.capabilities import Capabilities
from integrations.catalogue import kinds as kinds
from store.delivery_tables import Delivery, DeliveryRefusal, Rejection
from store.operational_tables import Job, Load


@dataclass(frozen=True)
class Configured:
    """One integration as it is configured, with nothing secret in it.

    `key`: the variable that holds its key. `writes`: whether approved actions may write there. `takes_webhooks`:
    whether the secret is there that proves them. `in_place`: what of it is read where it lies and not copied.
    """

    name: str
    kind: str
    can: Capabilities
    key: str | None = None
    writes: bool = False
    takes_webhooks: bool = False
    every: timedelta | None = None
    stale_after: timedelta | None = None
    in_place: str | None = None


@dataclass(frozen=True)
class Connection:
    """One integration and how it is doing. `state`: ok, running, stale or failed; `why` says it in a sentence."""

    configured: Configured
    state: str
    why: str | None
    good_at: datetime | None
    rows: int
    loads: Sequence[Load] = ()
    tested: Job | None = None
    tally: Tally = field(default_factory=Tally)
    failures: Sequence[Delivery] = ()
    refusals: Sequence[DeliveryRefusal] = ()
    rejections: Sequence[Rejection] = ()
    flow: Flow = field(default_factory=Flow)
    tables: Sequence[Held] = ()
    holes: Sequence[Hole] = ()
    compared: Outcome | None = None


LOADS = 5
"""The latest syncs that are shown."""


def connections(
    session: Session,
    configured: Sequence[Configured],
    tables: Mapping[str, Sequence[Held]],
    holes: Mapping[str, Sequence[Hole]],
    now: datetime,
) -> list[Connection]:
    """Every configured integration, those that are not well first.

    `tables`: what the books hold; `holes`: invoice numbers that they lack; both by integration.
    """
    limits = {each.name: each.stale_after for each in configured}
    fresh = {each.integration: each for each in freshness(session, limits, now)}
    brought = flows(session, now)
    compared = reconcile.latest(session)
    tallies, refused = deliveries.tallies(session), deliveries.refusals(session)
    found = []
    for each in configured:
        state, why = _state(fresh[each.name])
        found.append(
            Connection(
                each,
                state,
                why,
                fresh[each.name].last_ok_at,
                sum(one.rows for one in tables.get(each.name, ())),
                loads=_loads(session, each.name),
                tested=_tested(session, each.name),
                tally=tallies.get(each.name, Tally()),
                failures=deliveries.failures(session, each.name),
                refusals=[one for one in refused if one.integration == each.name],
                rejections=arrivals.rejections(session, each.name),
                flow=brought.get(each.name, Flow()),
                tables=tables.get(each.name, ()),
                holes=holes.get(each.name, ()),
                compared=compared.get(each.name),
            )
        )
    return sorted(found, key=lambda each: (_ORDER.index(each.state), each.configured.name))


_ORDER = ("failed", "stale", "running", "ok")


def _state(fresh: Freshness) -> tuple[str, str | None]:
    latest = fresh.latest
    if latest is not None and latest.status == "running":
        return "running", fresh.stale
    if latest is not None and latest.status == "failed":
        return "failed", latest.error
    return ("stale", fresh.stale) if fresh.stale else ("ok", None)


def _loads(session: Session, name: str) -> Sequence[Load]:
    return session.scalars(select(Load).where(Load.integration == name).order_by(Load.id.desc()).limit(LOADS)).all()


def _tested(session: Session, name: str) -> Job | None:
    """The latest test of the integration that somebody asked for."""
    tests = select(Job).where(Job.kind == "test").order_by(Job.id.desc()).limit(50)
    return next((job for job in session.scalars(tests) if job.args.get("integration") == name), None)
