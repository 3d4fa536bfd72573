"""Report usage again that was refused, event by event under its own id, so that none counts twice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta

from integrations.writing import Deed
from remediation.case import Case, Row
from remediation.plans import Plan, text

PHASE = "downstream"
NEEDS = ("report", "ingest")
"""A value; or, where that is not possible, the event with its content."""

CODES = {"TU-03"}
"""Faults that say that usage was refused."""

OLDEST = timedelta(days=34)
"""How old an event may be: Stripe takes what is at most 35 days old."""

MOST = 100
"""Events of one action."""


def plan(case: Case) -> Iterator[Plan]:
    """A report of the refused events of each customer whose events carry their value and are young enough."""
    verb = next((verb for verb in NEEDS if case.able(verb)), None)
    if case.signal.code not in CODES or verb is None:
        return
    oldest = case.signal.last_seen - OLDEST
    for customer in case.customers:
        own = [each.entity_id for each in case.affected("usage_event") if each.customer_id == customer]
        rows = [row for id in own if (row := case.events.get(id)) and _can_be_sent(row, verb) and row["time"] > oldest][
            :MOST
        ]
        if not rows:
            continue
        left = len(own) - len(rows)
        yield Plan(
            kind="resend_usage",
            phase=PHASE,
            integration=case.signal.integration,
            object_type="customer",
            object_id=customer,
            customer_id=customer,
            change=f"Report {len(rows)} refused events of {customer} again, each under its own id"
            + (f"; {left} others are too old, have no value or are too many, and stay out." if left > 0 else "."),
            outcome="Billing counts them, and the rule finds nothing about them once it has them.",
            risk="Billing cannot take a reported event back after a day; what refused them may do so again.",
            deeds=tuple(_deed(row, customer, verb) for row in rows),
            quiet=True,
        )


def content(properties: object) -> object:
    """The properties of an event, which the books hold as JSON."""
    return json.loads(properties) if isinstance(properties, str) else properties


def _can_be_sent(row: Row, verb: str) -> bool:
    return bool(row["status"] == "rejected" and row["value" if verb == "report" else "properties"] is not None)


def _deed(row: Row, customer: str, verb: str) -> Deed:
    about = {
        "event_name": row["event_type"],
        "customer": customer,
        "subject": row["subject"],
        "properties": content(row["properties"]),
        "value": text(row["value"]),
        "time": text(row["time"]),
    }
    return Deed(verb, "usage_event", row["event_id"], about)
