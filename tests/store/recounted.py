"""What the store counts and keeps of its signals, beside what the signals and what is below them say."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from store.finding_tables import FindingInvoice
from store.operational_tables import Signal, SignalEntity, SignalEvent, StoredFinding
from store.signal_groups import SIGNAL_GROUPS

SUMS = ("under", "over", "exposure", "rank_amount")
ALIKE = [column.name for column in SIGNAL_GROUPS.columns if column.name not in ("signals", "is_merged", *SUMS)]


def groups(session: Session) -> set[tuple[Any, ...]]:
    """The groups as the store has counted them."""
    kept = [SIGNAL_GROUPS.c[name] for name in (*ALIKE, "is_merged", "signals", *SUMS)]
    return {tuple(row) for row in session.execute(select(*kept))}


def regrouped(session: Session) -> set[tuple[Any, ...]]:
    """The groups counted anew from the signals."""
    keys = [*(getattr(Signal, name) for name in ALIKE), Signal.merged_into.is_not(None)]
    sums = [func.sum(getattr(Signal, name)) for name in SUMS]
    return {tuple(row) for row in session.execute(select(*keys, func.count(), *sums).group_by(*keys))}


def named(session: Session) -> set[tuple[Any, ...]]:
    """The invoices of findings as the store keeps them."""
    own = FindingInvoice
    columns = (own.invoice_id, own.finding_id, own.signal_id, own.currency, own.under, own.over, own.exposure)
    return {tuple(row) for row in session.execute(select(*columns))}


def renamed(session: Session) -> set[tuple[Any, ...]]:
    """The same from the records of the findings of open signals that are current and have money."""
    is_named = (StoredFinding.gone_since.is_(None), StoredFinding.currency.is_not(None), Signal.is_open.is_(True))
    current = select(StoredFinding).join(Signal, Signal.id == StoredFinding.signal_id).where(*is_named)
    return {
        (record.removeprefix("invoice:"), each.id, each.signal_id, each.currency, each.under, each.over, each.exposure)
        for each in session.scalars(current)
        for record in each.records or ()
        if record.startswith("invoice:")
    }


def kept(session: Session) -> dict[int, tuple[Any, ...]]:
    """What stands on each signal of its invoices, and of when it was found and first acted on."""
    query = select(Signal.id, Signal.invoice_state, Signal.found_after, Signal.acted_after)
    return {id: tuple(values) for id, *values in session.execute(query)}


def worked_out(session: Session) -> dict[int, tuple[Any, ...]]:
    """The same from its records, its findings and its timeline."""
    return {signal.id: _worked_out(session, signal) for signal in session.scalars(select(Signal))}


def _worked_out(session: Session, signal: Signal) -> tuple[Any, ...]:
    own = SignalEntity.signal_id == signal.id, SignalEntity.type == "invoice", SignalEntity.role != "evidence"
    states = set(session.scalars(select(SignalEntity.status).where(*own)))
    ended = session.scalar(select(func.min(StoredFinding.period_end)).where(StoredFinding.signal_id == signal.id))
    deeds = SignalEvent.signal_id == signal.id, SignalEvent.kind != "found", SignalEvent.actor.not_like("rule:%")
    acted = session.scalar(select(func.min(SignalEvent.at)).where(*deeds))
    return (
        ("draft" if "draft" in states else "issued") if states else None,
        None if ended is None else max(int((signal.first_seen - ended).total_seconds()), 0),
        None if acted is None else max(int((acted - signal.first_seen).total_seconds()), 0),
    )
