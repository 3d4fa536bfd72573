"""TU-43, a scheduled change that was not executed: an end, a trial's end or a change of plan that billing never saw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import numpy as np

from integrations.example.candidates import spread
from integrations.example.catalogue import MONTHLY
from integrations.example.changes import first_subscription, months
from integrations.example.company import Company
from integrations.example.ending import involve, involve_line
from integrations.example.picking import planned
from integrations.example.records import Customer, Item, Line, Subscription
from integrations.example.stages import Stage
from integrations.example.truth import Fault

CODE = "TU-43"
STAGE = Stage.LINES
NEEDS = ("trial_converted", "upgraded_at_period_end")

_SETTLED = timedelta(days=3)


def plant(company: Company, rng: np.random.Generator) -> Sequence[Fault]:
    """Let an end that was agreed pass, leave a trial running, and go on with the fee of the plan before."""
    count = planned(company)
    ends = spread(company, rng, CODE, _miss_end, -(-count // 3))
    trials = spread(company, rng, CODE, _miss_start, (count - len(ends) + 1) // 2)
    return [*ends, *trials, *spread(company, rng, CODE, _miss_change, count - len(ends) - len(trials))]


def _miss_end(company: Company, customer: Customer, place: int, rng: np.random.Generator) -> Fault | None:
    subscription = first_subscription(company, customer)
    past = months(company, subscription)
    plain = customer.customer_id not in company.told and subscription.cadence == MONTHLY
    if not plain or len(past) < 4 or subscription.status != "active":
        return None
    subscription.cancel_at = past[-2].end
    subscription.canceled_at = past[-2].start + timedelta(days=9, seconds=4211)
    fault = _fault(company, subscription, f"the end of {past[-2].end:%d %b %Y} was not carried out")
    fault.period_start = fault.period_end = past[-2].end
    for line in _lines(company, subscription):
        if line.period_start >= past[-2].end:
            fault.over += line.net
            involve_line(company, fault, line)
    return fault if fault.over else None


def _miss_start(company: Company, customer: Customer, place: int, rng: np.random.Generator) -> Fault | None:
    subscription = first_subscription(company, customer)
    invoices = [
        i for i in company.invoices_of(customer.customer_id) if i.subscription_id == subscription.subscription_id
    ]
    settled = bool(invoices) and invoices[-1].created_at < company.as_of - _SETTLED
    if company.told.get(customer.customer_id) != "trial_converted" or not settled or not subscription.trial_end:
        return None
    subscription.status = "trialing"
    fault = _fault(company, subscription, f"the trial that ended on {subscription.trial_end:%d %b %Y} goes on")
    fault.period_start = fault.period_end = subscription.trial_end
    fault.under = sum((line.net for line in _lines(company, subscription)), Decimal(0))
    for item in company.items_of(subscription.subscription_id):
        involve(company, fault, item)
    for invoice in invoices:
        company.remove_invoice(invoice)
    return fault


def _miss_change(company: Company, customer: Customer, place: int, rng: np.random.Generator) -> Fault | None:
    subscription = first_subscription(company, customer)
    if company.told.get(customer.customer_id) != "upgraded_at_period_end":
        return None
    old, new = _fees(company, subscription)
    fault = _fault(company, subscription, "the fee of the plan before is still charged")
    last = [line for line in _lines(company, subscription) if line.item_id == old.item_id][-1]
    for line in [line for line in _lines(company, subscription) if line.item_id == new.item_id]:
        stale = replace(
            last,
            line_id=line.line_id,
            invoice_id=line.invoice_id,
            period_start=line.period_start,
            period_end=line.period_end,
        )
        company.remove_line(line)
        company.add_line(stale)
        fault.under += line.net - stale.net
        fault.period_start, fault.period_end = fault.period_start or line.period_start, line.period_end
        involve_line(company, fault, stale)
        involve(company, fault, new)
    return fault if fault.under else None


def _fees(company: Company, subscription: Subscription) -> tuple[Item, Item]:
    """The fee of the plan before and that of the plan now."""
    fees = [item for item in company.items_of(subscription.subscription_id) if company.price_of(item).model == "flat"]
    old, new = sorted(fees, key=lambda item: item.active_from)[:2]
    return old, new


def _lines(company: Company, subscription: Subscription) -> list[Line]:
    """What the subscription was billed, oldest first."""
    lines = [line for line in company.lines.values() if line.subscription_id == subscription.subscription_id]
    return sorted(lines, key=lambda line: line.period_start)


def _fault(company: Company, subscription: Subscription, note: str) -> Fault:
    fault = Fault(CODE, ("integration", "stripe"), subscription.customer_id, subscription.currency, note)
    fault.affects("subscription", [subscription.subscription_id])
    return fault
