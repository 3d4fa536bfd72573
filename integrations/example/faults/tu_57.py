"""TU-57, negative balance: usage was let through although the credit was used up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np

from billing.money import round_money
from integrations.example.company import Company
from integrations.example.ledgers import (
    fault_of,
    grants_of,
    largest_line,
    ledger_of,
    move,
    rebook,
    spread_over_wallets,
)
from integrations.example.records import Customer
from integrations.example.stages import Stage
from integrations.example.truth import Fault

CODE = "TU-57"
STAGE = Stage.BOOKS
NEEDS = ("prepaid_credits",)


def plant(company: Company, rng: np.random.Generator) -> Sequence[Fault]:
    """Book late usage of a line beyond what is left of the credit, at once or in two steps."""
    return spread_over_wallets(company, rng, CODE, _plant_on)


def _plant_on(company: Company, customer: Customer, place: int, rng: np.random.Generator) -> Fault | None:
    at = max(each.booked_at for each in ledger_of(company, customer)) + timedelta(minutes=30)
    invoices = [each for each in company.invoices_of(customer.customer_id) if each.total > 0]
    balance = customer.credit_balance
    ruled = any(each.customer_id == customer.customer_id for each in company.topup_rules)
    if at + timedelta(minutes=10) > company.as_of or balance is None or ruled:
        return None
    _warn(company, customer, at)
    grant, line = grants_of(company, customer)[-1], largest_line(company, invoices[-1])
    beyond = round_money(grant.amount / 8, customer.currency)
    parts = [balance + beyond] if place % 2 == 0 else [balance + beyond, beyond]
    spent = [
        move(company, grant, "consumed", -part, at + step * timedelta(minutes=5), "billing", line.line_id)
        for step, part in enumerate(parts)
    ]
    for each in spent:
        each.grant_id = None
    rebook(company, customer)
    fault = fault_of(CODE, customer, "late usage was booked beyond the credit", at)
    fault.under = -(customer.credit_balance or balance)
    fault.affects("credit_movement", [each.movement_id for each in spent])
    fault.shows("invoice_line", [line.line_id])
    fault.shows("invoice", [line.invoice_id])
    return fault


def _warn(company: Company, customer: Customer, at: datetime) -> None:
    """The alert that the fall brings, where the balance was above its threshold."""
    sent = [each for each in company.alerts if each.customer_id == customer.customer_id]
    if sent:
        company.alerts.append(replace(sent[-1], alert_id=company.new_id("al"), sent_at=at + timedelta(seconds=20)))
