"""What people do with signals: move them through their states, hand them over, put them aside, take it back.

Every change is one row in the timeline of each signal it touches, with what was before and after, so that `undo`
can restore it. The states are those of states.md B6. A change of many signals at once applies to those that allow it
and says which ones refused, and why; a change that nothing allows raises.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from detector import audited, covered, merged
from detector.standing import Standing
from detector.timeline_values import plain, restored
from store.operational_tables import OPEN_STATUSES, Signal, SignalEvent
from store.people_tables import Person

TRANSITIONS: Mapping[str, frozenset[str]] = {
    "unhandled": frozenset({"triaged", "in_progress", "resolved", "suppressed", "false_positive"}),
    "triaged": frozenset({"unhandled", "in_progress", "awaiting_external", "resolved", "suppressed", "false_positive"}),
    "in_progress": frozenset({"triaged", "awaiting_external", "resolved", "suppressed", "false_positive"}),
    "awaiting_external": frozenset({"in_progress", "resolved", "suppressed", "false_positive"}),
    "resolved": frozenset({"in_progress"}),
    "suppressed": frozenset({"unhandled"}),
    "false_positive": frozenset({"unhandled"}),
}
"""Where a signal may go from where it is (states.md B6; reopened is in_progress)."""

DISMISSALS: Mapping[str, str] = {
    "expected": "suppressed",  # for good: this cause behaves so
    "false_positive": "false_positive",  # the rule is wrong about what it found; what it finds later is new
    "immaterial": "suppressed",  # for a time
    "duplicate": "suppressed",
    "handled_elsewhere": "suppressed",
}
"""Reasons to dismiss a signal, and the state each leads to."""

DISMISSED_FOR = timedelta(days=30)
"""How long a dismissal lasts that is neither `expected` nor `false_positive`, unless the person says otherwise."""

END_OF_TIME = datetime(9999, 1, 1, tzinfo=UTC)
"""Until when a signal sleeps that only an amount wakes."""

WAKES: Mapping[str, str] = {
    "money": "until it is worth more",
    "recurrence": "until it is found in another place",
    "bill_run": "until the next bill run",
}
"""What may end a snooze besides time."""

PRIORITIES = ("P1", "P2", "P3", "P4")


class IllegalTransition(ValueError):  # noqa: N818 (named for what happened, as the states' table does)
    """A change that the signal's state does not allow; the message says why and what to do instead."""


class ChangedMeanwhile(RuntimeError):  # noqa: N818
    """Somebody else changed the signal since it was read; `event` is their change."""

    def __init__(self, event: SignalEvent | None) -> None:
        who = f"{event.actor} at {event.at:%Y-%m-%d %H:%M:%S} UTC ({event.kind}: {event.reason})" if event else "a run"
        super().__init__(f"the signal was changed meanwhile by {who}; read it again")
        self.event = event


class UnknownSignal(LookupError):  # noqa: N818
    """No signal has that id."""


@dataclass(frozen=True)
class Refusal:
    """One signal that a bulk change left as it was."""

    signal: str
    reason: str


@dataclass(frozen=True)
class Change:
    """What one deed did: the timeline row of each signal, under one id by which it can be undone."""

    id: str
    events: tuple[SignalEvent, ...]
    refused: tuple[Refusal, ...] = ()


@dataclass(frozen=True)
class _Deed:
    """Who does what when, and to which version of the signal."""

    kind: str
    reason: str
    actor: str
    now: datetime
    detail: str | None = None
    version: int | None = None


def change_status(
    session: Session,
    ids: Sequence[int],
    status: str,
    *,
    actor: str,
    now: datetime,
    detail: str | None = None,
    version: int | None = None,
) -> Change:
    """Move signals to an open state: along the work, or back from resolved, suppressed or false_positive.

    `version` is the version that the person saw (single signals only). Raises IllegalTransition, ChangedMeanwhile,
    UnknownSignal.
    """
    if status not in OPEN_STATUSES:
        raise IllegalTransition(f"{status} needs a reason: use resolve or dismiss")
    standing = Standing(session, ids)

    def move(signal: Signal) -> dict[str, Any]:
        """The signal's new status. Raises IllegalTransition where it cannot come from the one it has."""
        _check_transition(signal, status, standing)
        reason = "reopened" if signal.status == "resolved" else "moved"
        return _status(status, reason, now)

    return _change(session, ids, _Deed("status", status, actor, now, detail, version), move)


