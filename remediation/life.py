"""The life of an action (states.md B7): proposed, approved, executing, succeeded, verified, or failed or parked.

Every change is one row of the journal. Approvals go by policy: a reason always, two people above the money limit, and
nothing downstream before the root cause is done or waived. What a signal says of a record is compared at approval and
again at the claim; when it says something else by then, the action goes back to proposed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from people import accounts
from remediation.case import Case, current, said
from remediation.plans import PHASES, Plan, digest
from store import audit, operational
from store.action_tables import DONE, PENDING, Action, ActionEntry
from store.operational_tables import OPEN_STATUSES, Signal, SignalEntity

MOST = 200
"""Actions of one signal that wait at once: the blast radius of one cause."""

MACHINE = "trueup"
"""Who proposes what code has planned; it is nobody who could approve."""

TERMINAL = ("verified", "rejected", "waived", "rolled_back")


class Refused(ValueError):  # noqa: N818 (named for what happened)
    """A change that an action's state or the policy does not allow; the message says why and what to do instead."""


class UnknownAction(LookupError):  # noqa: N818
    """No action has that id."""

    def __init__(self, number: int) -> None:
        super().__init__(f"there is no action ACT-{number}; `trueup actions list` shows those there are")


@dataclass(frozen=True)
class Approvals:
    """Who may approve what: above `limit` of its currency (major units) the proposer is not the approver.

    With a limit for any currency, one that has none counts as zero: its money always takes two people. Who has an
    account has limits of their own, which go before; a currency that neither names counts as zero too.
    """

    limit: Mapping[str, Decimal] = field(default_factory=dict)
    most: int = 25  # actions that one decision may cover

    def takes_two(self, action: Action, own: Mapping[str, Decimal] | None) -> bool:
        """Whether the action moves more than one person may decide; `own`: their limits, None without an account."""
        if action.amount is None or action.currency is None or not (self.limit or own is not None):
            return False
        return action.amount > {**self.limit, **(own or {})}.get(action.currency, Decimal(0))


def number(text: str) -> int | None:
    """The number in `ACT-7` or `7`; None when the text is neither."""
    digits = text.strip().upper().removeprefix("ACT-")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 19 else None


def note(session: Session, action: Action, kind: str, actor: str, now: datetime, **more: Any) -> ActionEntry:
    """Add a row to the action's journal, and to the audit: `key`, `request`, `reply` and `detail` as they apply."""
    entry = ActionEntry(action_id=action.id, at=now, actor=actor, kind=kind, **more)
    session.add(entry)
    session.flush()
    money = None if action.amount is None else f"{action.amount:f} {action.currency}"
    after = {"does": action.kind, "to": f"{action.object_type}:{action.object_id}", "signal": f"SIG-{action.signal_id}",
             "status": action.status, "moves": money, "key": entry.key}  # fmt: skip
    told = {name: value for name, value in after.items() if value is not None}
    about = ("action", action.label)
    audit.record(session, f"action.{kind}", about, actor=actor, now=now, after=told, reason=entry.detail)
    return entry


def journal(session: Session, action_id: int) -> list[ActionEntry]:
    """The action's journal, oldest first."""
    query = select(ActionEntry).where(ActionEntry.action_id == action_id).order_by(ActionEntry.id)
    return list(session.scalars(query))


def of_signal(session: Session, signal_id: int | None = None) -> list[Action]:
    """The actions of a signal, or of all, in the order of their advice."""
    query = select(Action).order_by(Action.signal_id, Action.position, Action.id)
    return list(session.scalars(query if signal_id is None else query.where(Action.signal_id == signal_id)))


def get(session: Session, action_id: int) -> Action:
    """The action, locked until the transaction ends. Raises UnknownAction."""
    action = session.get(Action, action_id, with_for_update=True)
    if action is None:
        raise UnknownAction(action_id)
    return action


def propose(session: Session, case: Case, plans: Sequence[Plan], *, actor: str, now: datetime) -> list[Action]:
    """Keep the plans as proposed actions, each once; proposals that nothing calls for any more are withdrawn.

    Planning the same again changes nothing. What was decided stays decided while the signal says the same.
    """
    operational.alone(session, f"actions/{case.signal.id}")
    known: dict[tuple[str, str, str], Action] = {}
    for action in of_signal(session, case.signal.id):
        known[action.kind, action.object_type, action.object_id] = action
    wanted: list[Action] = []
    for position, plan in enumerate(plans):
        key = (plan.kind, plan.object_type, plan.object_id)
        told = said(case.findings, plan.object_type, plan.object_id)
        before = known.pop(key, None)
        if before is None or _asks_again(before, plan, told):
            if len(wanted) < MOST:
                wanted.append(_new(session, case, plan, told, position, actor, now))
            continue
        _refresh(session, before, plan, told, position, now)
        wanted.append(before)
    for action in known.values():
        if action.status == "proposed":
            _close(session, action, "rejected", MACHINE, "nothing calls for it any more", now)
    session.flush()
    return wanted


