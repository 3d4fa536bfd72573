"""What was prevented and what was not, counted from signals and labels; each number has its signals.

Money is that of signals closed in the time, as `detector.outcomes` counts it and the manager's report does; what open
signals and statistical rules say is an estimate and stands apart. Money
is never added across currencies, and under- never against overbilling. Signals that people dismissed are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from statistics import quantiles
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, literal, select
from sqlalchemy.orm import Session

from billing.money import is_currency
from detector import outcomes
from detector.detail import amount, instant
from detector.overview import totals_by
from detector.signal_content import SEVERAL
from store import audit
from store.missed_tables import MissedFault
from store.operational_tables import OPEN_STATUSES, Signal, SignalEntity, StoredFinding

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
    """One number: the signals that it counts, and its money by currency (for estimates by currency and kind)."""

    signals: list[int] = field(default_factory=list)
    money: dict[str, Decimal] = field(default_factory=dict)
    estimate: dict[tuple[str, str], Decimal] = field(default_factory=dict)
    _known: set[int] = field(default_factory=set, repr=False)

    def add(self, signal: int) -> None:
        """Count a signal, once."""
        if signal not in self._known:
            self._known.add(signal)
            self.signals.append(signal)

    def as_json(self) -> dict[str, Any]:
        """The number as JSON; amounts are decimal strings."""
        told: dict[str, Any] = {"count": len(self.signals), "signals": [f"SIG-{id}" for id in self.signals]}
        if self.money:
            told["verified"] = {currency: amount(total, currency) for currency, total in sorted(self.money.items())}
        if self.estimate:
            told["estimated"] = [
                {"kind": kind, "currency": currency, "amount": amount(total, currency)}
                for (kind, currency), total in sorted(self.estimate.items())
            ]
        return told


@dataclass(frozen=True)
class Times:
    """How long something took, over the signals that say it: the median and the ninth decile."""

    signals: tuple[int, ...] = ()
    median: timedelta | None = None
    most: timedelta | None = None

    def as_json(self) -> dict[str, Any]:
        """Hours, with one digit."""
        hours = {"median_hours": self.median, "ninth_decile_hours": self.most}
        told = {
            name: None if value is None else round(value.total_seconds() / 3600, 1) for name, value in hours.items()
        }
        return {"count": len(self.signals), **told, "signals": [f"SIG-{id}" for id in self.signals]}


@dataclass(frozen=True)
class Scoreboard:
    """Every number of a stretch of time: signals first seen in [since, until), signals closed in it, labels of it."""

    since: datetime
    until: datetime
    numbers: Mapping[str, Tally]
    times: Mapping[str, Times]
    misses: tuple[MissedFault, ...]

    def as_json(self) -> dict[str, Any]:
        """What `trueup scoreboard --json` prints."""
        return {
            "since": instant(self.since),
            "until": instant(self.until),
            **{name: tally.as_json() for name, tally in self.numbers.items()},
            "missed": {
                "count": len(self.misses),
                "labelled": [
                    {"id": each.label, "code": each.code, "record": each.record, "kind": each.kind,
                     "currency": each.currency, "amount": amount(each.amount, each.currency), "note": each.note,
                     "by": each.labelled_by, "signal": f"SIG-{each.signal_id}" if each.signal_id else None}
                    for each in self.misses
                ],
            },
            **{name: times.as_json() for name, times in self.times.items()},
        }  # fmt: skip

    def signals(self, name: str) -> tuple[int, ...]:
        """The signals behind a number. Raises KeyError for a name that is none."""
        if name == "missed":
            return tuple(each.signal_id for each in self.misses if each.signal_id is not None)
        return tuple(self.times[name].signals if name in self.times else self.numbers[name].signals)


def scoreboard(session: Session, since: datetime, until: datetime) -> Scoreboard:
    """The numbers of [since, until)."""
    along = Signal.is_open.in_((True, False))  # the index by when they were first seen begins with it
    seen = [along, Signal.first_seen >= since, Signal.first_seen < until, Signal.status.not_in(DISMISSED)]
    numbers = {name: Tally() for name in (*CAUGHT, *MONEY_OF)}
    _count(session, seen, numbers)
    _sum_closed(session, since, until, numbers)
    missed = select(MissedFault).where(MissedFault.happened_at >= since, MissedFault.happened_at < until)
    return Scoreboard(
        since,
        until,
        numbers,
        {"time_to_detect": _detected(session, seen), "time_to_resolve": _resolved(session, seen)},
        tuple(session.scalars(missed.order_by(MissedFault.id))),
    )


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


def _count(session: Session, seen: Sequence[ColumnElement[bool]], numbers: Mapping[str, Tally]) -> None:
    """Each signal where it was caught; what is still open says how much may be wrong there."""
    where, is_open, several = _caught(), Signal.status.in_(OPEN_STATUSES), False
    listed = select(Signal.id, where, and_(is_open, Signal.money_in == SEVERAL)).where(*seen).order_by(Signal.id)
    for id, name, has_several in session.execute(listed):
        numbers[name].add(id)
        several = several or bool(has_several)
    for name, totals in totals_by(session, where, [*seen, is_open], has_several=several).items():
        for total in totals:
            for kind in ("under", "over", "exposure"):
                if money := getattr(total, kind):
                    numbers[name].estimate[kind, total.currency] = money


def _caught() -> ColumnElement[str]:
    """Where a signal was caught: in time, or on drafts or issued invoices that it names, or before any."""
    drafts = (
        select(func.max(case((SignalEntity.status == "draft", literal(1)), else_=literal(0))))
        .where(SignalEntity.signal_id == Signal.id, SignalEntity.type == "invoice", SignalEntity.role != "evidence")
        .scalar_subquery()
    )
    in_time = Signal.finalizes_at.is_not(None) & (Signal.first_seen < Signal.finalizes_at)
    named = case({1: literal("on_draft"), 0: literal("after_issue")}, value=drafts, else_=literal("before_billing"))
    return case((in_time, literal("on_draft")), else_=named)


def _sum_closed(session: Session, since: datetime, until: datetime, numbers: Mapping[str, Tally]) -> None:
    """What became of the money of the signals closed in the time."""
    closed = outcomes.closed(session, since, until)
    for signal in closed:
        for kind in outcomes.kinds_of(signal):
            numbers[kind].add(signal.id)
    for each in outcomes.sums(closed):
        if each.exact:
            numbers[each.kind].money[each.currency] = each.exact
        if each.estimate:
            numbers[each.kind].estimate[each.kind, each.currency] = each.estimate


def _detected(session: Session, seen: Sequence[ColumnElement[bool]]) -> Times:
    """From the end of the first period that was wrong until it was seen; what was seen before took no time."""
    query = (
        select(Signal.id, Signal.first_seen, func.min(StoredFinding.period_end))
        .join(StoredFinding, StoredFinding.signal_id == Signal.id)
        .where(*seen, StoredFinding.period_end.is_not(None))
        .group_by(Signal.id, Signal.first_seen)
    )
    return _times((id, max(first - end, timedelta(0))) for id, first, end in session.execute(query) if end)


def _resolved(session: Session, seen: Sequence[ColumnElement[bool]]) -> Times:
    """From when it was first seen until people resolved it; what healed by itself says nothing of them."""
    by_people = func.coalesce(Signal.status_reason, "") != "self_healed"
    query = select(Signal.id, Signal.first_seen, Signal.resolved_at).where(
        *seen, Signal.status == "resolved", by_people
    )
    return _times((id, at - first) for id, first, at in session.execute(query) if at)


def _times(took: Iterable[tuple[int, timedelta]]) -> Times:
    found = dict(took)
    if not found:
        return Times()
    seconds = sorted(value.total_seconds() for value in found.values())
    deciles = quantiles(seconds, n=10, method="inclusive") if len(seconds) > 1 else [seconds[0]] * 9
    return Times(tuple(sorted(found)), timedelta(seconds=deciles[4]), timedelta(seconds=deciles[8]))