def resolve(
    session: Session,
    ids: Sequence[int],
    cause: str,
    *,
    actor: str,
    now: datetime,
    waiver: str | None = None,
    version: int | None = None,
) -> Change:
    """Close signals whose defect is gone. `cause` says what it was.

    A run since the signal was last seen must have come back without it, or a `waiver` says why that is not needed.
    Raises IllegalTransition, ChangedMeanwhile, UnknownSignal.
    """
    reason = "waived" if waiver else "verified"
    detail = f"{cause} (waived: {waiver})" if waiver else cause
    standing = Standing(session, ids)

    def close(signal: Signal) -> dict[str, Any]:
        """The signal resolved. Raises IllegalTransition while no run has confirmed it and nobody waives that."""
        _check_transition(signal, "resolved", standing)
        if not waiver and signal.clear_runs == 0:
            raise IllegalTransition(
                f"{signal.label} is not verified: no complete run of {signal.rule} has come back without it since "
                f"{signal.last_seen:%Y-%m-%d %H:%M} UTC; run the rule again, or give a reason to waive that"
            )
        return {**_status("resolved", reason, now), "resolved_at": now}

    return _change(session, ids, _Deed("status", reason, actor, now, detail, version), close)


def dismiss(
    session: Session,
    ids: Sequence[int],
    reason: str,
    *,
    actor: str,
    now: datetime,
    until: datetime | None = None,
    detail: str | None = None,
    version: int | None = None,
) -> Change:
    """Put signals aside for one of DISMISSALS: `expected` for good, `false_positive` for what was found so far,
    anything else until `until` (30 days when not given). What a false signal explained of other rules comes back.

    Raises IllegalTransition, ChangedMeanwhile, UnknownSignal; ValueError for an unknown reason.
    """
    if reason not in DISMISSALS:
        raise ValueError(f"{reason!r} is no reason to dismiss; use one of {', '.join(DISMISSALS)}")
    timed = reason not in ("expected", "false_positive")
    suppressed_until = (until or now + DISMISSED_FOR) if timed else None
    standing = Standing(session, ids)

    def put_aside(signal: Signal) -> dict[str, Any]:
        """The signal closed for the reason, and until when it stays away."""
        _check_transition(signal, DISMISSALS[reason], standing)
        return {**_status(DISMISSALS[reason], reason, now), "suppressed_until": suppressed_until}

    change = _change(session, ids, _Deed("status", reason, actor, now, detail, version), put_aside)
    if reason == "false_positive":
        false = [event.signal_id for event in change.events]
        covered.bring_back(session, false, actor=actor, now=now)
    return change


def assign(
    session: Session,
    ids: Sequence[int],
    assignee: str | None,
    *,
    actor: str,
    now: datetime,
    version: int | None = None,
) -> Change:
    """Hand signals to a person, or to nobody (None).

    Raises IllegalTransition when their account is disabled; ChangedMeanwhile, UnknownSignal.
    """
    gone = (Person.name_key == (assignee or "").casefold(), Person.disabled_at.is_not(None))
    if assignee and session.scalar(select(Person.id).where(*gone)) is not None:
        raise IllegalTransition(f"the account of {assignee} is disabled; name somebody else")
    deed = _Deed("assign", "assigned" if assignee else "unassigned", actor, now, assignee, version)
    return _change(session, ids, deed, lambda signal: {"assignee": assignee})


def set_priority(
    session: Session, ids: Sequence[int], priority: str, *, actor: str, now: datetime, version: int | None = None
) -> Change:
    """Set P1 (first) to P4 (last). Raises ValueError for another word, ChangedMeanwhile, UnknownSignal."""
    if priority not in PRIORITIES:
        raise ValueError(f"{priority!r} is no priority; use one of {', '.join(PRIORITIES)}")
    deed = _Deed("priority", priority, actor, now, None, version)
    return _change(session, ids, deed, lambda signal: {"priority": priority})


