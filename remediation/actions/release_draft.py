"""Let a draft go on that was held for a signal, once nothing speaks against it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from integrations.writing import Deed
from remediation.case import Case
from remediation.plans import Plan, columns
from store.action_tables import DONE

PHASE = "verify"
NEEDS = "release"


def plan(case: Case) -> Iterator[Plan]:
    """A release for each draft that an action of this signal holds."""
    if not case.able(NEEDS):
        return
    held = {each.object_id for each in case.actions if each.kind == "hold_draft" and each.status in DONE}
    for id in sorted(held):
        row = case.invoices.get(id)
        if row is None or row["status"] != "draft" or row["auto_advance"] is not False:
            continue
        yield Plan(
            kind="release_draft",
            phase=PHASE,
            integration=case.signal.integration,
            object_type="invoice",
            object_id=id,
            customer_id=row["customer_id"],
            change=f"Release the draft {id}, so that it becomes final by itself again.",
            outcome="The draft goes out as it is now.",
            risk="What is still wrong with it goes out too; it is locked while a blocking signal names the draft.",
            deeds=(Deed("release", "invoice", id),),
            before=columns(row, "status", "auto_advance"),
            after={"auto_advance": "true"},
            reversible=True,
            currency=row["currency"],
        )


def reverse(plan: Mapping[str, Any], receipts: Sequence[Mapping[str, Any]]) -> list[Deed]:
    """Hold it again."""
    return [Deed("hold", "invoice", each["id"]) for each in plan["deeds"]]
