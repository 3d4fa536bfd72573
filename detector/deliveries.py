"""Webhooks: proven, stored once each and answered at once; whatever they mean is worked out afterwards.

A delivery that is not proven leaves nothing but a count. One that is sent again is known by its id.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import Engine, delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from integrations.webhooks import ForgedError, StaleError, UnreadableError
from integrations.webhooks import Proof as Proof
from store import operational
from store.delivery_tables import Delivery, DeliveryRefusal

REMEMBERED = timedelta(days=35)
"""How long an applied delivery is known when it is sent again; vendors give up within days."""

LONGEST_DETAIL = 300


class Refusal(StrEnum):
    """Why a delivery was not taken."""

    FORGED = "forged"
    STALE = "stale"
    REPLAYED = "replayed"
    UNREADABLE = "unreadable"
    WRONG_TYPE = "wrong_type"
    TOO_LARGE = "too_large"


@dataclass(frozen=True)
class Outcome:
    """What became of a delivery: taken, or refused and why."""

    refusal: Refusal | None = None
    detail: str = ""


def take(
    engine: Engine, integration: str, proof: Proof, body: bytes, headers: Mapping[str, str], now: datetime
) -> Outcome:
    """Prove a delivery and store it, unless it is known already. When this returns it is on disk."""
    try:
        proven = proof(body, headers, now)
    except StaleError as error:
        return refuse(engine, integration, Refusal.STALE, str(error), now)
    except ForgedError as error:
        return refuse(engine, integration, Refusal.FORGED, str(error), now)
    except UnreadableError as error:
        return refuse(engine, integration, Refusal.UNREADABLE, str(error), now)
    row = Delivery(
        integration=integration,
        delivery_id=proven.id,
        kind=proven.kind,
        body=body,
        received_at=now,
        status="queued",
        attempts=0,
        due_at=now,
    )
    try:
        with operational.writing(engine) as session:
            session.add(row)
    except IntegrityError:
        return refuse(engine, integration, Refusal.REPLAYED, f"{proven.kind} {proven.id} is known", now)
    return Outcome()


def refuse(engine: Engine, integration: str, reason: Refusal, detail: str, now: datetime) -> Outcome:
    """Count a delivery that is not taken."""
    said = detail[:LONGEST_DETAIL]
    key = (DeliveryRefusal.integration == integration, DeliveryRefusal.reason == str(reason))
    with operational.writing(engine) as session:
        operational.alone(session, f"refusals/{integration}")
        counted = update(DeliveryRefusal).where(*key).values(
            count=DeliveryRefusal.count + 1, last_at=now, detail=said
        )  # fmt: skip
        if session.execute(counted).rowcount == 0:  # type: ignore[attr-defined]
            session.add(DeliveryRefusal(integration=integration, reason=str(reason), count=1, last_at=now, detail=said))
    return Outcome(reason, detail)


@dataclass(frozen=True)
class Tally:
    """How the deliveries of one integration stand."""

    waiting: int = 0
    applied: int = 0
    failed: int = 0
    last_at: datetime | None = None


def tallies(session: Session) -> dict[str, Tally]:
    """By integration, of those that are remembered."""
    found: dict[str, dict[str, int]] = {}
    last: dict[str, datetime] = {}
    query = select(Delivery.integration, Delivery.status, func.count(), func.max(Delivery.received_at)).group_by(
        Delivery.integration, Delivery.status
    )
    for integration, status, count, at in session.execute(query):
        named = "waiting" if status in ("queued", "applying") else str(status)
        counts = found.setdefault(integration, {})
        counts[named] = counts.get(named, 0) + count
        last[integration] = max(at, last.get(integration, at))
    return {name: Tally(**counts, last_at=last[name]) for name, counts in found.items()}


def failures(session: Session, integration: str | None = None, most: int = 50) -> Sequence[Delivery]:
    """Deliveries that could not be applied, or not yet, with their cause; the latest first."""
    query = select(Delivery).where(Delivery.error.is_not(None), Delivery.status != "applied")
    if integration is not None:
        query = query.where(Delivery.integration == integration)
    return session.scalars(query.order_by(Delivery.id.desc()).limit(most)).all()


def refusals(session: Session) -> Sequence[DeliveryRefusal]:
    """What was refused so far, by integration and reason."""
    return session.scalars(select(DeliveryRefusal).order_by(DeliveryRefusal.integration, DeliveryRefusal.reason)).all()


def retry(session: Session, integration: str, now: datetime, delivery: int | None = None) -> int:
    """Let failed deliveries of an integration, or one of them, be applied again at once; how many."""
    chosen = update(Delivery).where(
        Delivery.integration == integration, Delivery.status.in_(("failed", "queued")), Delivery.error.is_not(None)
    )
    if delivery is not None:
        chosen = chosen.where(Delivery.id == delivery)
    again = chosen.values(status="queued", attempts=0, due_at=now, error=None)
    return int(session.execute(again).rowcount)  # type: ignore[attr-defined]


def forget(session: Session, now: datetime) -> None:
    """Drop what was applied so long ago that nobody sends it again."""
    session.execute(delete(Delivery).where(Delivery.status == "applied", Delivery.received_at < now - REMEMBERED))
