"""Keep the invoices of a subscription as drafts, as long as it is not settled whether there should be any."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from integrations.writing import Deed
from remediation.actions.sync_subscription import LIVE
from remediation.case import Case
from remediation.plans import Plan, columns

PHASE = "contain"
NEEDS = "pause"

CODES = {"TU-41", "TU-42", "TU-43"}
"""Faults by which every invoice of the subscription is wrong: doubled, or billed after its end."""


def plan(case: Case) -> Iterator[Plan]:
    """A pause for each live subscription of which nothing should be charged."""
    if case.signal.code not in CODES or not case.able(NEEDS):
        return
    for entity in case.affected("subscription"):
        row = case.subscriptions.get(entity.entity_id)
        if row is None or row["status"] not in LIVE or row["status"] == "paused":
            continue
        yield Plan(
            kind="pause_collection",
            phase=PHASE,
            integration=case.signal.integration,
            object_type="subscription",
            object_id=entity.entity_id,
            customer_id=row["customer_id"],
            change=f"Pause the collection of subscription {entity.entity_id}: its next invoices stay drafts.",
            outcome="Nothing more is charged until it is resumed, and nothing is lost.",
            risk="Drafts that nobody releases after the pause are revenue that never comes.",
            deeds=(Deed("pause", "subscription", entity.entity_id),),
            before={**columns(row, "status"), "collection": "on"},
            after={"collection": "paused"},
            reversible=True,
        )


def reverse(plan: Mapping[str, Any], receipts: Sequence[Mapping[str, Any]]) -> list[Deed]:
    """Let its invoices go out again."""
    return [Deed("resume", "subscription", each["id"]) for each in plan["deeds"]]
