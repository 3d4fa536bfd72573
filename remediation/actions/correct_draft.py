"""Put what a line is short of, or too much by, on its draft as an adjustment of its own; or take the line off it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from detector.signal_content import digits
from integrations.writing import Deed
from remediation.case import Case, Row, net
from remediation.plans import Plan, columns, text
from store.operational_tables import StoredFinding

PHASE = "downstream"
NEEDS = ("adjust", "add", "drop")
"""Any amount; or, where that is not possible, one above nothing, and a line of which nothing is right."""

NOT_BY_AMOUNT = {"TU-34", "TU-36", "TU-58", "TU-62", "TU-63"}
"""Faults of which an amount on a line is no repair: sums, currency, credits, tax."""


def plan(case: Case) -> Iterator[Plan]:
    """An adjustment for each line on a draft whose right amount the rule worked out exactly.

    A line whose own amount can be set is left to `edit_draft_line`.
    """
    signal = case.signal
    if signal.confidence != "exact" or signal.code in NOT_BY_AMOUNT:
        return
    for finding in case.findings:
        line, amount = case.line_of(finding), net(finding)
        row = case.invoices.get(line["invoice_id"]) if line else None
        if line is None or row is None or row["status"] != "draft" or not amount:
            continue
        start, end = line["period_start"] or row["period_start"], line["period_end"] or row["period_end"]
        if any(each.startswith("reported_usage:") for each in finding.records or ()):
            continue  # what is wrong is a record of usage, and stays wrong whatever the line says: see correct_usage
        verb = verb_for(case, line, amount)
        if finding.currency != row["currency"] or start is None or end is None or verb is None:
            continue
        about = {
            "amount": digits(amount),
            "currency": row["currency"],
            "customer": row["customer_id"],
            "item": line["item_id"],
            "quantity": units_of(finding),
            "subscription": line["subscription_id"],
            "price": line["price_id"],
            "line": line["line_id"],
            "start": text(start),
            "end": text(end),
            "memo": f"Correction of {line['description'] or line['line_id']}",
        }
        yield Plan(
            kind="correct_draft",
            phase=PHASE,
            integration=signal.integration,
            object_type="invoice_line",
            object_id=line["line_id"],
            customer_id=row["customer_id"],
            change=f"Take line {line['line_id']} of {digits(line['amount'])} {row['currency']} off the draft "
            f"{row['invoice_id']}."
            if verb == "drop"
            else f"Add {digits(amount)} {row['currency']} to the draft {row['invoice_id']}, "
            f"beside its line {line['line_id']}.",
            outcome=f"The draft's total is {digits(row['total'] + amount)} {row['currency']} instead of "
            f"{digits(row['total'])}, and the rule finds nothing about the line.",
            risk="The next draft is as wrong as this one was while the cause is not repaired.",
            deeds=(Deed(verb, "invoice", row["invoice_id"], about),),
            before=columns(row, "status", "total"),
            after={"status": "draft", "total": text(row["total"] + amount)},
            quiet=True,
            reversible=verb != "drop",
            currency=row["currency"],
            amount=abs(amount),
        )


def units_of(finding: StoredFinding) -> str | None:
    """The units that a finding says are missing, or too many, where it is about an item's units, not a line's money."""
    said = finding.evidence
    if finding.subject_type != "item" or said.get("metered") is None or said.get("recorded") is None:
        return None
    return digits(Decimal(str(said["metered"])) - Decimal(str(said["recorded"])))


def verb_for(case: Case, line: Row, amount: Decimal) -> str | None:
    """What the billing system offers to put a line right by an amount; None for nothing."""
    if case.able("edit_line") and line["kind"] == "one_time" and line["item_id"] is None:
        return None
    if case.able("adjust"):
        return "adjust"
    whole = amount == -line["amount"] and not line["discount_amount"] and not line["tax_amount"]
    if amount < 0:
        return "drop" if whole and case.able("drop") else None
    return "add" if case.able("add") else None


def reverse(plan: Mapping[str, Any], receipts: Sequence[Mapping[str, Any]]) -> list[Deed]:
    """Take the adjustment off the draft again."""
    pairs = zip(plan["deeds"], receipts, strict=True)
    return [Deed("unadjust", "invoice", deed["id"], {"made": receipt["id"]}) for deed, receipt in pairs]
