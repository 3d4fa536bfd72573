"""TU-50, expired credit: spent after its end, expired twice, or still there because the expiry job did not run."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import numpy as np

from billing.money import round_money
from integrations.example.company import Company
from integrations.example.credit_records import Movement
from integrations.example.ledgers import (
    covered_last,
    fault_of,
    give,
    grants_of,
    move,
    quiet_before,
    rebook,
    spent_on,
    spread_over_wallets,
)
from integrations.example.records import Customer
from integrations.example.stages import Stage
from integrations.example.truth import Fault

CODE = "TU-50"
STAGE = Stage.BOOKS
NEEDS = ("prepaid_credits",)

_DAY = timedelta(days=1)


def plant(company: Company, rng: np.random.Generator) -> Sequence[Fault]:
    """Give goodwill credit that ends soon, and let its end go wrong."""
    return spread_over_wallets(company, rng, CODE, _plant_on)


def _plant_on(company: Company, customer: Customer, place: int, rng: np.random.Generator) -> Fault | None:
    return (_spent_late, _still_there, _expired_twice)[place % 3](company, customer)


def _spent_late(company: Company, customer: Customer) -> Fault | None:
    """Pay a part of the last invoice from credit that ended two days before."""
    invoice = covered_last(company, customer)
    if invoice is None:
        return None
    spent: Movement = max(spent_on(company, invoice), key=lambda each: -each.amount)
    amount, at = round_money(-spent.amount / 4, customer.currency), spent.booked_at
    if amount <= 0 or not quiet_before(company, customer, at, 12):
        return None
    grant = give(company, customer, amount, at - 10 * _DAY, at - 2 * _DAY, _prices_of(company, spent))
    late = move(company, grant, "consumed", -amount, at, "billing", spent.line_id)
    spent.amount += amount
    rebook(company, customer)
    fault = fault_of(CODE, customer, f"{amount} of credit was spent two days after its end", at - 2 * _DAY)
    fault.under = amount
    fault.affects("credit_grant", [grant.grant_id])
    fault.affects("credit_movement", [late.movement_id])
    fault.shows("invoice", [invoice.invoice_id])
    return fault


def _prices_of(company: Company, movement: Movement) -> list[str]:
    return [company.lines[movement.line_id or ""].price_id or ""]


def _still_there(company: Company, customer: Customer) -> Fault | None:
    """Let credit that ended three weeks ago stay on the ledger; it was for an add-on."""
    amount = round_money(grants_of(company, customer)[-1].amount / 10, customer.currency)
    start = company.as_of - 60 * _DAY
    warned = any(each.customer_id == customer.customer_id and each.sent_at > start for each in company.alerts)
    if warned or amount > (customer.credit_balance or 0):
        return None
    grant = give(company, customer, amount, start, start + 40 * _DAY, ["price_of_an_add_on"])
    rebook(company, customer)
    fault = fault_of(CODE, customer, f"{amount} of credit is still there after its end", start + 40 * _DAY)
    fault.exposure = amount
    fault.affects("credit_grant", [grant.grant_id])
    return fault


def _expired_twice(company: Company, customer: Customer) -> Fault | None:
    watched = {each.customer_id for each in company.alerts} | {each.customer_id for each in company.topup_rules}
    fault = None if customer.customer_id in watched else _still_there(company, customer)
    if fault is None:
        return None
    grant = grants_of(company, customer)[-1]
    ended = [
        move(company, grant, "expired", -grant.amount, (grant.expires_at or company.as_of) + hour, "expiry")
        for hour in (timedelta(0), timedelta(hours=1))
    ]
    grant.status = "expired"
    rebook(company, customer)
    fault.note, fault.exposure, fault.over = "the same credit expired twice", fault.under, grant.amount
    fault.affects("credit_movement", [each.movement_id for each in ended])
    return fault
