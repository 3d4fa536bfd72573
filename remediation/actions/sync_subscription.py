"""End a subscription in billing that should have ended, or that the product no longer serves."""

from __future__ import annotations

from collections.abc import Iterator

from integrations.writing import Deed
from remediation.case import Case
from remediation.plans import Plan, columns

PHASE = "root_cause"
NEEDS = "cancel"

CODES = {"TU-43"}
"""Faults that say that billing missed an end: a cancellation whose time has passed."""

LIVE = ("active", "trialing", "past_due", "paused")


def plan(case: Case) -> Iterator[Plan]:
    """A cancellation for each subscription that should have ended and serves on (canceled: its end was only set).

    Never where the customer has another live subscription: which of the two is meant is for a person to say.
    """
    if case.signal.code not in CODES or not case.able(NEEDS):
        return
    for entity in case.affected("subscription"):
        row = case.subscriptions.get(entity.entity_id)
        if (
            row is None
            or row["status"] not in (*LIVE, "canceled")
            or others(case, row["customer_id"], entity.entity_id)
        ):
            continue
        yield Plan(
            kind="sync_subscription",
            phase=PHASE,
            integration=case.signal.integration,
            object_type="subscription",
            object_id=entity.entity_id,
            customer_id=row["customer_id"],
            change=f"Cancel subscription {entity.entity_id} now, without a last invoice: its end has passed.",
            outcome="Billing shows it as ended, as it should since its end, and no further invoice is made.",
            risk="A cancelled subscription cannot be revived; a new one would have to be made.",
            deeds=(Deed("cancel", "subscription", entity.entity_id, {"customer": row["customer_id"]}),),
            before={**columns(row, "status", "customer_id"), "others": "0"},
            after={"status": "ended"},
            quiet=True,
        )


def others(case: Case, customer: str, id: str) -> list[str]:
    """The customer's other live subscriptions."""
    return [
        str(row["subscription_id"])
        for row in case.subscriptions.values()
        if row["customer_id"] == customer and row["subscription_id"] != id and row["status"] in LIVE
    ]