def approve(
    session: Session, action_id: int, *, actor: str, reason: str, now: datetime, approvals: Approvals
) -> Action:
    """Allow one action, for a reason. Above the limit the first person proposes it and another one approves, whose
    own limit, where they have one, covers it.

    Raises Refused, UnknownAction.
    """
    action = get(session, action_id)
    reason = _reason(reason)
    if action.status != "proposed":
        raise Refused(f"{action.label} is {action.status}; only what is proposed can be approved")
    if why := locked(session, action):
        raise Refused(f"{action.label} is locked: {why}")
    if _changed(session, action):
        raise Refused(f"{action.label} is out of date: the signal says something else by now; run trueup advise again")
    own = accounts.limits_of(session, actor)
    if why := alone_no_more(action, actor, own, approvals):
        raise Refused(why)
    if approvals.takes_two(action, own) and action.proposed_by == MACHINE:
        action.proposed_by = actor
        note(session, action, "proposed", actor, now, detail=reason)
        return action
    action.status, action.approved_by, action.approved_at, action.approval_reason = "approved", actor, now, reason
    note(session, action, "approved", actor, now, detail=reason)
    return action


def alone_no_more(action: Action, actor: str, own: Mapping[str, Decimal] | None, approvals: Approvals) -> str | None:
    """Why somebody else than `actor`, whose limits `own` are, has to approve the action; None where nobody has to."""
    if not approvals.takes_two(action, own) or action.proposed_by == MACHINE:
        return None
    moves = f"{action.label} moves {action.amount:f} {action.currency}"
    if action.proposed_by == actor:
        return f"{moves}, above the limit of one person: {actor} has proposed it, somebody else must approve it"
    if own and action.currency in own:
        return f"{moves}, above the limit of {actor}; somebody whose limit covers it must approve it"
    return None


def reject(session: Session, action_id: int, *, actor: str, reason: str, now: datetime) -> Action:
    """Say that it is not to be done. Raises Refused, UnknownAction."""
    return _end(session, action_id, "rejected", actor, reason, now)


def waive(session: Session, action_id: int, *, actor: str, reason: str, now: datetime) -> Action:
    """Say that it need not be done, so that what waits for it is free. Raises Refused, UnknownAction."""
    return _end(session, action_id, "waived", actor, reason, now)


def locked(session: Session, action: Action) -> str | None:
    """Why the action must wait: for its root cause, or for a signal that still blocks the draft; None when it need not.

    A root-cause action that is rejected is not done, so it keeps the lock; one that is waived frees it, and for one
    that was undone the next one stands that the advice proposes.
    """
    if action.phase == "downstream":
        query = select(Action).where(Action.signal_id == action.signal_id, Action.phase == "root_cause")
        waiting = [
            each.label
            for each in session.scalars(query.order_by(Action.id))
            if each.status not in ("verified", "waived", "rolled_back") and not _withdrawn(each)
        ]
        if waiting:
            return f"first the root cause: {', '.join(waiting)} must be verified or waived"
    if (other := _decided_otherwise(session, action)) is not None:
        return f"{other.label} ({other.kind}) is {other.status}, which decides otherwise"
    if action.kind == "release_draft":
        blocking = blocking_signals(session, action.integration or "", action.object_id)
        if blocking:
            return f"{', '.join(each.label for each in blocking)} still blocks the draft"
    return None


INSTEAD = {"record_waiver": "charge_next_invoice", "charge_next_invoice": "record_waiver"}
"""Actions that exclude each other: what is charged later is not given up."""


def _decided_otherwise(session: Session, action: Action) -> Action | None:
    """The action for the same signal and currency that was decided on and excludes this one."""
    if action.kind not in INSTEAD:
        return None
    query = select(Action).where(Action.signal_id == action.signal_id, Action.kind == INSTEAD[action.kind])
    same = query.where(
        Action.currency == action.currency, Action.status.in_(("approved", "executing", "parked", *DONE))
    )
    return session.scalars(same.order_by(Action.id)).first()


def blocking_signals(session: Session, integration: str, invoice: str) -> list[Signal]:
    """Open signals of rules that hold, which name the integration's draft as wrong now."""
    query = (
        select(Signal)
        .join(SignalEntity, SignalEntity.signal_id == Signal.id)
        .where(SignalEntity.entity_id == invoice, SignalEntity.type == "invoice", SignalEntity.role != "evidence")
        .where(
            SignalEntity.gone_since.is_(None),
            Signal.integration == integration,
            Signal.gate == "hold",
            Signal.status.in_(OPEN_STATUSES),
        )
        .where(Signal.clear_runs == 0)
    )
    return list(session.scalars(query.order_by(Signal.id).distinct()))


