"""Credit what an issued invoice charges too much."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from detector.signal_content import digits
from integrations.writing import Deed
from remediation.actions.correct_draft import NOT_BY_AMOUNT
from remediation.actions.void_invoice import wrong_whole
from remediation.case import Case
from remediation.plans import Plan, columns, text

PHASE = "downstream"
NEEDS = "credit"


def plan(case: Case) -> Iterator[Plan]:
    """A credit note for each overbilled line of an open or paid invoice, as far as the invoice has that much left.

    Where nothing of an unpaid invoice is right it is voided instead.
    """
    signal = case.signal
    if signal.confidence != "exact" or signal.code in NOT_BY_AMOUNT or not case.able(NEEDS):
        return
    for finding in case.findings:
        line = case.line_of(finding)
        row = case.invoices.get(line["invoice_id"]) if line else None
        if line is None or row is None or row["status"] not in ("open", "paid") or finding.currency != row["currency"]:
            continue
        paid = row["status"] == "paid"
        left: Decimal = row["amount_paid"] if paid else row["amount_due"]
        if not 0 < finding.over <= min(left, line["amount"]) or wrong_whole(case, row):
            continue
        amount, currency = digits(finding.over), row["currency"]
        about = {"amount": amount, "currency": currency, "line": line["line_id"], "paid": paid}
        yield Plan(
            kind="credit_note",
            phase=PHASE,
            integration=signal.integration,
            object_type="invoice_line",
            object_id=line["line_id"],
            customer_id=row["customer_id"],
            change=f"Credit {amount} {currency} of line {line['line_id']} on invoice {row['invoice_id']}, "
            + ("as credit for the customer's next invoice." if paid else "off what is still due."),
            outcome=f"The line is charged {digits(line['amount'] - finding.over)} {currency} net, "
            "and the rule finds nothing about it.",
            risk="A credit note cannot be taken back once the customer has used it.",
            deeds=(Deed("credit", "invoice", row["invoice_id"], {**about, "memo": signal.title[:120]}),),
            before=columns(row, "status", "amount_due"),
            after={} if paid else {"amount_due": text(row["amount_due"] - finding.over)},
            quiet=True,
            currency=currency,
            amount=finding.over,
        )
