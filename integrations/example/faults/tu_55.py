"""TU-55, top-up loop: a rule that looks at a stale balance charges again and again within minutes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import numpy as np

from integrations.example.company import Company
from integrations.example.ledgers import fault_of, grants_of, left_of, move, payment_of, rebook, spread_over_wallets
from integrations.example.records import Customer
from integrations.example.stages import Stage
from integrations.example.truth import Fault

CODE = "TU-55"
STAGE = Stage.BOOKS
NEEDS = ("prepaid_credits",)

_APART = timedelta(seconds=95)


def plant(company: Company, rng: np.random.Generator) -> Sequence[Fault]:
    """Repeat the last top-up of a rule, once, or four times within ten minutes."""
    return spread_over_wallets(company, rng, CODE, _plant_on)


def _plant_on(company: Company, customer: Customer, place: int, rng: np.random.Generator) -> Fault | None:
    rule = next((each for each in company.topup_rules if each.customer_id == customer.customer_id), None)
    grants = grants_of(company, customer)
    last = grants[-1]
    if rule is None or len(grants) < 2 or left_of(company, last) <= 0 or last.created_at + 6 * _APART > company.as_of:
        return None
    first = payment_of(company, last)
    fault = fault_of(CODE, customer, "one fall below the threshold made several charges", first.created_at)
    fault.affects("topup_rule", [rule.topup_rule_id])
    for number in range(1, 2 if place % 2 else 5):
        identity, later = company.new_id("py"), number * _APART
        payment = replace(
            first, payment_id=identity, created_at=first.created_at + later, idempotency_key=f"credits/{identity}"
        )
        company.payments.append(payment)
        grant = replace(
            last,
            grant_id=company.new_id("cg"),
            payment_id=identity,
            idempotency_key=payment.idempotency_key,
            created_at=last.created_at + later,
            effective_at=last.effective_at + later,
            expires_at=last.expires_at + later if last.expires_at else None,
        )
        company.grants[grant.grant_id] = grant
        move(company, grant, "funded", grant.amount, grant.created_at, "payments")
        fault.over += payment.amount
        fault.affects("payment", [identity])
        fault.affects("credit_grant", [grant.grant_id])
    rebook(company, customer)
    fault.shows("payment", [first.payment_id])
    return fault
