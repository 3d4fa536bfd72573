"""Hand a step that only people can take to whoever looks after the system: recorded here, done there."""

from __future__ import annotations

from collections.abc import Iterator

from remediation.case import Case
from remediation.plans import Plan

PHASE = "root_cause"


def plan(case: Case) -> Iterator[Plan]:
    """A ticket for each step of the rule's playbook that changes the cause."""
    for place, step in enumerate(case.rule.playbook.root_cause if case.rule else (), 1):
        yield Plan(
            kind="open_ticket",
            phase=PHASE,
            object_type=case.signal.cause_type,
            object_id=case.signal.cause_id if place == 1 else f"{case.signal.cause_id}#{place}",
            change=" ".join(step.change.split()),
            outcome=" ".join(step.outcome.split()),
            risk="Until it is done the same fault comes again.",
            note={"system": step.system},
        )
