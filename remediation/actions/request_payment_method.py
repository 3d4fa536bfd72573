"""Make a link under which a customer adds a payment method, where there is none to charge."""

from __future__ import annotations

from collections.abc import Iterator

from integrations.writing import Deed
from remediation.case import Case
from remediation.plans import Plan

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
        yield Plan(
            kind="request_payment_method",
            phase=PHASE,
            integration=case.signal.integration,
            object_type="customer",
            object_id=id,
            customer_id=id,
            change=f"Make a link to the customer portal under which {id} adds a payment method.",
            outcome="The link stands in the action's journal; somebody sends it to the customer.",
            risk="The link opens the customer's billing without a password for a short time; send it to nobody else.",
            deeds=(Deed("ask_method", "customer", id),),
        )
