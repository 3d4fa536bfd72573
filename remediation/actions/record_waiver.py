"""Write down that what was charged too little on issued invoices is not charged later, and who decided that."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from detector.signal_content import digits
from remediation.case import Case
from remediation.plans import Plan

PHASE = "downstream"


def plan(case: Case) -> Iterator[Plan]:
    """A waiver per currency of what is underbilled on invoices that are issued; the alternative to charging it."""
    missing: dict[str, Decimal] = {}
    for finding in case.findings:
        line = case.line_of(finding)
        row = case.invoices.get(line["invoice_id"]) if line else None
        if row is not None and row["status"] in ("open", "paid") and finding.currency and finding.under > 0:
            missing[finding.currency] = missing.get(finding.currency, Decimal(0)) + finding.under
    for currency, amount in sorted(missing.items()):
        yield Plan(
            kind="record_waiver",
            phase=PHASE,
            object_type=case.signal.cause_type,
            object_id=f"{case.signal.cause_id}#{currency}",
            change=f"Decide that {digits(amount)} {currency} on issued invoices are not charged later, and say why.",
            outcome="The decision is on record with its amount; nothing is charged.",
            risk="The amount is written off.",
            currency=currency,
            amount=amount,
            note={"system": "trueup"},
        )
