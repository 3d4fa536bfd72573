"""Looks after drafts that are held: whether the other side still holds them, and whether a hold lasts too long.

A hold that is lost or forgotten must not go by unseen: each alert is told once, in the action's journal and on the
timeline of its signal, for whoever watches that.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from detector import triage
from integrations.http import SourceError
from remediation import life
from remediation.remedy import Remedy
from store import operational
from store.action_tables import DONE, Action

ACTOR = "gate"
ALERT = "alert"
"""The kind of the journal's row."""


@dataclass(frozen=True)
class Held:
    """One draft that an action holds: how it is on the other side, and what a person must look at (None: all is well).

    `state`: held, lost (it would become final), final (it is no draft any more), gone, or unknown.
    """

    action: Action
    invoice: str
    state: str
    alert: str | None

    def as_json(self) -> dict[str, Any]:
        """What `trueup gate --reconcile --json` prints."""
        return {"action": self.action.label, "invoice": self.invoice, "state": self.state, "alert": self.alert}


def reconcile(remedy: Remedy) -> list[Held]:
    """Ask the billing system about every draft that an action holds, and tell each new alert once.

    Reads outside, writes nothing there; what is lost is pulled into the books, so that the gate blocks it again.
    """
    now = remedy.setting.clock()
    with operational.reading(remedy.setting.engine) as session:
        holding = list(_holding(session))
        session.expunge_all()
    found = [_looked_at(remedy, each, now) for each in holding if each.integration in remedy.writes]
    for each in found:
        if each.state in ("lost", "final"):
            remedy.pull(each.action.integration or "", [("invoice", each.invoice)])
        if each.alert is not None:
            _tell(remedy, each, now)
    return found


def _holding(session: Session) -> Iterator[Action]:
    """The holds that nothing has released: of each draft the last thing that was done to it."""
    query = select(Action).where(Action.kind.in_(("hold_draft", "release_draft")), Action.status.in_(DONE))
    last = {
        (each.integration, each.object_id): each
        for each in session.scalars(query.order_by(Action.applied_at, Action.id))
    }
    yield from (each for each in last.values() if each.kind == "hold_draft")


def _looked_at(remedy: Remedy, action: Action, now: datetime) -> Held:
    id = action.object_id
    try:
        row = remedy.writes[action.integration or ""].state("invoice", id)
    except SourceError as error:
        return Held(action, id, "unknown", f"whether {id} is still held could not be seen: {error}")
    if row is None:
        return Held(action, id, "gone", None)
    if row["status"] != "draft":
        told = None if row["status"] == "void" else f"{id} became {row['status']} although {action.label} held it"
        return Held(action, id, "final", told)
    if row["auto_advance"] is not False:
        return Held(action, id, "lost", f"the hold of {id} was lost: it would become final by itself again")
    if action.applied_at is not None and now - action.applied_at > remedy.gate.longest:
        told = f"{id} is held since {action.applied_at:%Y-%m-%d %H:%M} UTC, longer than {remedy.gate.longest}"
        return Held(action, id, "held", f"{told}: release it, or say why it stays")
    return Held(action, id, "held", None)


def _tell(remedy: Remedy, held: Held, now: datetime) -> None:
    with operational.writing(remedy.setting.engine) as session:
        action = life.get(session, held.action.id)
        if any((each.kind, each.detail) == (ALERT, held.alert) for each in life.journal(session, action.id)):
            return
        life.note(session, action, ALERT, ACTOR, now, detail=held.alert)
        triage.comment(session, [action.signal_id], f"{action.label}: {held.alert}", actor=ACTOR, now=now)
