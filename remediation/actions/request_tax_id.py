"""Make a link under which a customer adds the tax number that its invoices need."""

from __future__ import annotations

from collections.abc import Iterator

from integrations.writing import Deed
from remediation.case import Case
from remediation.plans import Plan

PHASE = "root_cause"
NEEDS = "ask_tax_id"

CODES = {"TU-62"}
"""Faults that say that a tax number is missing, or is none."""


def plan(case: Case) -> Iterator[Plan]:
    """A link for each customer concerned."""
    if case.signal.code not in CODES or not case.able(NEEDS):
        return
    for id in case.customers:
        yield Plan(
            kind="request_tax_id",
            phase=PHASE,
            integration=case.signal.integration,
            object_type="customer",
            object_id=id,
            customer_id=id,
            change=f"Make a link to the customer portal under which {id} adds its tax number.",
            outcome="The link stands in the action's journal; somebody sends it to the customer.",
            risk="The link opens the customer's billing without a password for a short time; send it to nobody else. "
            "An invoice that is a draft by then keeps the number that it has.",
            deeds=(Deed("ask_tax_id", "customer", id),),
        )
