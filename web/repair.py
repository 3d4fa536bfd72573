"""The repair on a signal's page: its advice, its actions as they stand, and what people decide about them.

Nothing here calls an outside system. Asking for advice, approving, applying, verifying and undoing write rows; a
worker claims them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from flask import Blueprint, abort, render_template, request
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from detector import inbox
from people import accounts
from remediation import batch, life, plans, worker
from remediation.advisor import exchanges
from remediation.batch import Batch
from remediation.life import Refused, UnknownAction
from store import operational
from store.action_tables import Action, ActionEntry
from store.advisor_tables import Exchange
from store.operational_tables import Job, Signal
from web.console import console, now
from web.pages import done, refused
from web.preferences import preferences
from web.words import sentence

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
    asked: Job | None  # what a worker was last asked to do with it
    second: str | None  # why somebody else has to approve it
    proposes: bool  # whether who looks at it would propose rather than approve

    @property
    def steps(self) -> list[tuple[str, str, dict[str, str]]]:
        """What the other side is asked for."""
        return plans.steps(self.action.plan)

    @property
    def changes(self) -> list[tuple[str, str | None, str | None]]:
        """The columns of the record that it changes."""
        return plans.changes(self.action.plan)

    @property
    def waits(self) -> bool:
        """Whether a worker was asked to do something with it and has not answered yet."""
        return self.asked is not None and self.asked.status in ("queued", "running")

    @property
    def deeds(self) -> list[tuple[str, str]]:
        """What a worker can be asked to do with it as it stands, each with the words of its button."""
        status, by_word = self.action.status, life.by_word(self.action)
        if self.waits:
            return []
        found = {"failed": [("apply", "Try again")], "parked": [("again", "It was not done: apply it")]}.get(status, [])
        if status == "succeeded":
            found.append(("verify", "It is done" if by_word else "Verify"))
        if status == "verified" and not by_word:
            found.append(("verify", "Verify again"))
        if status in ("succeeded", "verified") and self.action.reversible and self.action.integration:
            found.append(("reverse", "Undo it"))
        return found

    @property
    def open(self) -> bool:
        """Whether somebody can still decide about it."""
        return self.action.status == "proposed"


@dataclass(frozen=True)
class Panel:
    """The latest advice (None: nobody has asked), whether one is being worked out, and the actions by phase; what a
    language model says of it, where one was asked.
    """

    advice: Mapping[str, Any] | None
    waits: bool
    failed: str | None
    phases: tuple[tuple[str, tuple[Shown, ...], tuple[Batch, ...]], ...]
    said: Exchange | None

    @property
    def shown(self) -> list[Shown]:
        """Every action on the card."""
        return [each for _, own, _ in self.phases for each in own]

    @property
    def state(self) -> str:
        """Another text when the card shows something else."""
        rows = [
            f"{each.action.id}{each.action.status}{len(each.journal)}{each.asked.status if each.asked else ''}"
            for each in self.shown
        ]
        said = f"{self.said.id}{self.said.status}" if self.said else ""
        told = "|".join([str(self.waits), str(self.failed), str(self.advice is None), said, *rows])
        return hashlib.sha256(told.encode()).hexdigest()[:16]

    @property
    def busy(self) -> bool:
        """Whether it will be another one soon: the page renews it by itself."""
        carried = any(each.waits or each.action.status in ("approved", "executing") for each in self.shown)
        return self.waits or carried or (self.said is not None and self.said.status in ("waiting", "answering"))


def panel(session: Session, signal_id: int) -> Panel:
    """What the signal's page shows of its repair."""
    job = worker.latest(session, signal_id)
    waits = job is not None and job.status in ("queued", "running")
    found = [each for each in life.of_signal(session, signal_id) if each.closed_by != life.MACHINE]
    asked, who = worker.deeds_asked(session, [each.label for each in found]), preferences().who
    limits = accounts.limits_of(session, who) if who else None
    shown = [_shown(session, each, asked.get(each.label), who, limits) for each in found]
    several = batch.offered(session, signal_id)
    phases = tuple(
        (title, own, tuple(each for each in several if each.phase == phase))
        for phase, title in PHASES.items()
        if (own := tuple(each for each in shown if each.action.phase == phase))
    )
    failed = job.result if job and job.status == "failed" else None
    said = next(iter(exchanges.of_signal(session, signal_id, "advice")[-1:]), None)
    if said is not None and said.status not in ("answered", "failed") and not console().advisor:
        said = None  # nobody will answer it any more
    return Panel(job.answer if job else None, waits, failed, phases, said)


