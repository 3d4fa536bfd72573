"""Hand a step that only people can take to whoever looks after the system: a ticket there, or a note here."""

from __future__ import annotations

from collections.abc import Iterator

from integrations.writing import Deed
from remediation.case import Case
from remediation.plans import Plan

PHASE = "root_cause"

TICKETS = "tickets"
"""What the place of tickets is called among the integrations, where one is configured."""


def plan(case: Case) -> Iterator[Plan]:
    """A ticket for each step of the rule's playbook that changes the cause.

    It is opened outside where a place for tickets is configured. Either way it is done when somebody says so.
    """
    outside = "open" in case.can.get(TICKETS, ())
    signal = case.signal
    for place, step in enumerate(case.rule.playbook.root_cause if case.rule else (), 1):
        change, outcome = " ".join(step.change.split()), " ".join(step.outcome.split())
        ticket = {"signal": signal.label, "code": signal.code, "title": signal.title, "severity": signal.severity,
                  "cause": signal.cause, "system": step.system, "change": change, "outcome": outcome}  # fmt: skip
        yield Plan(
            kind="open_ticket",
            phase=PHASE,
            integration=TICKETS if outside else None,
            object_type=signal.cause_type,
            object_id=signal.cause_id if place == 1 else f"{signal.cause_id}#{place}",
            change=change,
            outcome=outcome,
            deeds=(Deed("open", signal.cause_type, signal.cause_id, ticket),) if outside else (),
            risk="Until it is done the same fault comes again.",
            note={"system": step.system},
        )
