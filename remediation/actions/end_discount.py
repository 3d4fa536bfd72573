"""End a discount that is given beyond its agreed end, from now on."""

from __future__ import annotations

from collections.abc import Iterator

from integrations.writing import Deed
from remediation.case import Case, Row
from remediation.plans import Plan

PHASE = "root_cause"
NEEDS = "undiscount"

CODES = {"TU-31"}
"""Faults that say that a discount had ended."""


def plan(case: Case) -> Iterator[Plan]:
    """An end for each discount that goes on although it had ended; what was given stays given."""
    if case.signal.code not in CODES or not case.able(NEEDS):
        return
    for entity in case.affected("discount"):
        row = case.discounts.get(entity.entity_id)
        if row is None:
            continue
        subscription = case.subscriptions.get(row["subscription_id"])
        customer = row["customer_id"] or (subscription["customer_id"] if subscription else None)
        if customer is None:
            continue
        scope = "subscription" if row["subscription_id"] else "customer"
        id, name = row[f"{scope}_id"], f"discount:{entity.entity_id}"
        about = {"discount": entity.entity_id, "customer": customer, "item": row["item_id"],
                 "others": _others(case, row)}  # fmt: skip
        yield Plan(
            kind="end_discount",
            phase=PHASE,
            integration=case.signal.integration,
            object_type="discount",
            object_id=entity.entity_id,
            customer_id=customer,
            change=f"Take discount {entity.entity_id} off {scope} {id}"
            + (f", item {row['item_id']}." if row["item_id"] else "."),
            outcome="The next invoice is in full; what was given so far stays given.",
            risk="A discount that was renewed by word only ends too; it would have to be given anew, by its coupon.",
            deeds=(Deed("undiscount", scope, id, about),),
            before={name: "on"},
            after={name: None},
        )


def _others(case: Case, row: Row) -> list[str]:
    """The discounts that stay beside it: of the same item, or of the same subscription as a whole."""
    scope = ("customer_id", "subscription_id", "item_id")
    same = [each for each in case.discounts.values() if all(each[name] == row[name] for name in scope)]
    ended = case.signal.last_seen
    return sorted(
        each["discount_id"]
        for each in same
        if each["discount_id"] != row["discount_id"] and (each["ends_at"] is None or each["ends_at"] > ended)
    )
