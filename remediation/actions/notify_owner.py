"""Tell whoever looks after a customer, so that they hear of it from us first: recorded here, said by a person."""

from __future__ import annotations

from collections.abc import Iterator

from remediation.case import Case
from remediation.plans import Plan

PHASE = "contain"


def plan(case: Case) -> Iterator[Plan]:
    """A notice for each step of the playbook that is a matter of the customer's owner, before anything is changed."""
    for place, step in enumerate(case.rule.playbook.contain if case.rule else (), 1):
        if step.system != "crm" or case.signal.customer_id is None:
            continue
        yield Plan(
            kind="notify_owner",
            phase=PHASE,
            object_type="customer",
            object_id=case.signal.customer_id if place == 1 else f"{case.signal.customer_id}#{place}",
            customer_id=case.signal.customer_id,
            change=" ".join(step.change.split()),
            outcome=" ".join(step.outcome.split()),
            risk="None.",
            note={"system": step.system},
        )
