"""What became of a signal's money once it was closed: the one definition that report and scoreboard count by.

    prevented    a run confirmed the repair while a draft that it concerned was not final yet: it never went out wrong
    recovered    a run confirmed it after that, or with no draft: what was billed too little, or at stake, is put right
    returned     the same of what had been billed too much: it was given back
    written off  put aside as too small to matter, or closed on somebody's word without a run that confirmed it

Money is what the signal amounted to when it was closed, by currency, each kind in full. What a statistical rule says is
an estimate and stands apart. False positives, duplicates and what was expected are no money at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, false, func, select
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


class Ended(NamedTuple):
    """Closed signals that ended alike, and the sum of their money: of all of them there is some, or of none."""

    confidence: str
    status: str
    status_reason: str | None
    was_draft: bool  # a run confirmed the repair while a draft that it concerned was not final yet
    impacts: tuple[Money, ...]
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

    @property
    def ended(self) -> Ended:
        """How it ended."""
        was_draft = bool(self.finalizes_at and self.resolved_at and self.resolved_at <= self.finalizes_at)
        return Ended(self.confidence, self.status, self.status_reason, was_draft, self.impacts, 1)


def closed(session: Session, start: datetime, end: datetime) -> Sequence[Closed]:
    """The signals closed in [start, end), most money first."""
    return _closed(session, _within(start, end))


def ended(session: Session, start: datetime, end: datetime) -> Sequence[Ended]:
    """How the signals closed in [start, end) ended, those together that ended alike."""
    was_draft = func.coalesce(Signal.resolved_at <= Signal.finalizes_at, false())
    money = (Signal.under, Signal.over, Signal.exposure)
    keys = (Signal.confidence, Signal.status, Signal.status_reason, was_draft, Signal.money_in)
    has = (Signal.under + Signal.exposure > 0, Signal.over > 0)
    query: Any = select(*keys, *(func.sum(each) for each in money), func.count()).where(*_within(start, end))
    rows = session.execute(query.group_by(*keys, *has)).all()
    alike = [
        Ended(confidence, status, why, draft, (Money(currency, under, over, exposure),) if currency else (), count)
        for confidence, status, why, draft, currency, under, over, exposure, count in rows
        if currency != SEVERAL
    ]
    if len(alike) == len(rows):
        return alike
    several = _closed(session, [*_within(start, end), Signal.money_in == SEVERAL])
    return [*alike, *(signal.ended for signal in several)]


def _within(start: datetime, end: datetime) -> list[ColumnElement[bool]]:
    return [Signal.is_open.is_(False), Signal.status_at >= start, Signal.status_at < end]


def _closed(session: Session, within: Sequence[ColumnElement[bool]]) -> Sequence[Closed]:
    own = [getattr(Signal, name) for name in Closed._fields if name != "impacts"]
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


def kinds_of(ended: Ended) -> tuple[str, ...]:
    """What the money of closed signals counts as; nothing where it counts as nothing."""
    found = dict.fromkeys(kind for impact in ended.impacts for kind, _ in parts(ended, impact))
    usual = _kind(ended)
    return tuple(found) or ((usual,) if usual else ())


def parts(ended: Ended, impact: Money) -> Iterator[tuple[str, Decimal]]:
    """Money of closed signals in one currency by kind; amounts above zero only."""
    kind, given_back = _kind(ended), Decimal(0)
    if kind is None:
        return
    if kind == "recovered":
        given_back = impact.over
    rest = impact.under + impact.over + impact.exposure - given_back
    if rest:
        yield kind, rest
    if given_back:
        yield "returned", given_back


def sums(ended: Iterable[Ended]) -> tuple[Sum, ...]:
    """The money of closed signals by kind and currency, in the order of KINDS."""
    found: dict[tuple[str, str], list[tuple[Ended, Decimal]]] = {}
    for each in ended:
        for impact in each.impacts:
            for kind, amount in parts(each, impact):
                found.setdefault((kind, impact.currency), []).append((each, amount))
    return tuple(
        Sum(kind, currency, _total(own, True), _total(own, False), sum(each.signals for each, _ in own))
        for kind in KINDS
        for (of, currency), own in sorted(found.items(), key=lambda pair: pair[0])
        if of == kind
    )


def _kind(ended: Ended) -> str | None:
    if ended.status == "resolved" and ended.status_reason in CONFIRMED:
        return "prevented" if ended.was_draft else "recovered"
    return "written_off" if ended.status_reason in ("waived", "immaterial") else None


def _total(own: Sequence[tuple[Ended, Decimal]], exact: bool) -> Decimal:
    return sum((amount for each, amount in own if (each.confidence == "exact") is exact), Decimal(0))
