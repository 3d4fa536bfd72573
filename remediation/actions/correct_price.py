"""Move an item to the price of the plan version that was agreed, from now on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from integrations.writing import Deed
from remediation.case import Case, Row
from remediation.plans import Plan

PHASE = "root_cause"
NEEDS = "price"

CODES = {"TU-24"}
"""Faults that say that a customer is still charged by an old version of its plan."""

SAME = ("meter_id", "currency", "cadence", "payment_term")
"""What the price of one version has in common with that of another for the same thing."""


def plan(case: Case) -> Iterator[Plan]:
    """Another price for each item that has exactly one counterpart in the agreed version."""
    if case.signal.code not in CODES or not case.able(NEEDS):
        return
    agreed = {str(each.evidence["other_plan_id"]) for each in case.findings if each.evidence.get("other_plan_id")}
    for entity in case.affected("item"):
        row = case.items.get(entity.entity_id)
        held = case.prices.get(row["price_id"]) if row else None
        if row is None or held is None or row["active_to"] is not None or held["plan_id"] in agreed:
            continue
        found = counterparts(case, held, agreed)
        subscription = case.subscriptions.get(row["subscription_id"])
        if len(found) != 1 or subscription is None:
            continue
        id, name = row["subscription_id"], f"price:{entity.entity_id}"
        yield Plan(
            kind="correct_price",
            phase=PHASE,
            integration=case.signal.integration,
            object_type="item",
            object_id=entity.entity_id,
            customer_id=subscription["customer_id"],
            change=f"Move item {entity.entity_id} of subscription {id} from price {row['price_id']} to {found[0]}, "
            "without proration.",
            outcome="The next invoice charges the version that was agreed.",
            risk="The invoices until now stay as they are; what they are off is put right by itself.",
            deeds=(Deed("price", "subscription", id, {"item": entity.entity_id, "price": found[0],
                                                      "was": row["price_id"]}),),
            before={name: row["price_id"]},
            after={name: found[0]},
            reversible=True,
        )  # fmt: skip


def counterparts(case: Case, held: Row, agreed: set[str]) -> list[str]:
    """The prices of the agreed versions that charge the same thing as a price does."""
    same = (row for row in case.prices.values() if all(row[name] == held[name] for name in SAME))
    return sorted(row["price_id"] for row in same if row["plan_id"] in agreed and row["status"] == "active")


def reverse(plan: Mapping[str, Any], receipts: Sequence[Mapping[str, Any]]) -> list[Deed]:
    """The price that was there before."""
    (deed,) = plan["deeds"]
    return [Deed("price", "subscription", deed["id"], {"item": deed["about"]["item"], "price": deed["about"]["was"]})]
