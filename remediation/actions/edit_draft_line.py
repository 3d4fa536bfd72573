"""Set a line of a draft that stands for itself to its right amount."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from detector.signal_content import digits
from integrations.writing import Deed
from remediation.actions.correct_draft import NOT_BY_AMOUNT
from remediation.case import Case, Row, net
from remediation.plans import Plan, columns, text

PHASE = "downstream"
NEEDS = "edit_line"


def plan(case: Case) -> Iterator[Plan]:
    """Another amount for each line of a draft that no subscription makes and whose right amount is exact."""
    signal = case.signal
    if signal.confidence != "exact" or signal.code in NOT_BY_AMOUNT or not case.able(NEEDS):
        return
    for finding in case.findings:
        line, amount = case.line_of(finding), net(finding)
        row = case.invoices.get(line["invoice_id"]) if line else None
        if line is None or row is None or not amount or finding.currency != row["currency"]:
            continue
        if not stands_alone(line, row) or line["discount_amount"] or line["tax_amount"]:
            continue
        was, right = line["amount"], line["amount"] + amount
        id, name = row["invoice_id"], f"line:{line['line_id']}"
        yield Plan(
            kind="edit_draft_line",
            phase=PHASE,
            integration=signal.integration,
            object_type="invoice_line",
            object_id=line["line_id"],
            customer_id=row["customer_id"],
            change=f"Set line {line['line_id']} of the draft {id} to {digits(right)} {row['currency']} instead of "
            f"{digits(was)}.",
            outcome=f"The draft's total is {digits(row['total'] + amount)} {row['currency']} instead of "
            f"{digits(row['total'])}, and the rule finds nothing about the line.",
            risk="Whoever made the line by hand meant something by it; ask them first.",
            deeds=(Deed("edit_line", "invoice", id, _about(line["line_id"], right, was, row["currency"])),),
            before={**columns(row, "status", "total"), name: text(was)},
            after={"status": "draft", "total": text(row["total"] + amount), name: text(right)},
            quiet=True,
            reversible=True,
            currency=row["currency"],
            amount=abs(amount),
        )


def stands_alone(line: Row, row: Row) -> bool:
    """Whether a line of a draft was put there by itself, so that its amount can be set."""
    return bool(row["status"] == "draft" and line["kind"] == "one_time" and line["item_id"] is None)


def _about(line: str, amount: Decimal, was: Decimal, currency: str) -> dict[str, Any]:
    return {"line": line, "amount": digits(amount), "was": digits(was), "currency": currency}


def reverse(plan: Mapping[str, Any], receipts: Sequence[Mapping[str, Any]]) -> list[Deed]:
    """The amount that was there before."""
    (deed,) = plan["deeds"]
    about = deed["about"]
    return [Deed("edit_line", "invoice", deed["id"], {**about, "amount": about["was"], "was": about["amount"]})]
