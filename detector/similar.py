"""What a signal has in common with others: one cause, the same customers, the same defect again and again.

Signals of one cause with three customers or more within thirty days are one issue: one thing to repair, however many
rules saw it. An issue is read off its signals, never stored, so that it cannot say anything else than they do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, select
from sqlalchemy.orm import Session, selectinload

from store.operational_tables import Signal, SignalEntity, SignalEvent

WINDOW = timedelta(days=30)
LEAST_CUSTOMERS = 3
SHOWN = 8

INVESTIGATE = ((64,), (4,), (1, 12), (8, 9), range(19, 24), range(24, 36), range(38, 50), range(50, 59), range(59, 64))
"""Faults in the order in which they are looked into when several fire together: what comes first explains the rest."""


@dataclass(frozen=True)
class Similar:
    """Another signal, and what the two have in common."""

    signal: Signal
    why: str


@dataclass(frozen=True)
class Issue:
    """Signals that one repair would settle: those of one cause, the one first that explains most."""

    cause: str
    signals: tuple[Signal, ...]
    customers: int
    since: datetime

    @property
    def repair(self) -> str:
        """The rule whose playbook repairs the cause."""
        return self.signals[0].rule

    @property
    def status(self) -> str:
        """`open` while any of its signals is not resolved, then `closed`."""
        return "closed" if all(signal.status == "resolved" for signal in self.signals) else "open"


@dataclass(frozen=True)
class Recurrence:
    """When the same defect was found anew, oldest first; `every` is the usual time between, None before the second."""

    at: tuple[datetime, ...]

    @property
    def every(self) -> timedelta | None:
        """The median gap."""
        gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(self.at)]
        return timedelta(seconds=median(gaps)) if gaps else None


def similar(session: Session, found: Signal) -> tuple[Similar, ...]:
    """Signals like this one, each once by the strongest likeness, open ones first: the same defect before, the same
    cause, the same rule for some of the same customers, the same customer, the same rule.
    """
    known: dict[int, Similar] = {}
    for why, condition in _likenesses(found):
        _add(session, known, found, condition, why)
        if why == "same cause":
            _add_overlapping(session, known, found)
    return tuple(known.values())


def issue(session: Session, found: Signal) -> Issue | None:
    """The issue that the signal is part of; None where its cause concerns fewer than three customers."""
    near = (Signal.last_seen >= found.first_seen - WINDOW, Signal.first_seen <= found.last_seen + WINDOW)
    query = select(Signal).where(*_same_cause(found), Signal.status != "false_positive", *near)
    signals = sorted(session.scalars(query).all(), key=_order)
    customers = select(func.count(SignalEntity.customer_id.distinct())).where(
        SignalEntity.signal_id.in_([each.id for each in signals]), SignalEntity.gone_since.is_(None)
    )
    number = session.scalar(customers) or 0
    if number < LEAST_CUSTOMERS:
        return None
    return Issue(found.cause, tuple(signals), number, min(each.first_seen for each in signals))


def recurrence(session: Session, found: Signal) -> Recurrence:
    """When this defect was opened and reopened, over all signals that ever stood for it."""
    opened = select(SignalEvent.at).join(Signal, Signal.id == SignalEvent.signal_id)
    opened = opened.where(Signal.fingerprint == found.fingerprint, SignalEvent.reason.in_(("opened", "reopened")))
    return Recurrence(tuple(session.scalars(opened.where(SignalEvent.kind == "found").order_by(SignalEvent.at))))


def issue_json(found: Issue | None) -> dict[str, Any] | None:
    """An issue as `trueup signal show --json` prints it."""
    if found is None:
        return None
    labels = [signal.label for signal in found.signals]
    told = {"cause": found.cause, "status": found.status, "signals": labels, "customers": found.customers}
    return {**told, "since": found.since.isoformat().replace("+00:00", "Z"), "repair": found.repair}


def recurrence_json(found: Recurrence) -> dict[str, Any]:
    """How often a defect came back, as `trueup signal show --json` prints it."""
    every = round(found.every.total_seconds() / 86_400, 1) if found.every is not None else None
    at = [moment.isoformat().replace("+00:00", "Z") for moment in found.at]
    return {"times": len(found.at), "at": at, "every_days": every}


def _likenesses(found: Signal) -> Iterator[tuple[str, ColumnElement[bool]]]:
    yield "the same defect before", Signal.fingerprint == found.fingerprint
    yield "same cause", and_(*_same_cause(found))
    yield "same customer", and_(Signal.customer_id.is_not(None), Signal.customer_id == found.customer_id)
    yield "same rule", Signal.rule == found.rule


def _same_cause(found: Signal) -> tuple[ColumnElement[bool], ...]:
    return Signal.cause_type == found.cause_type, Signal.cause_id == found.cause_id


def _add(session: Session, known: dict[int, Similar], found: Signal, condition: ColumnElement[bool], why: str) -> None:
    query = select(Signal).where(condition, Signal.id != found.id, Signal.id.not_in(known))
    query = query.order_by(Signal.is_open.desc(), Signal.rank_amount.desc(), Signal.id).limit(SHOWN - len(known))
    for other in session.scalars(query.options(selectinload(Signal.impacts))):
        known[other.id] = Similar(other, why)


def _add_overlapping(session: Session, known: dict[int, Similar], found: Signal) -> None:
    """Signals of the same rule that concern some of the same customers, those first that share most of them."""
    own = _customers(found.id)
    shared = func.count(SignalEntity.customer_id.distinct())
    query = (
        select(SignalEntity.signal_id, shared)
        .join(Signal, Signal.id == SignalEntity.signal_id)
        .where(Signal.rule == found.rule, Signal.id != found.id, Signal.id.not_in(known))
        .where(SignalEntity.customer_id.in_(own))
        .group_by(SignalEntity.signal_id)
        .order_by(shared.desc(), SignalEntity.signal_id)
        .limit(SHOWN - len(known))
    )
    for signal_id, number in session.execute(query).all():
        other = session.get_one(Signal, signal_id, options=[selectinload(Signal.impacts)])
        known[signal_id] = Similar(other, f"same rule, {number} of {_people(found.customer_count)}")


def _customers(signal_id: int) -> Select[str | None]:
    return select(SignalEntity.customer_id).where(
        SignalEntity.signal_id == signal_id, SignalEntity.customer_id.is_not(None)
    )


def _people(number: int) -> str:
    return "its customer" if number == 1 else f"its {number} customers"


def _order(signal: Signal) -> tuple[int, Any, int]:
    """Where a signal stands among those of its issue: by the order of investigation, then by money."""
    prefix, _, number = signal.code.partition("-")
    places = [place for place, faults in enumerate(INVESTIGATE) if prefix == "TU" and int(number) in faults]
    return (places[0] if places else len(INVESTIGATE)), -signal.rank_amount, signal.id
