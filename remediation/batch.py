"""Many actions of one kind for one signal: approved together up to a cap, carried out one first and then the others.

A systemic cause calls for the same deed on many records. Together they count as one decision: their sum is held to
the money limit, and no more are approved at once than the cap says. The first one is verified before the second is
sent, and the first that does not go as planned stops the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from detector.detail import amount
from people import accounts
from remediation import execute, life
from remediation.life import Approvals, Refused
from remediation.remedy import Remedy
from remediation.verify import verify
from store import operational
from store.action_tables import Action

ALONE = ("open_ticket", "notify_owner")
"""Work of people: each piece of it is another one."""


@dataclass(frozen=True)
class Batch:
    """The actions of one kind for a signal in one state, and what they move together, by currency."""

    kind: str
    actions: tuple[Action, ...]
    locked: tuple[tuple[Action, str], ...] = ()  # left out, and why

    @property
    def phase(self) -> str:
        """Where in the repair they stand."""
        return next(each.phase for each in (*self.actions, *(action for action, _ in self.locked)))

    @property
    def waits_for(self) -> list[str]:
        """Why some of them are left out, each reason once."""
        return sorted({why for _, why in self.locked})

    @property
    def totals(self) -> dict[str, Decimal]:
        """What they move, without sign, each currency for itself."""
        sums: dict[str, Decimal] = {}
        for each in self.actions:
            if each.amount is not None and each.currency is not None:
                sums[each.currency] = sums.get(each.currency, Decimal(0)) + each.amount
        return sums

    def as_json(self) -> dict[str, Any]:
        """What `trueup actions batch --json` prints."""
        return {
            "kind": self.kind,
            "actions": [each.label for each in self.actions],
            "statuses": {each.label: each.status for each in self.actions},
            "totals": {currency: amount(total, currency) for currency, total in sorted(self.totals.items())},
            "locked": {each.label: why for each, why in self.locked},
        }


def batch(session: Session, signal_id: int, kind: str, status: str = "proposed") -> Batch:
    """The actions of a kind for a signal that stand so, in the order of the advice; what is locked apart."""
    query = select(Action).where(Action.signal_id == signal_id, Action.kind == kind, Action.status == status)
    found = list(session.scalars(query.order_by(Action.position, Action.id)))
    locked = tuple((each, why) for each in found if (why := life.locked(session, each)))
    held = {each.id for each, _ in locked}
    return Batch(kind, tuple(each for each in found if each.id not in held), locked)


def offered(session: Session, signal_id: int) -> list[Batch]:
    """The kinds of which several actions of a signal wait for a decision, in the order of the advice."""
    query = select(Action.kind).where(Action.signal_id == signal_id, Action.status == "proposed")
    kinds = dict.fromkeys(session.scalars(query.order_by(Action.position, Action.id)))
    found = (batch(session, signal_id, kind) for kind in kinds if kind not in ALONE)
    return [each for each in found if len(each.actions) + len(each.locked) > 1]


def approve(
    session: Session,
    signal_id: int,
    kind: str,
    *,
    actor: str,
    reason: str,
    now: datetime,
    approvals: Approvals,
    first: int | None = None,
) -> Batch:
    """Approve the proposed actions of a kind for a signal, or the `first` so many of them, as one decision.

    More than `approvals.most` are refused: the blast radius of one decision. Above the money limit the first person
    proposes them all, and another one approves, whose own limit, where they have one, covers the sum. Raises Refused.
    """
    found = batch(session, signal_id, kind)
    chosen = Batch(kind, found.actions[:first], found.locked)
    if not chosen.actions:
        raise Refused(f"no {kind} of SIG-{signal_id} waits for approval" + _why(found))
    if len(chosen.actions) > approvals.most:
        raise Refused(
            f"{len(chosen.actions)} actions are more than the {approvals.most} that one decision may cover; approve "
            "fewer of them first, look at what they did, and go on; remediation.batch allows more"
        )
    own = accounts.limits_of(session, actor)
    above = {
        currency: total
        for currency, total in chosen.totals.items()
        if approvals.takes_two(Action(currency=currency, amount=total), own)
    }
    over = [f"{amount(total, currency)} {currency}" for currency, total in above.items()]
    mine = [each for each in chosen.actions if each.proposed_by == actor]
    if over and mine:
        raise Refused(
            f"together they move {', '.join(over)}, above the limit of one person: {actor} has proposed them, "
            "somebody else must approve them"
        )
    decided = [each for each in chosen.actions if each.proposed_by != life.MACHINE]
    if decided and own and any(currency in own for currency in above):
        raise Refused(
            f"together they move {', '.join(over)}, above the limit of {actor}; somebody whose limit covers it must "
            "approve them, or fewer of them at once"
        )
    for each in chosen.actions:
        if over and each.proposed_by == life.MACHINE:
            each.proposed_by = actor
            life.note(session, each, "proposed", actor, now, detail=reason)
        else:
            life.approve(session, each.id, actor=actor, reason=reason, now=now, approvals=approvals)
    return chosen


def apply(remedy: Remedy, signal_id: int, kind: str, *, actor: str, tell: Callable[[Action], None]) -> Batch:
    """Carry out the approved actions of a kind for a signal; each is told as it ends. Raises Refused, SourceError.

    Refused is also what stops the rest: an action that did not succeed, or a first one that is not verified. What is
    not begun then goes back to proposed, with the reason: it was approved as the same deed.
    """
    with operational.reading(remedy.setting.engine) as session:
        found = batch(session, signal_id, kind, "approved")
        session.expunge_all()
    done: list[Action] = []
    for place, each in enumerate(found.actions):
        action = execute.apply(remedy, each.id, actor=actor)
        tell(action)
        left = len(found.actions) - place - 1
        if action.status != "succeeded":
            why = f"{action.label} is {action.status}: {action.error}"
            _send_back(remedy, found.actions[place + 1 :], why)
            raise Refused(f"{why}; {left} others are not begun")
        if place == 0 and left and not life.by_word(action):
            action, verdict = verify(remedy, action.id, actor=actor)
            if not verdict.verified:
                why = f"{action.label}, the first, is not verified: {verdict.found}"
                _send_back(remedy, found.actions[place + 1 :], why)
                raise Refused(f"{why}; {left} others are not begun")
        done.append(action)
    return Batch(kind, tuple(done), found.locked)


def _send_back(remedy: Remedy, left: Sequence[Action], why: str) -> None:
    """What waits behind an action that did not go as planned has to be decided anew."""
    with operational.writing(remedy.setting.engine) as session:
        for each in left:
            row = life.get(session, each.id)
            if row.status == "approved":
                life.back(session, row, why, remedy.setting.clock())


def _why(found: Batch) -> str:
    return f": {'; '.join(found.waits_for)}" if found.locked else ""
