"""Keep a draft from becoming final by itself while a signal says that it is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from integrations.writing import Deed
from remediation.case import Case
from remediation.plans import Plan, columns

PHASE = "contain"
NEEDS = "hold"


def plan(case: Case) -> Iterator[Plan]:
    """A hold for each draft that the signal names as wrong and that would go out by itself."""
    if case.signal.gate == "none" or not case.able(NEEDS):
        return
    for entity in case.affected("invoice"):
        row = case.invoices.get(entity.entity_id)
        if row is None or row["status"] != "draft" or row["auto_advance"] is False:
            continue
        final = f", which is {row['finalizes_at']:%Y-%m-%d %H:%M} UTC" if row["finalizes_at"] else ""
        yield Plan(
            kind="hold_draft",
            phase=PHASE,
            integration=case.signal.integration,
            object_type="invoice",
            object_id=entity.entity_id,
            customer_id=row["customer_id"],
            change=f"Hold the draft {entity.entity_id}, so that it does not become final by itself{final}.",
            outcome="The draft waits until it is released; nothing wrong goes out.",
            risk="While it is held nothing is collected; a hold that nobody releases is revenue that never comes.",
            deeds=(Deed("hold", "invoice", entity.entity_id),),
            before={**columns(row, "status"), "auto_advance": "true"},
            after={"status": "draft", "auto_advance": "false"},
            reversible=True,
            currency=row["currency"],
        )


def reverse(plan: Mapping[str, Any], receipts: Sequence[Mapping[str, Any]]) -> list[Deed]:
    """Let it go on by itself again."""
    return [Deed("release", "invoice", each["id"]) for each in plan["deeds"]]
