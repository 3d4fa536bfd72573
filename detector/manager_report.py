"""What became of the signals of a period: money prevented, recovered and written off, how fast, how precise.

    prevented    resolved while a draft that it concerned was not final yet: the wrong invoice never went out
    recovered    resolved after that, or with no draft: issued invoices were put right
    written off  put aside as too small to matter, or closed on somebody's word without a run that confirmed it

Money is what the signal amounted to when it was closed, by currency and kind, never netted. What a statistical rule
says is an estimate and stands apart. False positives, duplicates and what was expected are no money at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from statistics import median
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session, selectinload

from store.operational_tables import Signal, SignalEvent

KINDS: Mapping[str, str] = {
    "prevented": "resolved while a draft that it concerned was not final yet, so the wrong invoice never went out",
    "recovered": "resolved when invoices had gone out already, or where no draft was concerned",
    "written_off": "put aside as too small to matter, or closed on somebody's word without a run that confirmed it",
}
"""What money is counted as, and what that means."""

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


@dataclass(frozen=True)
class Precision:
    """What people made of a rule's signals: how many were right, how many were false."""

    rule: str
    code: str
    right: int
    wrong: int


@dataclass(frozen=True)
class Report:
    """The signals closed and found in a period; times are medians, None where nothing was measured."""

    start: datetime
    end: datetime
    sums: tuple[Sum, ...]
    signals: Mapping[str, tuple[Signal, ...]]
    found: int
    closed: int
    to_first_action: timedelta | None
    to_verified: timedelta | None
    precision: tuple[Precision, ...]


COLUMNS = ("what", "currency", "exact or right", "estimate or wrong", "signals")
"""Of the report as a sheet."""


def span(name: str, zone: tzinfo = UTC, year_begins: int = 1) -> tuple[datetime, datetime]:
    """The month (2026-10), or the year (2026) that begins in its month `year_begins`, in a zone. Raises ValueError."""
    try:
        if len(name) == 4:
            first = datetime.strptime(name, "%Y").replace(month=year_begins, tzinfo=zone)
            return first, first.replace(year=first.year + 1)
        month = datetime.strptime(name, "%Y-%m").replace(tzinfo=zone)
        return month, (month + timedelta(days=32)).replace(day=1)
    except (ValueError, OverflowError):
        raise ValueError(f"period cannot be {name[:20]!r}; use a month like 2026-10, or a year") from None


def rows(found: Report) -> Iterator[tuple[Any, ...]]:
    """The numbers of a report, a row each, under COLUMNS."""
    for each in found.sums:
        yield each.kind, each.currency, each.exact, each.estimate, each.signals
    for judged in found.precision:
        yield f"precision of {judged.rule}", "", judged.right, judged.wrong, judged.right + judged.wrong


def report(session: Session, start: datetime, end: datetime) -> Report:
    """The report of [start, end), both aware."""
    closed = _closed(session, start, end)
    by_kind = {kind: tuple(signal for signal in closed if kind_of(signal) == kind) for kind in KINDS}
    verified = [
        signal.resolved_at - signal.first_seen
        for signal in closed
        if signal.resolved_at and signal.status_reason in ("verified", "self_healed")
    ]
    found, actions = _first_actions(session, start, end)
    return Report(
        start=start,
        end=end,
        sums=tuple(each for kind in KINDS for each in _sums(kind, by_kind[kind])),
        signals=by_kind,
        found=found,
        closed=len(closed),
        to_first_action=_median(actions),
        to_verified=_median(verified),
        precision=_precision(closed),
    )


def kind_of(signal: Signal) -> str | None:
    """What a closed signal's money counts as; None where it counts as nothing."""
    if signal.status == "resolved" and signal.status_reason in ("verified", "self_healed"):
        in_time = signal.finalizes_at and signal.resolved_at and signal.resolved_at <= signal.finalizes_at
        return "prevented" if in_time else "recovered"
    if signal.status_reason in ("waived", "immaterial"):
        return "written_off"
    return None


def _closed(session: Session, start: datetime, end: datetime) -> Sequence[Signal]:
    query = (
        select(Signal)
        .where(Signal.is_open.is_(False), Signal.status_at >= start, Signal.status_at < end)
        .order_by(Signal.rank_amount.desc(), Signal.id)
        .options(selectinload(Signal.impacts))
        .limit(MOST)
    )
    return session.scalars(query).all()


def _sums(kind: str, signals: Sequence[Signal]) -> list[Sum]:
    money: dict[str, list[tuple[Signal, Decimal]]] = {}
    for signal in signals:
        for impact in signal.impacts:
            amount = impact.under + impact.over + impact.exposure
            money.setdefault(impact.currency, []).append((signal, amount))
    return [
        Sum(
            kind,
            currency,
            sum((amount for signal, amount in parts if signal.confidence == "exact"), Decimal(0)),
            sum((amount for signal, amount in parts if signal.confidence != "exact"), Decimal(0)),
            len(parts),
        )
        for currency, parts in sorted(money.items())
    ]


def _first_actions(session: Session, start: datetime, end: datetime) -> tuple[int, list[timedelta]]:
    """How many signals were first seen in the period, and how long each waited for a person."""
    query = select(Signal.id, Signal.first_seen).where(
        Signal.is_open.in_((True, False)), Signal.first_seen >= start, Signal.first_seen < end
    )
    seen = {row[0]: row[1] for row in session.execute(query.limit(MOST))}
    waited, numbers = [], list(seen)
    for place in range(0, len(numbers), 500):
        some = SignalEvent.signal_id.in_(numbers[place : place + 500])
        first = select(SignalEvent.signal_id, func.min(SignalEvent.at)).where(some, SignalEvent.kind != "found")
        rows = session.execute(first.where(SignalEvent.actor.not_like("rule:%")).group_by(SignalEvent.signal_id))
        waited += [max(at - seen[number], timedelta(0)) for number, at in rows]
    return len(seen), waited


def _median(spans: Sequence[timedelta]) -> timedelta | None:
    seconds = [span.total_seconds() for span in spans]
    return timedelta(seconds=round(median(seconds))) if seconds else None


def _precision(closed: Sequence[Signal]) -> tuple[Precision, ...]:
    """By rule, the least precise first; what nobody judged does not count."""
    judged: dict[tuple[str, str], list[bool]] = {}
    for signal in closed:
        if signal.status in ("resolved", "false_positive") and signal.status_reason != "covered":
            judged.setdefault((signal.rule, signal.code), []).append(signal.status == "resolved")
    found = [Precision(rule, code, sum(right), len(right) - sum(right)) for (rule, code), right in judged.items()]
    return tuple(sorted(found, key=lambda each: (each.right / (each.right + each.wrong), each.rule)))
