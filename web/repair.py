"""The repair on a signal's page: its advice, its actions as they stand, and what people decide about them.

Nothing here calls an outside system. Asking for advice and approving write rows; a worker claims them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, abort, request
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from detector import inbox
from remediation import life, worker
from remediation.life import Refused, UnknownAction
from store import operational
from store.action_tables import Action, ActionEntry
from web.console import console, now
from web.pages import done, refused
from web.preferences import preferences

pages = Blueprint("repair", __name__)

PHASES = {
    "contain": "First, stop it from getting worse",
    "root_cause": "Change what made it happen",
    "downstream": "Put right what it has done",
    "verify": "See that it worked",
}


@dataclass(frozen=True)
class Shown:
    """One action on the page: what it waits for, and what happened to it."""

    action: Action
    locked: str | None
    journal: tuple[ActionEntry, ...]

    @property
    def open(self) -> bool:
        """Whether somebody can still decide about it."""
        return self.action.status == "proposed"


@dataclass(frozen=True)
class Panel:
    """The latest advice (None: nobody has asked), whether one is being worked out, and the actions by phase."""

    advice: Mapping[str, Any] | None
    waits: bool
    failed: str | None
    phases: tuple[tuple[str, tuple[Shown, ...]], ...]


def panel(session: Session, signal_id: int) -> Panel:
    """What the signal's page shows of its repair."""
    job = worker.latest(session, signal_id)
    waits = job is not None and job.status in ("queued", "running")
    shown = [_shown(session, each) for each in life.of_signal(session, signal_id) if each.closed_by != life.MACHINE]
    phases = tuple(
        (title, own)
        for phase, title in PHASES.items()
        if (own := tuple(each for each in shown if each.action.phase == phase))
    )
    return Panel(job.answer if job else None, waits, job.result if job and job.status == "failed" else None, phases)


def _shown(session: Session, action: Action) -> Shown:
    locked = life.locked(session, action) if action.status in ("proposed", "approved") else None
    return Shown(action, locked, tuple(life.journal(session, action.id)))


@pages.post("/signals/<label>/advise")
def ask(label: str) -> Response:
    """Ask a worker for the advice, and go back."""
    number = inbox.number(label)
    if number is None:
        abort(404)
    with operational.writing(console().engine) as session:
        worker.ask(session, number, actor=preferences().actor, now=now())
    return done("The advice is being worked out; reload the page in a moment.")


@pages.post("/actions/<int:action_id>/decide")
def decide(action_id: int) -> Response:
    """Approve, reject or waive one action, for the reason in the form."""
    deed, reason = request.form.get("deed", ""), request.form.get("reason", "")[:500]
    actor = preferences().who
    if not actor:
        return refused("Say who you are first, in the settings: an approval stands with a name.")
    try:
        with operational.writing(console().engine) as session:
            action = _decided(session, deed, action_id, actor, reason)
            told = f"{action.label} is {action.status}."
            if deed == "approve" and action.status == "proposed":
                told = f"{action.label} is proposed by {actor}; above the limit somebody else approves it."
    except Refused as refusal:
        text = str(refusal)
        return refused(text[:1].upper() + text[1:] + ".")
    except UnknownAction:
        abort(404)
    return done(told)


def _decided(session: Session, deed: str, id: int, actor: str, reason: str) -> Action:
    if deed == "approve":
        return life.approve(session, id, actor=actor, reason=reason, now=now(), approvals=console().approvals)
    if deed == "reject":
        return life.reject(session, id, actor=actor, reason=reason, now=now())
    if deed == "waive":
        return life.waive(session, id, actor=actor, reason=reason, now=now())
    raise Refused("choose what to do with the action")
