"""What was prevented and what was not, counted from signals and labels; each number has its signals.

Money is that of signals closed in the time, as `detector.outcomes` counts it and the manager's report does; what open
signals and statistical rules say is an estimate and stands apart. Money
is never added across currencies, and under- never against overbilling. Signals that people dismissed are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Integer, case, func, literal_column, select
from sqlalchemy.orm import Session, selectinload

from billing.money import is_currency
from detector import durations, outcomes
from detector.detail import amount, instant
from detector.durations import Durations
from detector.overview import Total, totals_by
from detector.signal_content import SEVERAL
from store import audit
from store.missed_tables import MissedFault
from store.operational_tables import OPEN_STATUSES, Signal

DISMISSED = ("false_positive", "suppressed")

MONEY_OF: Mapping[str, str] = outcomes.KINDS
"""What money is counted as, and what that means."""

CAUGHT = ("on_draft", "after_issue", "before_billing")
"""Where a fault was when it was first seen: on a draft, on issued invoices only, or on no invoice yet."""

TITLES: Mapping[str, str] = {
    "on_draft": "Caught on a draft",
    "after_issue": "Caught after issue",
    "before_billing": "Caught before any invoice",
    "missed": "Missed, labelled later",
    "prevented": "Kept from going out wrong",
    "recovered": "Collected after all",
    "returned": "Given back",
    "written_off": "Written off",
    "time_to_detect": "Time to detect",
    "time_to_resolve": "Time to resolve",
}
"""The numbers by name, as people read them."""


@dataclass
class Tally:
    """One number: how many signals it counts, and its money by currency (for estimates by kind and currency)."""

    count: int = 0
    money: dict[str, Decimal] = field(default_factory=dict)
    estimate: dict[tuple[str, str], Decimal] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The number as JSON; amounts are decimal strings."""
        told: dict[str, Any] = {"count": self.count}
        if self.money:
            told["verified"] = {currency: amount(total, currency) for currency, total in sorted(self.money.items())}
        if self.estimate:
            told["estimated"] = [
                {"kind": kind, "currency": currency, "amount": amount(total, currency)}
                for (kind, currency), total in sorted(self.estimate.items())
            ]
        return told


@dataclass(frozen=True)
class Scoreboard:
    """Every number of a stretch of time: signals first seen in [since, until), signals closed in it, labels of it."""

    since: datetime
    until: datetime
    numbers: Mapping[str, Tally]
    times: Mapping[str, Durations]
    misses: tuple[MissedFault, ...]

    def count(self, name: str) -> int:
        """How many signals stand behind a number. Raises KeyError for a name that is none."""
        return self.times[name].count if name in self.times else self.numbers[name].count


def scoreboard(session: Session, since: datetime, until: datetime) -> Scoreboard:
    """The numbers of [since, until)."""
    numbers = {name: Tally() for name in (*CAUGHT, *MONEY_OF)}
    _count_caught(session, _seen(since, until), numbers)
    _sum_closed(session, since, until, numbers)
    times = {
        "time_to_detect": durations.read(session, Signal.found_after, _seen(since, until)),
        "time_to_resolve": durations.of(_resolved(session, since, until)),
    }
    missed = select(MissedFault).where(MissedFault.happened_at >= since, MissedFault.happened_at < until)
    return Scoreboard(since, until, numbers, times, tuple(session.scalars(missed.order_by(MissedFault.id))))


def behind(session: Session, found: Scoreboard, name: str) -> list[int]:
    """The signals behind a number, by their id; those whose money counts with most money first.

    Raises KeyError for a name that is none.
    """
    if name == "missed":
        return [each.signal_id for each in found.misses if each.signal_id is not None]
    if name in MONEY_OF:
        closed = outcomes.closed(session, found.since, found.until)
        return [each.id for each in closed if name in outcomes.kinds_of(each.ended)]
    return list(session.scalars(select(Signal.id).where(*_behind(found, name)).order_by(Signal.id)))


def heaviest(session: Session, found: Scoreboard, name: str, most: int) -> Sequence[Signal]:
    """Of the signals behind a number those with most money, with their impacts. Raises KeyError as `behind` does."""
    is_listed = name == "missed" or name in MONEY_OF
    where = [Signal.id.in_(behind(session, found, name)[:most])] if is_listed else _behind(found, name)
    query = select(Signal).where(*where).options(selectinload(Signal.impacts))
    return session.scalars(query.order_by(Signal.rank_amount.desc(), Signal.id).limit(most)).all()


def scoreboard_json(session: Session, found: Scoreboard) -> dict[str, Any]:
    """What `trueup scoreboard --json` prints: every number with all its signals, times in hours with one digit."""

    def named(name: str) -> dict[str, Any]:
        return {"signals": [f"SIG-{id}" for id in behind(session, found, name)]}

    return {
        "since": instant(found.since),
        "until": instant(found.until),
        **{name: tally.as_json() | named(name) for name, tally in found.numbers.items()},
        "missed": {
            "count": len(found.misses),
            "labelled": [
                {"id": each.label, "code": each.code, "record": each.record, "kind": each.kind,
                 "currency": each.currency, "amount": amount(each.amount, each.currency), "note": each.note,
                 "by": each.labelled_by, "signal": f"SIG-{each.signal_id}" if each.signal_id else None}
                for each in found.misses
            ],
        },
        **{
            name: {"count": times.count, "median_hours": _hours(times.median),
                   "ninth_decile_hours": _hours(times.within(9)), **named(name)}
            for name, times in found.times.items()
        },
    }  # fmt: skip


