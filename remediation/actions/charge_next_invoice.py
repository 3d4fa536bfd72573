"""Charge with the customer's next invoice what an issued one charged too little."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from detector.signal_content import digits
from integrations.writing import Deed
from remediation.actions.correct_draft import NOT_BY_AMOUNT, units_of
from remediation.actions.sync_subscription import LIVE
from remediation.case import Case, Row
from remediation.plans import Plan, text
from store.action_tables import DONE

PHASE = "downstream"
NEEDS = "charge_next"

NOT_CHARGED_BACK = {"TU-31"}
"""Faults of which nothing is charged later, unless a contract says so: what was given stays given."""


def plan(case: Case) -> Iterator[Plan]:
    """A charge for each underbilled line of an open or paid invoice, for the line's own period; once per line.

    The alternative to `record_waiver`: as soon as one of them is decided, the other is locked.
    """
    signal = case.signal
    refused = signal.code in NOT_BY_AMOUNT | NOT_CHARGED_BACK
    if signal.confidence != "exact" or refused or not case.able(NEEDS):
        return
    charged = {each.object_id for each in case.actions if each.kind == "charge_next_invoice" and each.status in DONE}
    for finding in case.findings:
        line = case.line_of(finding)
        row = case.invoices.get(line["invoice_id"]) if line else None
        if line is None or row is None or row["status"] not in ("open", "paid") or finding.currency != row["currency"]:
            continue
        start, end = line["period_start"] or row["period_start"], line["period_end"] or row["period_end"]
        if finding.under <= 0 or finding.over or start is None or end is None or line["line_id"] in charged:
            continue
        amount, currency = digits(finding.under), row["currency"]
        about = {
            "amount": amount,
            "currency": currency,
            "customer": row["customer_id"],
            "subscription": live(case, line["subscription_id"]),
            "item": line["item_id"],
            "quantity": units_of(finding),
            "price": line["price_id"],
            "start": text(start),
            "end": text(end),
            "memo": f"Additional charge for {line['description'] or line['line_id']}",
        }
        yield Plan(
            kind="charge_next_invoice",
            phase=PHASE,
            integration=signal.integration,
            object_type="invoice_line",
            object_id=line["line_id"],
            customer_id=row["customer_id"],
            change=f"Charge {amount} {currency} with the next invoice of {row['customer_id']}, for what line "
            f"{line['line_id']} of invoice {row['invoice_id']} charged too little.",
            outcome="The charge waits for the next invoice, which has it as a line of its own for the old period.",
            risk="A customer who was told another amount may refuse it; look whether the contract allows it.",
            deeds=(Deed("charge_next", "customer", row["customer_id"], about),),
            shown=True,
            reversible=True,
            currency=currency,
            amount=finding.under,
        )


def live(case: Case, id: object) -> str | None:
    """The subscription, while it makes invoices."""
    row: Row | None = case.subscriptions.get(str(id))
    return str(id) if row is not None and row["status"] in LIVE else None


def reverse(plan: Mapping[str, Any], receipts: Sequence[Mapping[str, Any]]) -> list[Deed]:
    """Take the charge back, as long as no invoice has it."""
    pairs = zip(plan["deeds"], receipts, strict=True)
    return [
        Deed("uncharge", "customer", deed["id"], {**deed["about"], "made": receipt["id"]}) for deed, receipt in pairs
    ]