def snooze(
    session: Session,
    ids: Sequence[int],
    *,
    actor: str,
    now: datetime,
    until: datetime | None = None,
    amount: Decimal | None = None,
    wakes: str = "",
    version: int | None = None,
) -> Change:
    """Take open signals out of the inbox until an instant, until a run ranks them above `amount`, or until what
    `wakes` names of WAKES, whichever comes first; none of these wakes them now.

    Raises IllegalTransition, ChangedMeanwhile, UnknownSignal; ValueError for an unknown `wakes`.
    """
    if wakes and wakes not in WAKES:
        raise ValueError(f"{wakes!r} wakes no signal; use one of {', '.join(WAKES)}")
    asleep = until is not None or amount is not None or bool(wakes)
    end = until or (END_OF_TIME if asleep else None)
    deed = _Deed("snooze", "snoozed" if asleep else "woken", actor, now, WAKES.get(wakes), version)

    def lay_down(signal: Signal) -> dict[str, Any]:
        """The signal asleep until what wakes it. Raises IllegalTransition for one that is closed."""
        if not signal.is_open:
            raise IllegalTransition(f"{signal.label} is {signal.status}; only open signals can be snoozed")
        return {
            "snoozed_until": end,
            "snoozed_amount": signal.rank_amount if wakes == "money" else amount,
            "snoozed_recurrences": signal.occurrences + 1 if wakes == "recurrence" else None,
            "snoozed_run": now if wakes == "bill_run" else None,
        }

    return _change(session, ids, deed, lay_down)


def comment(session: Session, ids: Sequence[int], text: str, *, actor: str, now: datetime) -> Change:
    """Write a remark into the timeline. Raises UnknownSignal; ValueError when it is empty."""
    if not text.strip():
        raise ValueError("a comment needs some text")
    return _change(session, ids, _Deed("comment", "commented", actor, now, text.strip()), lambda signal: {})


def note(
    session: Session, ids: Sequence[int], kind: str, reason: str, detail: str | None, *, actor: str, now: datetime
) -> Change:
    """Write down a deed that changes nothing of the signals themselves. Raises UnknownSignal."""
    return _change(session, ids, _Deed(kind, reason, actor, now, detail), lambda signal: {})


def undo(session: Session, change_id: str, *, actor: str, now: datetime) -> Change:
    """Restore what a change replaced, for every signal that still stands as the change left it.

    Raises LookupError when there is no such change, IllegalTransition when nothing of it can be undone.
    """
    done = session.scalars(select(SignalEvent).where(SignalEvent.change_id == change_id)).all()
    if not done:
        raise LookupError(f"there is no change {change_id}")
    by_signal = {event.signal_id: event for event in done}
    standing = Standing(session, list(by_signal))

    def restore(signal: Signal) -> dict[str, Any]:
        """What the signal was before the change. Raises where something else has changed it since."""
        event = by_signal[signal.id]
        _check_undo(signal, event, standing)
        return {name: restored(name, value) for name, value in (event.before or {}).items()}

    change = _change(session, list(by_signal), _Deed("undo", f"undid {done[0].kind}", actor, now), restore)
    for event in change.events:
        by_signal[event.signal_id].undone_by = event.id
    if done[0].kind == "merge":
        merged.undo(session, change_id)
    return change


def size(session: Session, change_id: str) -> int:
    """How many signals a change touched."""
    return session.scalar(select(func.count()).where(SignalEvent.change_id == change_id)) or 0


def _change(session: Session, ids: Sequence[int], deed: _Deed, values: Callable[[Signal], dict[str, Any]]) -> Change:
    """Apply `values` to each signal and write its timeline row; collect the signals that refuse."""
    change_id, refused, touched = uuid4().hex, [], []
    for signal in load(session, ids):
        try:
            _check_version(session, signal, deed.version)
            touched.append((signal, _apply(signal, values(signal))))
            _note_action(signal, deed)
        except IllegalTransition as refusal:
            refused.append(Refusal(signal.label, str(refusal)))
    if refused and not touched:
        more = f" ({len(refused) - 1} more refused)" if len(refused) > 1 else ""
        raise IllegalTransition(refused[0].reason + more)
    events = _written(session, [_event(signal, change_id, deed, before, after) for signal, (before, after) in touched])
    for event in events:
        audited.signal_event(session, event)
    if deed.kind in ("status", "undo"):
        merged.settle(session, [signal.fingerprint for signal, _ in touched])
    return Change(change_id, tuple(events), tuple(refused))


