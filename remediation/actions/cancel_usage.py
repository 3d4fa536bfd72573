"""Take reported usage back that should never have counted, while the billing system still allows it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from integrations.writing import Deed
from remediation.actions.resend_usage import MOST
from remediation.case import Case
from remediation.plans import Plan

PHASE = "downstream"
NEEDS = "unreport"

CODES = {"TU-01"}
"""Faults that say which events are too many."""

YOUNGEST = timedelta(hours=23)
"""How long after it was received an event can be taken back: Stripe allows it for 24 hours."""


def plan(case: Case) -> Iterator[Plan]:
    """A withdrawal of the surplus events of each customer that are young enough, each by its own id."""
    if case.signal.code not in CODES or not case.able(NEEDS):
        return
    oldest = case.signal.last_seen - YOUNGEST
    for customer in case.customers:
        own = [each.entity_id for each in case.affected("usage_event") if each.customer_id == customer]
        held = [case.events[id] for id in own if id in case.events]
        rows = [row for row in held if row["status"] == "accepted" and row["received_at"] > oldest][:MOST]
        if not rows:
            continue
        left = len(own) - len(rows)
        yield Plan(
            kind="cancel_usage",
            phase=PHASE,
            integration=case.signal.integration,
            object_type="customer",
            object_id=customer,
            customer_id=customer,
            change=f"Take {len(rows)} surplus events of {customer} back, each by its own id"
            + (f"; {left} others are too old or too many, and stay." if left > 0 else "."),
            outcome="Billing does not count them; an invoice that is still a draft follows.",
            risk="Usage that was taken back can only be reported anew; where the sender gives other ids, billing "
            "refuses and nothing is changed.",
            deeds=tuple(Deed("unreport", "usage_event", row["event_id"], {"event_name": row["event_type"]})
                        for row in rows),
        )  # fmt: skip
