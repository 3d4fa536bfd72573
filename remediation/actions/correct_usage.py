"""Report the difference between what was metered and what billing recorded, while the period is not billed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

from detector.signal_content import digits
from integrations.writing import Deed
from remediation.actions.correct_draft import units_of
from remediation.actions.resend_usage import OLDEST
from remediation.case import Case, Row
from remediation.plans import Plan, text
from store.action_tables import DONE
from store.operational_tables import StoredFinding

PHASE = "downstream"
NEEDS = ("report", "report_less", "record", "ingest")
"""A value above or below nothing, a usage of the item, or an event with its content, which may be less than nothing."""

CODES = {"TU-13"}
"""Faults that say that billing recorded another usage than the events come to."""


def plan(case: Case) -> Iterator[Plan]:
    """A correcting event for each item and period whose meter adds up, whose invoice is no more than a draft, and
    whose time the billing system still takes; once per item and period.
    """
    if case.signal.code not in CODES:
        return
    done = {each.object_id for each in case.actions if each.kind == "correct_usage" and each.status in DONE}
    for finding in case.findings:
        item, meter = case.items.get(finding.subject_id), case.meters.get(str(finding.evidence.get("meter_id")))
        subscription = case.subscriptions.get(item["subscription_id"]) if item else None
        delta = Decimal(units_of(finding) or 0)
        if item is None or meter is None or subscription is None or meter["aggregation"] != "sum" or not delta:
            continue
        at = _instant(case, finding)
        customer = subscription["customer_id"]
        subject = _subject(case, customer)
        id = f"{item['item_id']}@{text(finding.period_start)}"
        if at is None or subject is None or _issued(case, finding) or id in done:
            continue
        verb = _verb(case, delta, meter["value_property"])
        if verb is None:
            continue
        about = {
            "event_name": meter["event_type"],
            "customer": customer,
            "subject": subject,
            "subscription": item["subscription_id"],
            "item": item["item_id"],
            "price": item["price_id"],
            "properties": {_field(meter["value_property"]): digits(delta)} if meter["value_property"] else None,
            "value": digits(delta),
            "time": at,
        }
        yield Plan(
            kind="correct_usage",
            phase=PHASE,
            integration=case.signal.integration,
            object_type="item",
            object_id=id,
            customer_id=customer,
            change=f"Report {digits(delta)} units of {item['item_id']} for {text(finding.period_start)}, the "
            f"difference between {finding.evidence['metered']} metered and {finding.evidence['recorded']} recorded.",
            outcome="Billing counts what was metered, and the draft follows when it is worked out again.",
            risk="What is reported later, by whoever sends usage, counts on top of it: see that the sender is mended "
            "first.",
            deeds=(Deed(verb, "usage_event", f"correction-{case.signal.id}-{id}", about),),
        )


def _verb(case: Case, delta: Decimal, property: str | None) -> str | None:
    verb = "report" if delta > 0 else "report_less"
    if case.able(verb):
        return verb
    if delta > 0 and case.able("record"):
        return "record"
    return "ingest" if case.able("ingest") and property and "." not in _field(property) else None


def _field(property: str) -> str:
    return property.removeprefix("$.")


def _instant(case: Case, finding: StoredFinding) -> str | None:
    """The last instant of the period that has been, when the billing system still takes it."""
    start, end = finding.period_start, finding.period_end
    if start is None or end is None:
        return None
    at = min(end, case.signal.last_seen) - timedelta(seconds=1)
    return text(at) if at >= start and at > case.signal.last_seen - OLDEST else None


def _issued(case: Case, finding: StoredFinding) -> bool:
    """Whether an invoice with the usage is more than a draft."""
    named = [each.partition(":") for each in finding.records or ()]
    found: list[Row | None] = [case.invoices.get(id) for type, _, id in named if type == "invoice"]
    return any(row is not None and row["status"] != "draft" for row in found)


def _subject(case: Case, customer: str) -> str | None:
    """The one subject whose usage is the customer's; the customer itself where none is told apart."""
    found = case.subjects.get(customer, ())
    return customer if not found else found[0] if len(found) == 1 else None
