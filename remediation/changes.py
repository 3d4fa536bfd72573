"""What changed just before a fault began: prices, plans, subscriptions, negotiated terms, and loads that failed.

A change is a hint and never a proof; it is told with its instant, so that people can judge.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
from sqlalchemy import select
from sqlalchemy.orm import Session

from remediation.case import Case
from store.operational_tables import Load
from store.warehouse import Warehouse

BEFORE = timedelta(days=45)
"""How long before the first wrong period a change may lie and still be worth telling."""

SHOWN = 10


@dataclass(frozen=True)
class Changed:
    """One change: of which record, when, and what in words."""

    record: str
    at: datetime
    what: str


QUERIES = {
    "price": (
        "SELECT price_id, unnest([effective_from, effective_to]), unnest(['the price takes effect', 'the price ends']) "
        "FROM books.prices WHERE integration = ? AND price_id IN (SELECT unnest(?))"
    ),
    "plan": (
        "SELECT plan_id, unnest([effective_from, effective_to]), "
        "unnest(['version ' || version || ' takes effect', 'version ' || version || ' ends']) "
        "FROM books.plans WHERE integration = ? AND plan_id IN (SELECT unnest(?))"
    ),
    "subscription": (
        "SELECT subscription_id, unnest([started_at, trial_end, canceled_at, cancel_at, ended_at]), "
        "unnest(['it starts', 'its trial ends', 'it is cancelled', 'its cancellation takes effect', 'it ends']) "
        "FROM books.subscriptions WHERE integration = ? AND subscription_id IN (SELECT unnest(?))"
    ),
    "item": (
        "SELECT item_id, unnest([active_from, active_to]), "
        "unnest(['the item starts on ' || price_id, 'the item ends']) "
        "FROM books.subscription_items WHERE integration = ? AND item_id IN (SELECT unnest(?))"
    ),
    "discount": (
        "SELECT discount_id, unnest([starts_at, ends_at]), unnest(['the discount starts', 'the discount ends']) "
        "FROM books.discounts WHERE integration = ? AND discount_id IN (SELECT unnest(?))"
    ),
    "customer": (
        "SELECT customer_id, unnest([valid_from, valid_to]), "
        "unnest(['terms for ' || price_id || ' take effect', 'terms for ' || price_id || ' end']) "
        "FROM books.price_overrides WHERE integration = ? AND customer_id IN (SELECT unnest(?))"
    ),
}
"""By type of record, when something about it changes."""


def just_before(session: Session, warehouse: Warehouse, case: Case) -> tuple[Changed, ...]:
    """Changes of the signal's records, and loads that failed, near the beginning of what is wrong; latest first."""
    began = min((each.period_start for each in case.findings if each.period_start), default=case.signal.first_seen)
    ends = [each.period_end for each in case.findings if each.period_end and each.period_start == began]
    window = (began - BEFORE, min([*ends, case.signal.last_seen]))
    with closing(warehouse.connect(read_only=True)) as con:
        found = [*_of_books(con, case, window), *_loads(session, case, window)]
    return tuple(sorted(set(found), key=lambda each: (-each.at.timestamp(), each.record))[:SHOWN])


def _of_books(con: duckdb.DuckDBPyConnection, case: Case, window: tuple[datetime, datetime]) -> Iterator[Changed]:
    for type, query in QUERIES.items():
        ids = sorted({each.entity_id for each in case.entities if each.type == type})
        if not ids:
            continue
        for id, at, what in con.execute(query, [case.signal.integration, ids]).fetchall():
            moment = _aware(at)
            if moment is not None and window[0] <= moment <= window[1]:
                yield Changed(f"{type}:{id}", moment, str(what))


def _loads(session: Session, case: Case, window: tuple[datetime, datetime]) -> Sequence[Changed]:
    query = select(Load).where(
        Load.status == "failed",
        Load.integration == case.signal.integration,
        Load.started_at >= window[0],
        Load.started_at <= case.signal.last_seen,
    )
    loads = session.scalars(query.order_by(Load.id.desc()).limit(SHOWN))
    return [
        Changed(f"integration:{load.integration}", load.started_at, f"a load failed: {load.error}") for load in loads
    ]


def _aware(value: Any) -> datetime | None:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else None
