"""The advice for one signal, complete without a language model: why it happened, and what to do in which order.

First contain, then the root cause, then what it has already done, then see that it worked. Steps that an action can
take name it; the others are for people, by the playbook of the rule. Amounts are those that code worked out.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from detector.detail import amount, instant
from detector.explain import UnknownLineError, explain
from remediation import life
from remediation.actions import kinds
from remediation.case import Case, read
from remediation.plans import PHASES, Plan
from remediation.remedy import Remedy
from remediation.root_cause import RootCause, root_cause
from store import operational
from store.action_tables import Action
from store.operational_tables import Signal

RECORDS = ("open_ticket", "notify_owner", "record_waiver")
"""Actions that only record; a person does the work."""


@dataclass(frozen=True)
class Step:
    """One step: what to change where, what is then true, and who can do it.

    `action` is the proposed action that stands for it, None where only the playbook speaks; `by` is "trueup" when it
    can carry the action out by itself after approval, else "person" with the reason in `because`.
    """

    phase: str
    system: str
    object: str
    change: str
    outcome: str
    risk: str | None
    reversible: bool
    by: str
    because: str | None
    action: Action | None
    locked: str | None

    @property
    def money(self) -> str | None:
        """The amount that it moves, with its currency."""
        if self.action is None or self.action.amount is None:
            return None
        return f"{amount(self.action.amount, self.action.currency)} {self.action.currency}"


@dataclass(frozen=True)
class Advice:
    """The root cause of a signal and the steps that repair it, in order; `case` is what they were worked out from."""

    signal: Signal
    cause: RootCause
    steps: tuple[Step, ...]
    case: Case

    def as_json(self) -> dict[str, Any]:
        """What `trueup advise --json` prints."""
        cause = self.cause
        return {
            "signal": self.signal.label,
            "title": self.signal.title,
            "root_cause": {
                "class": cause.category,
                "entity": cause.entity,
                "confidence": cause.confidence,
                "why": list(cause.why),
                "evidence": [vars(each) for each in cause.evidence],
                "customers": cause.customers,
                "signals": list(cause.signals),
                "changes": [
                    {"record": each.record, "at": instant(each.at), "what": each.what} for each in cause.changes
                ],
            },
            "steps": [_step_json(order, step) for order, step in enumerate(self.steps, 1)],
        }


def advise(remedy: Remedy, signal_id: int, *, actor: str = life.MACHINE) -> Advice | None:
    """The advice for a signal, with its actions kept as proposals; None when there is no such signal.

    The same evidence gives the same steps. Raises LakeError when the books cannot be read.
    """
    with operational.reading(remedy.setting.engine) as session:
        signal = session.get(Signal, signal_id)
        if signal is None:
            return None
        case = read(session, remedy.setting.warehouse, signal, remedy.by_name.get(signal.rule), remedy.can)
        cause = root_cause(session, remedy.setting.warehouse, case, _first_difference(remedy, case))
        session.expunge_all()
    with operational.writing(remedy.setting.engine) as session:
        life.propose(session, case, planned(case), actor=actor, now=remedy.setting.clock())
        return Advice(signal, cause, tuple(_steps(session, remedy, case)), case)


def planned(case: Case) -> list[Plan]:
    """Every plan that the actions have for the case, in the order of the advice; of a closed one only releases."""
    plans = [plan for kind in kinds().values() for plan in kind.plan(case)]
    return plans if case.signal.is_open else [plan for plan in plans if plan.kind == "release_draft"]


def _first_difference(remedy: Remedy, case: Case) -> str | None:
    """The step at which the largest line parts from what it should be; None where it has no line or cannot be rated."""
    line = next((line for finding in case.findings[:5] if (line := case.line_of(finding)) is not None), None)
    if line is None:
        return None
    with closing(remedy.setting.warehouse.connect(read_only=True)) as con:
        try:
            found = explain(
                con,
                line["line_id"],
                remedy.setting.clock(),
                integration=case.signal.integration,
                dialects=remedy.setting.warehouse.dialects,
            )
        except (UnknownLineError, ValueError):
            return None
    return found.parts_at.name if found.parts_at else None


def _steps(session: Session, remedy: Remedy, case: Case) -> list[Step]:
    """Actions and the playbook's own words, phase by phase: actions first, and each word that none stands for."""
    actions = life.of_signal(session, case.signal.id)
    kept = [each for each in actions if each.status not in ("rejected", "rolled_back")]
    found: list[Step] = []
    for phase in PHASES:
        own = sorted((each for each in kept if each.phase == phase), key=lambda each: (each.position, each.id))
        found += [_of_action(session, remedy, each) for each in own]
        spoken = {" ".join(each.change.split()) for each in own}
        found += [step for step in _of_playbook(remedy, case, phase) if step.change not in spoken]
    return found