def load(session: Session, ids: Sequence[int]) -> list[Signal]:
    """The signals, locked until the transaction ends, in the order of their ids."""
    found: list[Signal] = []
    wanted = sorted(set(ids))
    for start in range(0, len(wanted), 500):
        chunk = wanted[start : start + 500]
        found += session.scalars(select(Signal).where(Signal.id.in_(chunk)).order_by(Signal.id).with_for_update())
    missing = set(wanted) - {signal.id for signal in found}
    if missing:
        raise UnknownSignal(f"there is no signal SIG-{min(missing)}")
    return found


def _apply(signal: Signal, values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Set the values; return the JSON of what was and of what is."""
    before = {name: plain(getattr(signal, name)) for name in values}
    for name, value in values.items():
        setattr(signal, name, value)
    signal.version += 1
    return before, {name: plain(value) for name, value in values.items()}


def _note_action(signal: Signal, deed: _Deed) -> None:
    """How long the signal lay there, once a person did something; what a rule does is not that."""
    if signal.acted_after is None and not deed.actor.startswith("rule:"):
        signal.acted_after = max(int((deed.now - signal.first_seen).total_seconds()), 0)


def _event(
    signal: Signal, change_id: str, deed: _Deed, before: dict[str, Any], after: dict[str, Any]
) -> dict[str, Any]:
    told = {"kind": deed.kind, "reason": deed.reason, "detail": deed.detail, "before": before, "after": after}
    return {"signal_id": signal.id, "change_id": change_id, "at": deed.now, "actor": deed.actor, **told}


def _written(session: Session, rows: list[dict[str, Any]]) -> Sequence[SignalEvent]:
    """The rows of the timelines of one change, written together: a statement each would cost as much as the rest."""
    if len(rows) < 2:
        events = [SignalEvent(**row) for row in rows]
        session.add_all(events)
        session.flush()
        return events
    session.flush()
    session.execute(insert(SignalEvent), rows)
    of_change = SignalEvent.change_id == rows[0]["change_id"]
    return session.scalars(select(SignalEvent).where(of_change).order_by(SignalEvent.id)).all()


def _status(status: str, reason: str, now: datetime) -> dict[str, Any]:
    """What every move sets: whatever belonged to the former state is cleared."""
    return {
        "status": status,
        "status_reason": reason,
        "status_at": now,
        "resolved_at": None,
        "suppressed_until": None,
        "snoozed_until": None,
        "snoozed_amount": None,
        "snoozed_recurrences": None,
        "snoozed_run": None,
    }


def _check_transition(signal: Signal, status: str, standing: Standing) -> None:
    if status not in TRANSITIONS[signal.status]:
        allowed = ", ".join(sorted(TRANSITIONS[signal.status]))
        raise IllegalTransition(
            f"{signal.label} is {signal.status} and cannot become {status}; it can become {allowed}"
        )
    if signal.status in ("resolved", "false_positive"):
        _check_not_replaced(signal, standing)


def _check_not_replaced(signal: Signal, standing: Standing) -> None:
    """A signal that ended cannot come back when a later one already stands for the same defect."""
    if other := standing.beside(signal):
        raise IllegalTransition(f"{signal.label} cannot come back: {other} stands for the same defect now")


def changed_meanwhile(session: Session, signal: Signal) -> ChangedMeanwhile:
    """What to raise when the signal is no longer as somebody saw it: it names the latest change."""
    latest = select(SignalEvent).where(SignalEvent.signal_id == signal.id).order_by(SignalEvent.id.desc())
    event = session.scalars(latest).first()
    if event is not None:
        session.expunge(event)  # it outlives the transaction, to be told
    return ChangedMeanwhile(event)


def _check_version(session: Session, signal: Signal, version: int | None) -> None:
    if version is not None and signal.version != version:
        raise changed_meanwhile(session, signal)


def _check_undo(signal: Signal, event: SignalEvent, standing: Standing) -> None:
    """Only a change of people, once, and only while nothing else has touched the same values."""
    if event.undone_by is not None:
        raise IllegalTransition(f"{signal.label}: this change has been undone already")
    if event.kind == "found":
        raise IllegalTransition(f"{signal.label}: what a rule found cannot be undone; dismiss the signal instead")
    if any(plain(getattr(signal, name)) != value for name, value in (event.after or {}).items()):
        raise IllegalTransition(f"{signal.label} has been changed since; change it back by hand")
    before = (event.before or {}).get("status")
    if signal.status in ("resolved", "false_positive") and before not in (None, "resolved", "false_positive"):
        _check_not_replaced(signal, standing)