def most() -> int:
    """How many actions one decision may cover."""
    return console().approvals.most


def _shown(session: Session, action: Action, asked: Job | None, who: str, own: Mapping[str, Decimal] | None) -> Shown:
    locked = life.locked(session, action) if action.status in ("proposed", "approved") else None
    rules, proposed = console().approvals, action.status == "proposed"
    second = life.alone_no_more(action, who, own, rules) if proposed else None
    proposes = proposed and action.proposed_by == life.MACHINE and rules.takes_two(action, own)
    return Shown(action, locked, tuple(life.journal(session, action.id)), asked, second, proposes)


@pages.get("/signals/<label>/repair")
def shown(label: str) -> tuple[str, int]:
    """The card alone, for the page to put in its place while something is under way; nothing while it is as `seen`."""
    with operational.reading(console().engine) as session:
        signal = session.get(Signal, inbox.number(label) or 0)
        if signal is None:
            abort(404)
        card = panel(session, signal.id)
        if card.state == request.args.get("seen"):
            return "", 204
        page = f"/signals/{signal.label}"
        return render_template("parts/repair.html", repair=card, signal=signal, here=lambda: page, most=most()), 200


@pages.post("/signals/<label>/advise")
def ask(label: str) -> Response:
    """Ask a worker for the advice, and the language model, where there is one, what it says of it; and go back."""
    number, actor = inbox.number(label), preferences().actor
    with operational.writing(console().engine) as session:
        if number is None or session.get(Signal, number) is None:
            abort(404)
        worker.ask(session, number, actor=actor, now=now())
        if console().advisor:
            made = exchanges.ask(session, number, question=None, actor=actor, now=now())
            exchanges.hand_over(session, made, now=now())
    return done("The advice is being worked out.")


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
        return refused(sentence(text))
    except UnknownAction:
        abort(404)
    return done(told)


@pages.post("/actions/<int:action_id>/ask")
def ask_deed(action_id: int) -> Response:
    """Ask a worker to apply, verify or undo an action; it calls the billing system, which no page does."""
    deed, reason = request.form.get("deed", ""), request.form.get("reason", "")[:500]
    actor, again = preferences().who, deed == "again"
    if not actor:
        return refused("Say who you are first, in the settings: what is done stands with a name.")
    if deed not in (*worker.DEEDS, "again"):
        return refused("Choose what to do with the action.")
    try:
        with operational.writing(console().engine) as session:
            worker.ask_deed(
                session, action_id, "apply" if again else deed, actor=actor, reason=reason, again=again, now=now()
            )
            label = life.get(session, action_id).label
    except Refused as refusal:
        text = str(refusal)
        return refused(sentence(text))
    except UnknownAction:
        abort(404)
    return done(f"A worker is asked; what comes of {label} is shown here.")


@pages.post("/signals/<label>/batch")
def decide_many(label: str) -> Response:
    """Approve the actions of one kind for a signal, or the first so many of them, as one decision."""
    number, actor, form = inbox.number(label), preferences().who, request.form
    if not actor:
        return refused("Say who you are first, in the settings: an approval stands with a name.")
    count = form.get("first", "")
    if not (count.isascii() and count.isdigit() and 0 < int(count[:6]) <= life.MOST):
        return refused("Say how many of them to approve, as a whole number above nothing.")
    try:
        with operational.writing(console().engine) as session:
            if number is None or session.get(Signal, number) is None:
                abort(404)
            found = batch.approve(session, number, form.get("kind", "")[:40], actor=actor, now=now(), first=int(count),
                                  reason=form.get("reason", "")[:500], approvals=console().approvals)  # fmt: skip
            waits = [each for each in found.actions if each.status == "proposed"]
    except Refused as refusal:
        text = str(refusal)
        return refused(sentence(text))
    many = f"{len(found.actions)} actions"
    if waits:
        return done(f"{many} are proposed by {actor}; their sum is above the limit, so somebody else approves them.")
    return done(f"{many} are approved as one; the first is verified before the others are begun.")


def _decided(session: Session, deed: str, id: int, actor: str, reason: str) -> Action:
    if deed == "approve":
        return life.approve(session, id, actor=actor, reason=reason, now=now(), approvals=console().approvals)
    if deed == "reject":
        return life.reject(session, id, actor=actor, reason=reason, now=now())
    if deed == "waive":
        return life.waive(session, id, actor=actor, reason=reason, now=now())
    raise Refused("choose what to do with the action")
