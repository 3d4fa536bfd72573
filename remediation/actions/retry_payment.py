"""Try once more to collect an invoice whose retries are exhausted, where there is a payment method to charge."""

from __future__ import annotations

from collections.abc import Iterator

from integrations.writing import Deed
from remediation.case import Case
from remediation.plans import Plan, columns

PHASE = "downstream"
NEEDS = "pay"

CODES = {"TU-59"}


def plan(case: Case) -> Iterator[Plan]:
    """One more try for each open invoice that nothing will try again."""
    if case.signal.code not in CODES or not case.able(NEEDS):
        return
    for entity in case.affected("invoice"):
        row = case.invoices.get(entity.entity_id)
        if row is None or row["status"] != "open" or row["amount_due"] <= 0:
            continue
        if row["next_attempt_at"] is not None or row["customer_id"] not in case.payable:
            continue
        yield Plan(
            kind="retry_payment",
            phase=PHASE,
            integration=case.signal.integration,
            object_type="invoice",
            object_id=entity.entity_id,
            customer_id=row["customer_id"],
            change=f"Try to collect invoice {entity.entity_id} once more, on the payment method that is there now.",
            outcome="The invoice is paid, and the rule finds nothing about it.",
            risk="A charge cannot be taken back, only refunded; too many tries count against the card.",
            deeds=(Deed("pay", "invoice", entity.entity_id),),
            before=columns(row, "status", "amount_due"),
            after={"status": "paid"},
            quiet=True,
            currency=row["currency"],
            amount=row["amount_due"],
        )
