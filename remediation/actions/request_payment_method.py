"""Make a link under which a customer adds a payment method, where there is none to charge."""

from __future__ import annotations

from collections.abc import Iterator

from remediation.case import Case
from remediation.plans import Plan, link

PHASE = "downstream"
NEEDS = "ask_method"

CODES = {"TU-59", "TU-60"}
"""Faults that say that what is due cannot be collected."""


def plan(case: Case) -> Iterator[Plan]:
    """A link for each customer concerned that has no payment method and is charged automatically."""
    if case.signal.code not in CODES or not case.able(NEEDS):
        return
    charged = {row["customer_id"] for row in case.subscriptions.values()
               if row["collection_method"] == "charge_automatically" and row["status"] != "ended"}  # fmt: skip
    for id in sorted(charged.intersection(case.customers) - case.payable):
        yield link(case.signal.integration, id, "request_payment_method", PHASE, NEEDS, "a payment method")
