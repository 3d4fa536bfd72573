"""TU-24, left on the old version: a move to the plan's next version was agreed, and the job missed the customer."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import numpy as np

from integrations.example.candidates import spread
from integrations.example.changes import first_subscription
from integrations.example.company import Company
from integrations.example.records import Customer, PlanMigration
from integrations.example.stages import Stage
from integrations.example.truth import Fault
from integrations.example.versions import amount_on_second, lines_since, renewals

CODE = "TU-24"
STAGE = Stage.LINES


def plant(company: Company, rng: np.random.Generator) -> Sequence[Fault]:
    """Agree on the second version of growth with a customer, and leave everything as it was."""
    return spread(company, rng, CODE, _plant_on)


def _plant_on(company: Company, customer: Customer, place: int, rng: np.random.Generator) -> Fault | None:
    ends = renewals(company, customer)
    if not ends:
        return None
    at = ends[-2:][0] if place % 2 == 0 else ends[-1]
    subscription = first_subscription(company, customer)
    lines = lines_since(company, subscription, at)
    if not lines:
        return None
    company.migrations.append(PlanMigration(company.new_id("pm"), "growth", 1, 2, customer.customer_id, at))
    fault = Fault(
        CODE,
        ("plan", subscription.plan_id),
        customer.customer_id,
        customer.currency,
        f"the second version was agreed from {at:%d %b %Y} on",
        at,
        max(line.period_end for line in lines),
    )
    for line in lines:
        off = amount_on_second(company, line) - line.amount
        fault.under += max(off, Decimal(0))
        fault.over += max(-off, Decimal(0))
        fault.affects("invoice_line", [line.line_id])
        fault.affects("invoice", [line.invoice_id])
        fault.affects("item", [line.item_id or ""])
    fault.affects("subscription", [subscription.subscription_id])
    fault.shows("customer", [customer.customer_id])
    return fault
