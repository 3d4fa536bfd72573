"""What became of a signal's money once it was closed: the one definition that report and scoreboard count by.

    prevented    a run confirmed the repair while a draft that it concerned was not final yet: it never went out wrong
    recovered    a run confirmed it after that, or with no draft: what was billed too little, or at stake, is put right
    returned     the same of what had been billed too much: it was given back
    written off  put aside as too small to matter, or closed on somebody's word without a run that confirmed it

Money is what the signal amounted to when it was closed, by currency, each kind in full. What a statistical rule says is
an estimate and stands apart. False positives, duplicates and what was expected are no money at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from detector.replay import Money
from detector.signal_content import SEVERAL
from store.operational_tables import Signal, SignalImpact

KINDS: Mapping[str, str] = {
    "prevented": "confirmed by a run while a draft that it concerned was not final yet, so it never went out wrong",
    "recovered": "billed too little or at stake, and confirmed as put right when it had gone out, or with no draft",
    "returned": "billed too much, and confirmed as given back when it had gone out, or with no draft",
    "written_off": "put aside as too small to matter, or closed on somebody's word without a run that confirmed it",
}
"""What money is counted as, and what that means."""

CONFIRMED = ("verified", "self_healed")
MOST = 20_000
"""How many signals of a period are read at most."""


@dataclass(frozen=True)
class Sum:
    """Money of one kind in one currency: what rules worked out, and what they estimate."""

    kind: str
    currency: str
    exact: Decimal
    estimate: Decimal
    signals: int


class Closed(NamedTuple):
    """What is counted of a closed signal; there may be thousands."""

    id: int
    rule: str
    code: str
    severity: str
    confidence: str
    status: str
    status_reason: str | None
    status_at: datetime
    first_seen: datetime
    finalizes_at: datetime | None
    resolved_at: datetime | None
    impacts: tuple[Money, ...]


def closed(session: Session, start: datetime, end: datetime) -> Sequence[Closed]:
    """The signals closed in [start, end), most money first."""
    own = [getattr(Signal, name) for name in Closed._fields if name != "impacts"]
    within = (Signal.is_open.is_(False), Signal.status_at >= start, Signal.status_at < end)
    ordered = select(*own, Signal.money_in, Signal.under, Signal.over, Signal.exposure).where(*within)
    rows = session.execute(ordered.order_by(Signal.rank_amount.desc(), Signal.id).limit(MOST)).all()
    several = _several(session, within) if any(row.money_in == SEVERAL for row in rows) else {}
    return [Closed._make([*row[: len(own)], _impacts(row, several)]) for row in rows]


def _impacts(row: Any, several: Mapping[int, Sequence[Money]]) -> tuple[Money, ...]:
    if row.money_in == SEVERAL:
        return tuple(several.get(row.id, ()))
    return (Money(row.money_in, row.under, row.over, row.exposure),) if row.money_in else ()


def _several(session: Session, within: Sequence[ColumnElement[bool]]) -> dict[int, list[Money]]:
    """The money of those signals that have it in several currencies."""
    query = select(*SignalImpact.__table__.columns).join(Signal, Signal.id == SignalImpact.signal_id)
    found: dict[int, list[Money]] = {}
    for number, *money in session.execute(
        query.where(*within, Signal.money_in == SEVERAL).order_by(SignalImpact.signal_id, SignalImpact.currency)
    ):
        found.setdefault(number, []).append(Money(*money))
    return found


def kinds_of(signal: Closed) -> tuple[str, ...]:
    """What a closed signal's money counts as; nothing where it counts as nothing."""
    found = dict.fromkeys(kind for impact in signal.impacts for kind, _ in parts(signal, impact))
    usual = _kind(signal)
    return tuple(found) or ((usual,) if usual else ())


def parts(signal: Closed, impact: Money) -> Iterator[tuple[str, Decimal]]:
    """One impact of a closed signal by kind; amounts above zero only."""
    kind, given_back = _kind(signal), Decimal(0)
    if kind is None:
        return
    if kind == "recovered":
        given_back = impact.over
    rest = impact.under + impact.over + impact.exposure - given_back
    if rest:
        yield kind, rest
    if given_back:
        yield "returned", given_back


def sums(signals: Sequence[Closed]) -> tuple[Sum, ...]:
    """The money of closed signals by kind and currency, in the order of KINDS."""
    found: dict[tuple[str, str], list[tuple[Closed, Decimal]]] = {}
    for signal in signals:
        for impact in signal.impacts:
            for kind, amount in parts(signal, impact):
                found.setdefault((kind, impact.currency), []).append((signal, amount))
    return tuple(
        Sum(kind, currency, _total(own, True), _total(own, False), len(own))
        for kind in KINDS
        for (of, currency), own in sorted(found.items())
        if of == kind
    )


def _kind(signal: Closed) -> str | None:
    if signal.status == "resolved" and signal.status_reason in CONFIRMED:
        in_time = signal.finalizes_at and signal.resolved_at and signal.resolved_at <= signal.finalizes_at
        return "prevented" if in_time else "recovered"
    return "written_off" if signal.status_reason in ("waived", "immaterial") else None


def _total(own: Sequence[tuple[Closed, Decimal]], exact: bool) -> Decimal:
    return sum((amount for signal, amount in own if (signal.confidence == "exact") is exact), Decimal(0))