def _of_action(session: Session, remedy: Remedy, action: Action) -> Step:
    why = "it is work of people; the action keeps who did it, and when" if life.by_word(action) else None
    why = why or _access(remedy, action)
    return Step(
        phase=action.phase,
        system=str(action.plan["note"].get("system") or action.integration or "trueup"),
        object=f"{action.object_type}:{action.object_id.partition('#')[0]}",
        change=action.change,
        outcome=action.outcome,
        risk=action.risk,
        reversible=action.reversible,
        by="person" if why else "trueup",
        because=why,
        action=action,
        locked=life.locked(session, action) if action.status in ("proposed", "approved") else None,
    )


def _access(remedy: Remedy, action: Action) -> str | None:
    name = action.integration or ""
    if name not in remedy.writes:
        return f"{name} is not connected"
    return None if name in remedy.allowed else f"write access to {name} is off (integrations.{name}.writes)"


def _of_playbook(remedy: Remedy, case: Case, phase: str) -> list[Step]:
    steps = getattr(case.rule.playbook, phase) if case.rule else ()
    connected = case.signal.integration in remedy.writes
    return [
        Step(
            phase=phase,
            system=each.system,
            object=case.signal.cause,
            change=" ".join(each.change.split()),
            outcome=" ".join(each.outcome.split()),
            risk=None,
            reversible=False,
            by="trueup" if each.system == "trueup" else "person",
            because=None if each.system == "trueup" else _no_action(each.system, connected),
            action=None,
            locked=None,
        )
        for each in steps
    ]


def _no_action(system: str, connected: bool) -> str:
    if system in ("billing", "payments") and not connected:
        return "the billing system is not connected for writing"
    return f"Trueup has no action of its own for this in {system}"


def _step_json(order: int, step: Step) -> dict[str, Any]:
    action = step.action
    return {
        "order": order,
        "phase": step.phase,
        "system": step.system,
        "object": step.object,
        "change": step.change,
        "outcome": step.outcome,
        "risk": step.risk,
        "reversible": step.reversible,
        "by": step.by,
        "because": step.because,
        "locked": step.locked,
        "action": None if action is None else action_json(action),
    }


def action_json(action: Action) -> dict[str, Any]:
    """One action as `trueup actions --json` prints it; amounts are decimal strings."""
    return {
        "id": action.label,
        "signal": f"SIG-{action.signal_id}",
        "kind": action.kind,
        "phase": action.phase,
        "status": action.status,
        "integration": action.integration,
        "object": f"{action.object_type}:{action.object_id}",
        "change": action.change,
        "outcome": action.outcome,
        "risk": action.risk,
        "reversible": action.reversible,
        "amount": amount(action.amount, action.currency),
        "currency": action.currency,
        "plan": _plan_json(action.plan),
        "proposed_by": action.proposed_by,
        "approved_by": action.approved_by,
        "approved_at": instant(action.approved_at),
        "approval_reason": action.approval_reason,
        "closed_by": action.closed_by,
        "closing_reason": action.closing_reason,
        "error": action.error,
        "verdict": action.verdict,
    }


def _plan_json(plan: Mapping[str, Any]) -> dict[str, Any]:
    return {name: plan[name] for name in ("deeds", "before", "after")}