def back(session: Session, action: Action, why: str, now: datetime) -> None:
    """Send an action back to proposed: something else is true than when it was approved."""
    action.status, action.approved_by, action.approved_at, action.approval_reason = "proposed", None, None, None
    action.claimed_by, action.lease_until, action.error = None, None, why
    note(session, action, "back", MACHINE, now, detail=why)


def stands(session: Session, action: Action) -> str | None:
    """Why an approved action must not be carried out now; None when it may."""
    if why := locked(session, action):
        return why
    if _changed(session, action):
        return "the signal says something else than when this was approved"
    if action.amount is None or _invoice(action) is None:
        return None
    invoice = _invoice(action)
    signal = session.get_one(Signal, action.signal_id)
    others = select(Action).where(Action.id != action.id, Action.applied_at > signal.last_seen)
    others = others.where(Action.integration == action.integration)
    for other in session.scalars(others.where(Action.amount.is_not(None))):
        if _invoice(other) == invoice and other.status != "rolled_back":
            return f"{other.label} changed {invoice} since the signal was last seen; run the rule again first"
    return None


def _invoice(action: Action) -> str | None:
    """The invoice that the action writes to; None for one that writes to something else."""
    deeds = action.plan["deeds"]
    return str(deeds[0]["id"]) if deeds and deeds[0]["type"] == "invoice" else None


def _withdrawn(action: Action) -> bool:
    return action.status == "rejected" and action.closed_by == MACHINE


def _changed(session: Session, action: Action) -> bool:
    told = said(current(session, action.signal_id), action.object_type, action.object_id)
    return told != action.signal_digest


def _asks_again(before: Action, plan: Plan, told: str) -> bool:
    """Whether a plan that arises again is a new action: the former one ended, and it is not about the same any more."""
    if before.status in PENDING or before.status == "succeeded":
        return False
    if before.status in ("verified", "rolled_back"):
        return bool(plan.deeds)  # the books show that it has to be done again
    return before.signal_digest != told or _withdrawn(before)


def _new(session: Session, case: Case, plan: Plan, told: str, position: int, actor: str, now: datetime) -> Action:
    action = Action(signal_id=case.signal.id, status="proposed", proposed_by=actor, proposed_at=now, attempts=0)
    _fill(action, plan, told, position)
    session.add(action)
    session.flush()
    note(session, action, "proposed", actor, now, detail=plan.change)
    return action


def _refresh(session: Session, action: Action, plan: Plan, told: str, position: int, now: datetime) -> None:
    if action.status not in ("proposed", "approved"):
        return
    same = digest([action.change, action.plan]) == plan.digest and action.signal_digest == told
    if same:
        action.position = position
        return
    if action.status == "approved":
        back(session, action, "the plan is another one by now", now)
    _fill(action, plan, told, position)
    note(session, action, "planned_again", MACHINE, now, detail=plan.change)


def _fill(action: Action, plan: Plan, told: str, position: int) -> None:
    for name in ("kind", "phase", "integration", "object_type", "object_id", "customer_id", "change", "outcome",
                 "risk", "reversible", "currency", "amount"):  # fmt: skip
        setattr(action, name, getattr(plan, name))
    action.plan, action.signal_digest = plan.as_json(), told
    action.position = PHASES.index(plan.phase) * 1000 + position


def _end(session: Session, action_id: int, status: str, actor: str, reason: str, now: datetime) -> Action:
    action = get(session, action_id)
    if action.status not in ("proposed", "approved", "failed", "parked"):
        raise Refused(f"{action.label} is {action.status}; it cannot be {status} any more")
    if action.status == "parked" and status == "waived":
        raise Refused(f"{action.label} is parked: it may have been done; look, then apply it again or reject it")
    _close(session, action, status, actor, _reason(reason), now)
    return action


def _close(session: Session, action: Action, status: str, actor: str, reason: str, now: datetime) -> None:
    action.status, action.closed_by, action.closing_reason = status, actor, reason
    note(session, action, status, actor, now, detail=reason)


def _reason(reason: str) -> str:
    text = " ".join(reason.split())
    if not text:
        raise Refused("a reason is needed")
    return text[:500]


def by_word(action: Action) -> bool:
    """Whether it is work of people, which is done when one of them says so."""
    return action.integration is None or "system" in action.plan["note"]


def is_done(actions: Iterable[Action]) -> bool:
    """Whether nothing of them waits any more."""
    return all(action.status in (*TERMINAL, *DONE) for action in actions)
