"""Set the subscribed number of an item to what the product provides, from now on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from detector.signal_content import digits
from integrations.writing import Deed
from remediation.case import Case
from remediation.plans import Plan

PHASE = "root_cause"
NEEDS = "quantity"

CODES = {"TU-44"}
"""Faults that say that billing and product know another number of seats."""


def plan(case: Case) -> Iterator[Plan]:
    """Another number for each item whose provisioned number is known, whole and above nothing.

    What the past periods are off is for a credit, or an adjustment of a draft.
    """
    if case.signal.code not in CODES or not case.able(NEEDS):
        return
    for entity in case.affected("item"):
        row = case.items.get(entity.entity_id)
        subscription = case.subscriptions.get(row["subscription_id"]) if row else None
        if row is None or subscription is None or row["quantity"] is None or row["active_to"] is not None:
            continue
        wanted, held = entity.expected, row["quantity"]
        if wanted is None or wanted <= 0 or wanted != int(wanted) or wanted == held or held != entity.actual:
            continue
        id, name = row["subscription_id"], f"quantity:{entity.entity_id}"
        yield Plan(
            kind="correct_quantity",
            phase=PHASE,
            integration=case.signal.integration,
            object_type="item",
            object_id=entity.entity_id,
            customer_id=subscription["customer_id"],
            change=f"Set the quantity of item {entity.entity_id} of subscription {id} to {digits(wanted)} instead of "
            f"{digits(held)}, without proration.",
            outcome="The next invoice charges what the product provides.",
            risk="If the product is wrong and not billing, the next invoice is.",
            deeds=(Deed("quantity", "subscription", id, {"item": entity.entity_id, "quantity": digits(wanted),
                                                         "was": digits(held)}),),
            before={name: digits(held)},
            after={name: digits(wanted)},
            reversible=True,
        )  # fmt: skip


def reverse(plan: Mapping[str, Any], receipts: Sequence[Mapping[str, Any]]) -> list[Deed]:
    """The number that was there before."""
    (deed,) = plan["deeds"]
    about = {"item": deed["about"]["item"], "quantity": deed["about"]["was"]}
    return [Deed("quantity", "subscription", deed["id"], about)]
