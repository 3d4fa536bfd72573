"""Make a link under which a customer adds the tax number that its invoices need."""

from __future__ import annotations

from collections.abc import Iterator

from remediation.case import Case
from remediation.plans import Plan, link

PHASE = "root_cause"
NEEDS = "ask_tax_id"

CODES = {"TU-62"}
"""Faults that say that a tax number is missing, or is none."""


def plan(case: Case) -> Iterator[Plan]:
    """A link for each customer concerned."""
    if case.signal.code not in CODES or not case.able(NEEDS):
        return
    later = " An invoice that is a draft by then keeps the number that it has."
    for id in case.customers:
        yield link(case.signal.integration, id, "request_tax_id", PHASE, NEEDS, "its tax number", later)
