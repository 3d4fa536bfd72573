"""Which signals are one case: kept by fingerprint, so that it holds whatever signals the runs open and close.

Of a case the first open signal is listed and speaks for the others, which are `merged_into` it; all of them stay open,
hold their drafts and count with their money. When the first closes the next one is listed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session, selectinload

from store.merge_tables import MergedCause
from store.operational_tables import Signal


def with_merged(session: Session, ids: Sequence[int]) -> list[int]:
    """The signals together with those that are merged into them."""
    found = set(ids)
    for start in range(0, len(ids), 500):
        found.update(session.scalars(select(Signal.id).where(Signal.merged_into.in_(ids[start : start + 500]))))
    return sorted(found)


def merged_into(session: Session, signals: Iterable[Signal]) -> dict[int, list[Signal]]:
    """By the number of a listed signal, those that are merged into it, with their impacts, the largest first."""
    found: dict[int, list[Signal]] = {}
    query = select(Signal).where(Signal.merged_into.in_([signal.id for signal in signals]))
    for other in session.scalars(query.order_by(Signal.rank_amount.desc()).options(selectinload(Signal.impacts))):
        found.setdefault(other.merged_into or 0, []).append(other)
    return found


def money(signal: Signal, others: Sequence[Signal]) -> list[tuple[str, Decimal]]:
    """What a listed signal and those merged into it put at risk, by currency; kinds are added, currencies are not."""
    sums: dict[str, Decimal] = {}
    for one in (signal, *others):
        for impact in one.impacts:
            at_risk = impact.under + impact.over + impact.exposure
            sums[impact.currency] = sums.get(impact.currency, Decimal(0)) + at_risk
    return list(sums.items())


def case_of(session: Session, signal: Signal) -> list[Signal]:
    """The other open signals of the signal's case, in the order in which they would speak for it."""
    own = session.scalar(select(MergedCause.case_id).where(MergedCause.fingerprint == signal.fingerprint))
    if own is None:
        return []
    query = (
        select(Signal)
        .join(MergedCause, MergedCause.fingerprint == Signal.fingerprint)
        .where(MergedCause.case_id == own, Signal.is_open.is_(True), Signal.id != signal.id)
        .order_by(MergedCause.position)
        .options(selectinload(Signal.impacts))
    )
    return list(session.scalars(query))


def settle(session: Session, fingerprints: Iterable[str]) -> None:
    """Say anew, for the cases of some fingerprints, which signal is listed and which are merged into it."""
    wanted = list(fingerprints)
    cases: set[str] = set()
    for start in range(0, len(wanted), 500):
        some = MergedCause.fingerprint.in_(wanted[start : start + 500])
        cases.update(session.scalars(select(MergedCause.case_id).where(some)))
    for case in cases:
        _settle(session, case)


def settle_rule(session: Session, rule: str) -> None:
    """As `settle`, for every case that a rule has a signal in."""
    query = select(MergedCause.fingerprint).join(Signal, Signal.fingerprint == MergedCause.fingerprint)
    settle(session, session.scalars(query.where(Signal.rule == rule).distinct()).all())


def take_out(session: Session, fingerprints: Sequence[str]) -> None:
    """Take causes out of their case; what is left alone is no case any more."""
    cases = session.scalars(select(MergedCause.case_id).where(MergedCause.fingerprint.in_(fingerprints))).all()
    gone = [*fingerprints]
    session.execute(delete(MergedCause).where(MergedCause.fingerprint.in_(fingerprints)))
    for case in set(cases):
        left = session.scalars(select(MergedCause.fingerprint).where(MergedCause.case_id == case)).all()
        if len(left) == 1:
            session.execute(delete(MergedCause).where(MergedCause.case_id == case))
            gone += left
        else:
            _settle(session, case)
    session.execute(update(Signal).where(Signal.fingerprint.in_(gone)).values(merged_into=None))


def undo(session: Session, change_id: str) -> None:
    """Take out what a merge put into a case."""
    put = session.scalars(select(MergedCause.fingerprint).where(MergedCause.change_id == change_id)).all()
    take_out(session, put)


def _settle(session: Session, case: str) -> None:
    query = (
        select(Signal)
        .join(MergedCause, MergedCause.fingerprint == Signal.fingerprint)
        .where(MergedCause.case_id == case)
        .order_by(Signal.is_open.desc(), MergedCause.position, Signal.id.desc())
    )
    session.flush()
    signals = session.scalars(query).all()
    listed = next((signal for signal in signals if signal.is_open), None)
    for signal in signals:
        aside = listed is not None and signal is not listed and signal.is_open
        signal.merged_into = listed.id if aside and listed else None
