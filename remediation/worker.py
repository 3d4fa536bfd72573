"""What `trueup serve` does for remediation: advice that a page asked for, and what is approved, done and verified;
what somebody asks to have applied again, verified or undone.

A page never calls an outside system: an approval is a row, and this claims it. Safe beside other processes that do
the same.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from detector import requests
from detector.claims import LeaseLost
from integrations.http import SourceError
from remediation import batch, execute, life
from remediation.advice import advise
from remediation.advisor import exchanges
from remediation.life import Refused
from remediation.remedy import Remedy
from remediation.verify import verify
from store import operational
from store.action_tables import Action
from store.operational_tables import Job

if TYPE_CHECKING:
    from remediation.advisor.model import Model

log = logging.getLogger("trueup")

WORKER = "worker"

DEEDS: Mapping[str, tuple[str, ...]] = {
    "apply": ("approved", "failed", "parked"),
    "verify": ("succeeded", "verified"),
    "reverse": ("succeeded", "verified", "failed", "parked"),
}
"""What a worker does with an action when somebody asks, and the statuses in which that can be."""


def ask(session: Session, signal_id: int, *, actor: str, now: datetime) -> Job:
    """Ask a worker for the advice on a signal; an equal request that still waits is returned instead."""
    job = requests.request(session, "advise", {"signal": signal_id}, actor=actor, now=now)
    job.about = f"SIG-{signal_id}"
    return job


def ask_deed(
    session: Session, action_id: int, deed: str, *, actor: str, reason: str, again: bool = False, now: datetime
) -> Job:
    """Ask a worker to do one of DEEDS with an action: what needs the billing system, so no page does it.

    Raises Refused for what its state or policy does not allow as far as can be seen here; UnknownAction.
    """
    action = life.get(session, action_id)
    allowed = DEEDS[deed]
    if action.status not in allowed:
        raise Refused(f"{action.label} is {action.status}; to {deed} it, it has to be {' or '.join(allowed)}")
    if action.status == "parked" and deed == "apply" and not again:
        raise Refused(f"{action.label} is parked: it may have been done; look, and say that it was not (again)")
    needs_word = deed == "reverse" or (deed == "verify" and life.by_word(action))
    if needs_word and not " ".join(reason.split()):
        raise Refused("a reason is needed")
    args = {"action": action_id, "deed": deed, "actor": actor, "reason": reason, "again": again}
    job = requests.request(session, "deed", args, actor=actor, now=now)
    job.about = action.label
    return job


def deeds_asked(session: Session, labels: Sequence[str]) -> dict[str, Job]:
    """What was last asked to be done with each of these actions, by label."""
    newest = select(func.max(Job.id)).where(Job.kind == "deed", Job.about.in_(labels)).group_by(Job.about)
    return {str(job.about): job for job in session.scalars(select(Job).where(Job.id.in_(newest)))} if labels else {}


def latest(session: Session, signal_id: int) -> Job | None:
    """The newest advice on a signal that a page asked for, done or waiting."""
    query = select(Job).where(Job.kind == "advise", Job.about == f"SIG-{signal_id}").order_by(Job.id.desc())
    return session.scalars(query).first()


def work(remedy: Remedy) -> None:
    """Do whatever waits: advice first, then what is approved."""
    while _advise_one(remedy) or _do_one(remedy):
        pass
    for signal_id, kind in _batches(remedy):
        _carry_out_many(remedy, signal_id, kind)
    for action_id in _waiting(remedy):
        _carry_out(remedy, action_id)


def _advise_one(remedy: Remedy) -> bool:
    setting = remedy.setting
    job = requests.take(setting.engine, ["advise"], worker=setting.worker, clock=setting.clock)
    if job is None:
        return False
    answer: dict[str, Any] | None = None
    try:
        found = advise(remedy, int(job.args["signal"]))
        answer = found.as_json() if found else None
        status, said = ("ok", f"{len(found.steps)} steps") if found else ("failed", "there is no such signal")
    except Exception as error:  # whatever happens is told to who asked
        status, said = "failed", str(error)
    requests.close(setting.engine, job.id, status, said, worker=setting.worker, clock=setting.clock, answer=answer)
    return True


def _do_one(remedy: Remedy) -> bool:
    """What somebody asked to have done with an action."""
    setting = remedy.setting
    job = requests.take(setting.engine, ["deed"], worker=setting.worker, clock=setting.clock)
    if job is None:
        return False
    number, actor, reason = int(job.args["action"]), str(job.args["actor"]), str(job.args["reason"])
    try:
        if job.args["deed"] == "verify":
            action, verdict = verify(remedy, number, actor=actor, reason=reason)
            well, said = verdict.verified, f"{action.label}: {verdict.found}"
        else:
            if job.args["deed"] == "reverse":
                action = execute.reverse(remedy, number, actor=actor, reason=reason)
            else:
                action = execute.apply(remedy, number, actor=actor, again=bool(job.args["again"]))
            well = action.status in ("succeeded", "rolled_back")
            said = f"{action.label} is {action.status}{f': {action.error}' if action.error else ''}"
    except Exception as error:  # whatever happens is told to who asked
        well, said = False, str(error)
    status = "ok" if well else "failed"
    requests.close(setting.engine, job.id, status, said, worker=setting.worker, clock=setting.clock)
    return True


def talk(remedy: Remedy, model: Model) -> None:
    """Answer whatever was asked of the model. Apart from `work`, so that no approved action waits for a model."""
    while job := requests.take(
        remedy.setting.engine, ["ask"], worker=remedy.setting.worker, clock=remedy.setting.clock
    ):
        from remediation.advisor import conversation  # only here: nothing else waits for the openai SDK

        try:
            done = conversation.respond(remedy, model, int(job.args["exchange"]))
            status, said = ("ok", done.status) if done.status == "answered" else ("failed", done.reason or "")
        except Exception as error:  # whatever happens is told to who asked
            status, said = "failed", str(error)
            exchanges.fail(remedy.setting.engine, int(job.args["exchange"]), said)
        requests.close(remedy.setting.engine, job.id, status, said, worker=remedy.setting.worker,
                       clock=remedy.setting.clock)  # fmt: skip


def _waiting(remedy: Remedy) -> list[int]:
    """Approved actions that may be written, and those whose worker may be gone."""
    query = select(Action.id).where(Action.status.in_(("approved", "executing")), _writable(remedy))
    with operational.reading(remedy.setting.engine) as session:
        return list(session.scalars(query.order_by(Action.id)))


def _writable(remedy: Remedy) -> ColumnElement[bool]:
    """What records only, or writes where writing is allowed."""
    return or_(Action.integration.is_(None), Action.integration.in_(remedy.allowed & set(remedy.writes)))


def _batches(remedy: Remedy) -> list[tuple[int, str]]:
    """The signals and kinds of which several actions are approved: they are carried out as one, the first one first."""
    query = select(Action.signal_id, Action.kind).where(Action.status == "approved", _writable(remedy))
    several = query.group_by(Action.signal_id, Action.kind).having(func.count() > 1)
    with operational.reading(remedy.setting.engine) as session:
        return [(signal, kind) for signal, kind in session.execute(several.order_by(Action.signal_id, Action.kind))]


def _carry_out_many(remedy: Remedy, signal_id: int, kind: str) -> None:
    """Apply the approved actions of one kind, and verify those that the books can tell of."""
    done: list[Action] = []
    try:
        batch.apply(remedy, signal_id, kind, actor=WORKER, tell=done.append)
    except (Refused, LeaseLost, SourceError) as error:
        log.warning("SIG-%s, %s: %s", signal_id, kind, error)
    for each in done:
        if each.status == "succeeded" and not life.by_word(each):
            _verify(remedy, each.id)


def _carry_out(remedy: Remedy, action_id: int) -> None:
    """Apply one action and, where the books can tell, verify it; what refuses is told in the action, or is not ours."""
    try:
        done = execute.apply(remedy, action_id, actor=WORKER)
        log.info("%s: %s", done.label, done.status)
    except (Refused, LeaseLost):
        return
    if done.status == "succeeded" and not life.by_word(done):
        _verify(remedy, action_id)


def _verify(remedy: Remedy, action_id: int) -> None:
    """Verify one action, unless it was verified by now."""
    with operational.reading(remedy.setting.engine) as session:
        if session.get_one(Action, action_id).status != "succeeded":
            return
    try:
        verify(remedy, action_id, actor=WORKER)
    except Refused:
        return
    except SourceError as error:
        log.warning("ACT-%s is not verified: %s", action_id, error)
