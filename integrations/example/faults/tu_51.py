"""TU-51, wrong burn order: credit that ends soon was passed over, or credit for one thing paid for another."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import numpy as np

from billing.money import round_money
from integrations.example.company import Company
from integrations.example.ledgers import (
    covered_last,
    fault_of,
    give,
    move,
    quiet_before,
    rebook,
    spent_on,
    spread_over_wallets,
)
from integrations.example.records import Customer
from integrations.example.stages import Stage
from integrations.example.truth import Fault

CODE = "TU-51"
STAGE = Stage.BOOKS
NEEDS = ("prepaid_credits",)

_DAY = timedelta(days=1)


def plant(company: Company, rng: np.random.Generator) -> Sequence[Fault]:
    """Give goodwill credit shortly before the last invoice, and let it be spent wrongly."""
    return spread_over_wallets(company, rng, CODE, _plant_on)


def _plant_on(company: Company, customer: Customer, place: int, rng: np.random.Generator) -> Fault | None:
    invoice = covered_last(company, customer)
    if invoice is None:
        return None
    spent = max(spent_on(company, invoice), key=lambda each: -each.amount)
    amount, at = round_money(-spent.amount / 4, customer.currency), spent.booked_at
    if amount <= 0 or not quiet_before(company, customer, at, 12):
        return None
    line = company.lines[spent.line_id or ""]
    passed_over = place % 2 == 0
    features = [line.price_id or ""] if passed_over else ["price_of_an_add_on"]
    grant = give(company, customer, amount, at - 10 * _DAY, at + 20 * _DAY, features)
    note = (
        f"{amount} that ends soon was passed over" if passed_over else f"{amount} for an add-on paid for another thing"
    )
    fault = fault_of(CODE, customer, note, at)
    if passed_over:
        fault.affects("credit_movement", [spent.movement_id])
    else:
        wrong = move(company, grant, "consumed", -amount, at, "billing", spent.line_id)
        spent.amount += amount
        fault.under = amount
        fault.affects("credit_movement", [wrong.movement_id])
    ends = at + 20 * _DAY
    if passed_over and ends <= company.as_of:
        move(company, grant, "expired", -amount, ends, "expiry")
        grant.status, fault.over = "expired", amount
    elif passed_over:
        fault.exposure = amount
    rebook(company, customer)
    fault.affects("credit_grant", [grant.grant_id])
    fault.shows("invoice_line", [line.line_id])
    return fault
