"""Take back an unpaid invoice of which nothing is right."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from integrations.writing import Deed
from remediation.case import Case, Row
from remediation.plans import Plan, columns

PHASE = "downstream"
NEEDS = "void"


def plan(case: Case) -> Iterator[Plan]:
    """A void for each open, unpaid invoice whose whole total is overbilled."""
    if case.signal.confidence != "exact" or not case.able(NEEDS):
        return
    for id, row in sorted(case.invoices.items()):
        if not wrong_whole(case, row):
            continue
        yield Plan(
            kind="void_invoice",
            phase=PHASE,
            integration=case.signal.integration,
            object_type="invoice",
            object_id=id,
            customer_id=row["customer_id"],
            change=f"Void invoice {id}: nothing of it should have been charged.",
            outcome="Nobody is asked to pay it, and the rule finds nothing about it.",
            risk="A voided invoice cannot be opened again.",
            deeds=(Deed("void", "invoice", id),),
            before=columns(row, "status", "amount_paid", "amount_due"),
            after={"status": "void"},
            quiet=True,
            currency=row["currency"],
            amount=row["total"],
        )


def wrong_whole(case: Case, row: Row) -> bool:
    """Whether an open invoice that nobody has paid anything of is overbilled by all that it charges."""
    if row["status"] != "open" or row["amount_paid"] or row["total"] <= 0:
        return False
    over = {f.key: f.over for f in case.about("invoice", row["invoice_id"]) if f.currency == row["currency"]}
    for finding in case.findings:
        line = case.line_of(finding)
        if line and line["invoice_id"] == row["invoice_id"] and finding.currency == row["currency"]:
            over[finding.key] = finding.over
    charged: Decimal = row["subtotal"] - row["discount_total"]
    return bool(over) and sum(over.values()) >= charged > 0