def miss(
    session: Session,
    *,
    happened_at: datetime,
    kind: str,
    currency: str,
    amount: Decimal,
    note: str,
    actor: str,
    now: datetime,
    code: str | None = None,
    record: str | None = None,
    signal_id: int | None = None,
) -> MissedFault:
    """Label a fault that no rule found in time. Raises ValueError, saying what is wrong."""
    if kind not in ("under", "over"):
        raise ValueError("a fault is under (too little was charged) or over (too much)")
    if not is_currency(currency) or amount <= 0:
        raise ValueError("a missed fault has an amount above zero in a currency such as USD")
    if not note.split():
        raise ValueError("a note is needed: how it came to light")
    if happened_at > now:
        raise ValueError("it cannot have been missed before it happens")
    if signal_id is not None and session.get(Signal, signal_id) is None:
        raise ValueError(f"there is no signal SIG-{signal_id}")
    made = MissedFault(happened_at=happened_at, code=code, record=record, kind=kind, currency=currency, amount=amount,
                       note=" ".join(note.split())[:500], labelled_by=actor, labelled_at=now,
                       signal_id=signal_id)  # fmt: skip
    session.add(made)
    session.flush()
    told = {"happened_at": happened_at, "kind": kind, "amount": amount, "currency": currency, "code": code,
            "record": record, "signal": signal_id and f"SIG-{signal_id}"}  # fmt: skip
    audit.record(session, "missed.labelled", ("missed", f"MISS-{made.id}"), actor=actor, now=now, after=told,
                 reason=made.note)  # fmt: skip
    return made


def _seen(since: datetime, until: datetime) -> list[ColumnElement[bool]]:
    """The signals first seen in the time that nobody dismissed, along the index that has all that is counted."""
    return [Signal.first_seen >= since, Signal.first_seen < until, Signal.status.not_in(DISMISSED)]


def _count_caught(session: Session, seen: Sequence[ColumnElement[bool]], numbers: Mapping[str, Tally]) -> None:
    """How many were caught where; what is still open says how much may be wrong there."""
    place, is_open = _caught(), Signal.status.in_(OPEN_STATUSES)
    keys = (place * 2 + case((is_open, literal_column("1")), else_=literal_column("0")), Signal.money_in)
    sums = [func.sum(column) for column in (Signal.under, Signal.over, Signal.exposure)]
    has_several = False
    query: Any = select(*keys, func.count(), *sums).where(*seen).group_by(*keys)
    for code, currency, count, under, over, exposure in session.execute(query):
        name, is_still = CAUGHT[code // 2], code % 2
        numbers[name].count += count
        if is_still and currency not in (None, SEVERAL):
            _estimate(numbers[name], Total(currency, under, over, exposure, count))
        has_several = has_several or bool(is_still and currency == SEVERAL)
    if has_several:
        several = totals_by(session, place, [*seen, is_open, Signal.money_in == SEVERAL])
        for at, totals in several.items():
            for total in totals:
                _estimate(numbers[CAUGHT[at]], total)


def _estimate(tally: Tally, total: Total) -> None:
    for kind in ("under", "over", "exposure"):
        if money := getattr(total, kind):
            key = kind, total.currency
            tally.estimate[key] = tally.estimate.get(key, Decimal(0)) + money


def _caught() -> ColumnElement[int]:
    """Where in CAUGHT a signal was: in time, or on drafts or issued invoices that it names, or before any."""
    draft, issued, none = (literal_column(str(at), Integer) for at in range(len(CAUGHT)))
    in_time = Signal.finalizes_at.is_not(None) & (Signal.first_seen < Signal.finalizes_at)
    return case((in_time, draft), (Signal.invoice_state == "draft", draft), (Signal.invoice_state == "issued", issued),
                else_=none)  # fmt: skip


def _sum_closed(session: Session, since: datetime, until: datetime, numbers: Mapping[str, Tally]) -> None:
    """What became of the money of the signals closed in the time."""
    ended = outcomes.ended(session, since, until)
    for alike in ended:
        for kind in outcomes.kinds_of(alike):
            numbers[kind].count += alike.signals
    for each in outcomes.sums(ended):
        if each.exact:
            numbers[each.kind].money[each.currency] = each.exact
        if each.estimate:
            numbers[each.kind].estimate[each.kind, each.currency] = each.estimate


def _resolved(session: Session, since: datetime, until: datetime) -> Iterator[int]:
    """The seconds from when each signal was first seen until people resolved it."""
    query = select(Signal.first_seen, Signal.resolved_at).where(*_seen(since, until), *_RESOLVED)
    return (int((at - first).total_seconds()) for first, at in session.execute(query) if at)


def _behind(found: Scoreboard, name: str) -> list[ColumnElement[bool]]:
    """What the signals behind a number fulfil that is no outcome. Raises KeyError."""
    own: dict[str, tuple[ColumnElement[bool], ...]] = {
        **{each: (_caught() == at,) for at, each in enumerate(CAUGHT)},
        "time_to_detect": (Signal.found_after.is_not(None),),
        "time_to_resolve": _RESOLVED,
    }
    return [*_seen(found.since, found.until), *own[name]]


_RESOLVED = (
    Signal.status == "resolved",
    func.coalesce(Signal.status_reason, "") != "self_healed",
    Signal.resolved_at.is_not(None),
)
"""By people; what healed by itself says nothing of them."""


def _hours(span: timedelta | None) -> float | None:
    return None if span is None else round(span.total_seconds() / 3600, 1)
