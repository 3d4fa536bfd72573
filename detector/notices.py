"""What one person should know: what was given to them, where they are mentioned, what of theirs is overdue.

Read off the signals' timelines, so that it cannot say anything else than they do; only how far somebody has read is
kept. People are mentioned by `@` and their name in a remark on a signal, or in a note on a customer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, literal_column, or_, select
from sqlalchemy.orm import Session

from detector.due import overdue
from detector.inbox_filter import contains
from store.customer_tables import CustomerNote
from store.operational_tables import Signal, SignalEvent
from store.team_tables import ReadMark

MOST = 100
"""How many notices of each kind are listed, the newest first."""


_ASSIGN: ColumnElement[str] = literal_column("'assign'")  # as the partial indexes spell it
_COMMENT: ColumnElement[str] = literal_column("'comment'")


@dataclass(frozen=True)
class Notice:
    """One line: a deed that concerns the person, the signal that it was done to, and whether it was read."""

    kind: str  # assigned | mentioned
    event: SignalEvent
    signal: Signal
    is_read: bool


@dataclass(frozen=True)
class NoteNotice:
    """A note on a customer that names the person, and whether it was read."""

    note: CustomerNote
    is_read: bool


def notices(session: Session, who: str) -> list[Notice]:
    """What others gave to the person or said to them, the newest first. Nobody in particular has none."""
    if not who:
        return []
    read, _ = up_to(session, who)
    given = (SignalEvent.kind == _ASSIGN) & (SignalEvent.detail == who)
    named = (SignalEvent.kind == _COMMENT) & contains(func.lower(SignalEvent.detail), f"@{who.lower()}")
    found = [
        Notice("assigned" if event.kind == "assign" else "mentioned", event, signal, event.id <= read)
        for told in (given, named)
        for event, signal in session.execute(
            select(SignalEvent, Signal)
            .join(Signal, Signal.id == SignalEvent.signal_id)
            .where(told, SignalEvent.actor != who)
            .order_by(SignalEvent.id.desc())
            .limit(MOST)
        )
    ]
    return sorted(found, key=lambda notice: notice.event.id, reverse=True)


def in_notes(session: Session, who: str) -> list[NoteNotice]:
    """What others wrote about customers that names the person, the newest first."""
    if not who:
        return []
    _, read = up_to(session, who)
    named = contains(func.lower(CustomerNote.text), f"@{who.lower()}")
    query = select(CustomerNote).where(named, CustomerNote.author != who, CustomerNote.removed_at.is_(None))
    return [
        NoteNotice(note, note.id <= read)
        for note in session.scalars(query.order_by(CustomerNote.id.desc()).limit(MOST))
    ]


def late(session: Session, who: str, hours: Mapping[str, int], now: datetime) -> Sequence[Signal]:
    """The person's open signals whose time is up, the longest first; a signal that sleeps does not count."""
    awake = or_(Signal.snoozed_until.is_(None), Signal.snoozed_until <= now)
    query = select(Signal).where(Signal.assignee == who, Signal.is_open.is_(True), overdue(hours, now), awake)
    return session.scalars(query.order_by(Signal.first_seen).limit(MOST)).all() if who else []


def up_to(session: Session, who: str) -> tuple[int, int]:
    """The last event, and the last note, that the person has read."""
    mark = session.get(ReadMark, who)
    return (mark.event_id, mark.note_id) if mark else (0, 0)


def mark_read(session: Session, who: str, event_id: int, note_id: int = 0) -> None:
    """Keep that the person has read everything up to an event and a note; it never goes back."""
    mark = session.get(ReadMark, who) or ReadMark(person=who, event_id=0, note_id=0)
    mark.event_id, mark.note_id = max(mark.event_id, event_id), max(mark.note_id, note_id)
    session.add(mark)
