"""What people do with signals that are one and the same problem: merge them into one case, split one off again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from detector import merged, triage
from detector.triage import Change, IllegalTransition
from store.merge_tables import MergedCause
from store.operational_tables import Signal


def merge(session: Session, ids: Sequence[int], *, actor: str, now: datetime, reason: str | None = None) -> Change:
    """Make open signals one case, in which the one with most money speaks for the others, over all later runs.

    Signals of a case that is there already bring it along. Raises IllegalTransition where there are fewer than two, one
    is closed, or they belong to two cases; UnknownSignal.
    """
    signals = triage.load(session, ids)
    closed = next((signal for signal in signals if not signal.is_open), None)
    if len(signals) < 2:
        raise IllegalTransition("select at least two signals to merge")
    if closed is not None:
        raise IllegalTransition(f"{closed.label} is {closed.status}; only open signals can be merged")
    known = _cases(session, signals)
    if len(set(known.values())) > 1:
        raise IllegalTransition("they are parts of two merged cases already; split one of them first")
    signals.sort(key=lambda signal: (-signal.rank_amount, signal.id))
    change = triage.note(session, ids, "merge", "merged", reason or _names(signals), actor=actor, now=now)
    case = next(iter(known.values()), change.id)
    last = session.scalar(select(func.max(MergedCause.position)).where(MergedCause.case_id == case)) or 0
    for place, signal in enumerate((signal for signal in signals if signal.fingerprint not in known), last + 1):
        session.add(
            MergedCause(
                fingerprint=signal.fingerprint,
                case_id=case,
                position=place,
                change_id=change.id,
                merged_by=actor,
                merged_at=now,
            )
        )
    session.flush()
    merged.settle(session, [signal.fingerprint for signal in signals])
    return change


def split(session: Session, ids: Sequence[int], *, actor: str, now: datetime) -> Change:
    """Take signals out of their case; no run puts them back. Raises IllegalTransition where none is in a case."""
    signals = triage.load(session, ids)
    known = _cases(session, signals)
    if not known:
        raise IllegalTransition(f"{signals[0].label} is not merged with another signal")
    inside = [signal for signal in signals if signal.fingerprint in known]
    change = triage.note(session, [signal.id for signal in inside], "split", "split", None, actor=actor, now=now)
    merged.take_out(session, list(known))
    return change


def _cases(session: Session, signals: Sequence[Signal]) -> dict[str, str]:
    """The case of each fingerprint that is in one."""
    query = select(MergedCause).where(MergedCause.fingerprint.in_([signal.fingerprint for signal in signals]))
    return {row.fingerprint: row.case_id for row in session.scalars(query)}


def _names(signals: Sequence[Signal]) -> str:
    return ", ".join(signal.label for signal in signals)
