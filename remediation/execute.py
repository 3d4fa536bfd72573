"""Carries out an approved action, at most once: claim, look, write down, call, write down what came back.

The key of a call is the action and the step, so that the other side does it once however often it is asked. Before
the first call the record must be as the plan says it is; else the action goes back to proposed. A call without a
clear answer, or one that a killed process left behind, is settled by looking whether it was done; where it was not,
the same call under the same key is safe while the other side remembers the key; where it knows no keys, a person looks
before it is asked again after an unclear answer. Everything else is parked.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from detector.claims import LeaseLost, is_gone
from integrations.http import SourceError
from integrations.writing import Deed, Receipt, UnclearError, Writes
from remediation import life
from remediation.actions import kinds
from remediation.life import Refused
from remediation.plans import deeds_of, differing
from remediation.remedy import Remedy
from store import operational
from store.action_tables import Action, ActionEntry

LEASE = timedelta(minutes=10)
"""How long a claim holds when its process cannot be looked up."""

KEY_LASTS = timedelta(hours=20)
"""How long the other side certainly remembers a key (Stripe: 24 hours)."""

CALLING, ANSWERED = "calling", ("replied", "read_back")


def apply(remedy: Remedy, action_id: int, *, actor: str, again: bool = False) -> Action:
    """Carry out one action and return it: succeeded, or failed, parked or back at proposed with its reason.

    `again`: a person has looked at a parked action and says that it was not done. Raises Refused, UnknownAction.
    """
    action = _claim(remedy, action_id, actor, again)
    if action.status != "executing":
        return action
    deeds = deeds_of(action.plan)
    return _run(remedy, action, deeds, "", checked=action.plan["before"], done="succeeded")


def reverse(remedy: Remedy, action_id: int, *, actor: str, reason: str) -> Action:
    """Undo what an action did, where that can be; the same care as for doing it. Raises Refused, UnknownAction."""
    with operational.writing(remedy.setting.engine) as session:
        action = life.get(session, action_id)
        undo = kinds()[action.kind].reverse
        stopped = action.status in ("failed", "parked") or (action.status == "executing" and _is_free(action, remedy))
        resumed = stopped and action.plan.get("undoing")
        if not resumed and action.status not in ("succeeded", "verified"):
            raise Refused(f"{action.label} is {action.status}; only what was done can be undone")
        if undo is None or not action.reversible:
            raise Refused(f"{action.label} cannot be undone: {action.risk}")
        if not " ".join(reason.split()):
            raise Refused("a reason is needed")
        _check_access(remedy, action)
        receipts = [entry.reply or {} for entry in life.journal(session, action.id) if entry.kind in ANSWERED]
        deeds = tuple(undo(action.plan, receipts[: len(action.plan["deeds"])]))
        action.plan = {**action.plan, "undoing": True}
        life.note(session, action, "undoing", actor, remedy.setting.clock(), detail=reason)
        _take(remedy, action)
    return _run(remedy, action, deeds, "undo-", checked={}, done="rolled_back")


def key_of(action: Action, place: int, way: str = "") -> str:
    """The key of a step, under which the other side does it once; `way`: "undo-" for those that undo it."""
    return f"trueup-{action.id}-{way}{place}"


def _claim(remedy: Remedy, action_id: int, actor: str, again: bool) -> Action:
    """The action, executing and ours; or as it stands now when it may not be carried out."""
    now = remedy.setting.clock()
    with operational.writing(remedy.setting.engine) as session:
        action = life.get(session, action_id)
        resumed = action.status == "executing" and _is_free(action, remedy)
        retried = action.status == "failed" or (action.status == "parked" and again)
        if not (resumed or retried or action.status in ("approved", "parked")):
            busy = " by another worker" if action.status == "executing" else ""
            raise Refused(f"{action.label} is {action.status}{busy}; only what is approved can be applied")
        if action.approved_by is None:
            raise Refused(f"{action.label} was never approved")
        _check_access(remedy, action)
        begun = any(entry.kind == CALLING for entry in life.journal(session, action.id))
        if not begun and (why := life.stands(session, action)):
            life.back(session, action, why, now)
            return action
        if action.plan.get("undoing"):
            raise Refused(f"{action.label} is being undone; reverse it again")
        life.note(session, action, "claimed", actor, now, detail="resumed" if resumed else ("again" if again else None))
        if again:
            life.note(session, action, "cleared", actor, now, detail="a person has looked: it was not done")
        _take(remedy, action)
        return action


def _check_access(remedy: Remedy, action: Action) -> None:
    """The kill switch: no write to an integration whose access is off."""
    if action.integration is None:
        return
    if action.integration not in remedy.writes:
        raise Refused(f"{action.integration} is not connected; name it under integrations, with its key")
    if action.integration not in remedy.allowed:
        switch = f"integrations.{action.integration}.writes"
        raise Refused(f"write access to {action.integration} is off; {switch} turns it on")


def _take(remedy: Remedy, action: Action) -> None:
    action.status, action.claimed_by = "executing", remedy.setting.worker
    action.lease_until, action.attempts, action.error = remedy.setting.clock() + LEASE, action.attempts + 1, None


def _is_free(action: Action, remedy: Remedy) -> bool:
    over = action.lease_until is None or action.lease_until <= remedy.setting.clock()
    return over or is_gone(action.claimed_by or "")


def _run(
    remedy: Remedy, action: Action, deeds: tuple[Deed, ...], way: str, *, checked: Mapping[str, Any], done: str
) -> Action:
    """Every step that has no answer yet, then the end."""
    try:
        for place, deed in enumerate(deeds):
            problem = _step(remedy, action, deed, key_of(action, place, way), checked if place == 0 else {})
            if problem is not None:
                return _stop(remedy, action, *problem)
    except SourceError as error:  # while looking, before anything was sent
        return _stop(remedy, action, "failed", str(error))
    return _stop(remedy, action, done, None)


def _step(remedy: Remedy, action: Action, deed: Deed, key: str, before: Mapping[str, Any]) -> tuple[str, str] | None:
    """One call, at most once; None when it is done, else the status to stop in and why."""
    writes = remedy.writes[action.integration or ""]
    entries = _entries(remedy, action, key)
    if any(entry.kind in ANSWERED for entry in entries):
        return None
    called = [entry.at for entry in entries if entry.kind == CALLING]
    if called:
        if (receipt := writes.seen(deed, key)) is not None:
            _write_down(remedy, action, "read_back", key, reply=receipt.as_json())
            return None
        cleared = any(entry.kind == "cleared" and entry.at >= called[-1] for entry in _entries(remedy, action, None))
        if not cleared and remedy.setting.clock() - called[0] > KEY_LASTS:
            return "parked", "it was asked for long ago, and nothing shows whether it was done"
        if not cleared and not writes.keyed and entries[-1].kind == "unclear":
            return "parked", f"no answer came, and {action.integration} knows no keys: look there whether it was done"
    problem = _unlike(writes, action, deed, before)
    if problem is not None:
        return ("parked" if called else "proposed"), problem
    return _call(remedy, action, writes, deed, key)


def _call(remedy: Remedy, action: Action, writes: Writes, deed: Deed, key: str) -> tuple[str, str] | None:
    try:
        request = writes.request(deed).as_json()
    except ValueError as error:  # it cannot be said in the other side's words, so nothing is sent
        return "failed", str(error)
    _write_down(remedy, action, CALLING, key, request=request)
    try:
        receipt = writes.send(deed, key)
    except UnclearError as error:
        return _settle(remedy, action, writes, deed, key, str(error))
    except SourceError as error:
        if (done := _looked(writes, deed, key)) is not None:
            _write_down(remedy, action, "read_back", key, reply=done.as_json(), detail=str(error))
            return None
        _write_down(remedy, action, "refused", key, detail=str(error))
        return "failed", str(error)
    _write_down(remedy, action, "replied", key, reply=receipt.as_json())
    return None


def _settle(remedy: Remedy, action: Action, writes: Writes, deed: Deed, key: str, why: str) -> tuple[str, str] | None:
    """After an unclear answer: done when it can be seen, parked when not."""
    _write_down(remedy, action, "unclear", key, detail=why)
    if (receipt := _looked(writes, deed, key)) is not None:
        _write_down(remedy, action, "read_back", key, reply=receipt.as_json())
        return None
    return "parked", why


def _looked(writes: Writes, deed: Deed, key: str) -> Receipt | None:
    try:
        return writes.seen(deed, key)
    except SourceError:
        return None


def _unlike(writes: Writes, action: Action, deed: Deed, before: Mapping[str, Any]) -> str | None:
    """Where the record is not as the plan says it is before the call."""
    if not before:
        return None
    row = writes.state(deed.type, deed.id)
    if row is None:
        return f"{deed.type} {deed.id} is not there any more"
    differences = differing(before, row)
    return f"{deed.type} {deed.id} is not as planned: {'; '.join(differences)}" if differences else None


def _entries(remedy: Remedy, action: Action, key: str | None) -> list[ActionEntry]:
    with operational.reading(remedy.setting.engine) as session:
        entries = life.journal(session, action.id)
        session.expunge_all()
    return [entry for entry in entries if key is None or entry.key == key]


def _write_down(remedy: Remedy, action: Action, kind: str, key: str, **more: Any) -> None:
    """A row of the journal, as long as the action is ours. Raises LeaseLost otherwise."""
    with operational.writing(remedy.setting.engine) as session:
        row = life.get(session, action.id)
        if row.status != "executing" or row.claimed_by != remedy.setting.worker:
            raise LeaseLost(f"{row.label} was taken over by {row.claimed_by}")
        row.lease_until = remedy.setting.clock() + LEASE
        life.note(session, row, kind, remedy.setting.worker, remedy.setting.clock(), key=key, **more)


def _stop(remedy: Remedy, action: Action, status: str, why: str | None) -> Action:
    now: datetime = remedy.setting.clock()
    with operational.writing(remedy.setting.engine) as session:
        row = life.get(session, action.id)
        if row.status != "executing" or row.claimed_by != remedy.setting.worker:
            raise LeaseLost(f"{row.label} was taken over by {row.claimed_by}")
        if status == "proposed":
            life.back(session, row, why or "", now)
            return row
        row.status, row.error, row.claimed_by, row.lease_until = status, why, None, None
        if status == "succeeded":
            row.applied_at = now
        life.note(session, row, status, remedy.setting.worker, now, detail=why)
        return row
