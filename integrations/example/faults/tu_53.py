"""TU-53, credit that nobody paid for: granted twice for one payment, with the bonus twice, or after a refund."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import numpy as np

from billing.money import round_money
from integrations.example.company import Company
from integrations.example.credit_records import Grant, Movement
from integrations.example.ledgers import (
    fault_of,
    grants_of,
    ledger_of,
    left_of,
    move,
    payment_of,
    rebook,
    spread_over_wallets,
)
from integrations.example.records import Customer
from integrations.example.stages import Stage
from integrations.example.truth import Fault

CODE = "TU-53"
STAGE = Stage.BOOKS
NEEDS = ("prepaid_credits",)

_REPLAYED_AFTER = timedelta(seconds=41)


def plant(company: Company, rng: np.random.Generator) -> Sequence[Fault]:
    """Let the last package that a customer bought be worth more than was paid for it."""
    return spread_over_wallets(company, rng, CODE, _plant_on)


def _plant_on(company: Company, customer: Customer, place: int, rng: np.random.Generator) -> Fault | None:
    grant = grants_of(company, customer)[-1]
    funded = next(each for each in ledger_of(company, customer) if each.grant_id == grant.grant_id)
    if left_of(company, grant) <= 0 or grant.status != "active" or funded.booked_at + _REPLAYED_AFTER > company.as_of:
        return None
    fault = (_grant_twice, _bonus_twice, _refund)[place % 3](company, customer, grant, funded)
    fault.shows("customer", [customer.customer_id])
    fault.shows("payment", [payment_of(company, grant).payment_id])
    fault.shows("credit_grant", [grant.grant_id])
    return fault


def _grant_twice(company: Company, customer: Customer, grant: Grant, funded: Movement) -> Fault:
    at = funded.booked_at + _REPLAYED_AFTER
    again = replace(grant, grant_id=company.new_id("cg"), created_at=at)
    company.grants[again.grant_id] = again
    extra = move(company, again, "funded", grant.amount, at, "payments")
    rebook(company, customer)
    fault = fault_of(CODE, customer, "the webhook of one payment was handled twice", funded.booked_at)
    fault.under = grant.amount
    fault.affects("credit_grant", [again.grant_id])
    fault.affects("credit_movement", [extra.movement_id])
    return fault


def _bonus_twice(company: Company, customer: Customer, grant: Grant, funded: Movement) -> Fault:
    bonus = round_money(grant.amount / Decimal(11), grant.currency)
    grant.amount += bonus
    funded.amount += bonus
    rebook(company, customer)
    fault = fault_of(CODE, customer, f"a bonus of {bonus} was added twice", funded.booked_at)
    fault.under = bonus
    fault.affects("credit_grant", [grant.grant_id])
    fault.affects("credit_movement", [funded.movement_id])
    return fault


def _refund(company: Company, customer: Customer, grant: Grant, funded: Movement) -> Fault:
    payment = payment_of(company, grant)
    payment.status, payment.amount_refunded = "refunded", payment.amount
    fault = fault_of(CODE, customer, "the payment was refunded and the credit stayed", funded.booked_at)
    fault.under = grant.amount
    fault.affects("credit_grant", [grant.grant_id])
    fault.affects("payment", [payment.payment_id])
    return fault
