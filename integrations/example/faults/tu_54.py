"""TU-54, paid and not granted: the event of a payment was dropped, or its handler stopped half way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import numpy as np

from integrations.example.company import Company
from integrations.example.ledgers import fault_of, grants_of, payment_of, spread_over_wallets
from integrations.example.records import Customer
from integrations.example.stages import Stage
from integrations.example.truth import Fault

CODE = "TU-54"
STAGE = Stage.BOOKS
NEEDS = ("prepaid_credits",)

_AGO = timedelta(days=3, hours=4)


def plant(company: Company, rng: np.random.Generator) -> Sequence[Fault]:
    """Let customers pay once more for their package, and get nothing or a grant that never becomes active."""
    return spread_over_wallets(company, rng, CODE, _plant_on)


def _plant_on(company: Company, customer: Customer, place: int, rng: np.random.Generator) -> Fault | None:
    grant = grants_of(company, customer)[-1]
    at = company.as_of - _AGO
    if grant.created_at > at:
        return None
    identity = company.new_id("py")
    paid = replace(
        payment_of(company, grant), payment_id=identity, created_at=at, idempotency_key=f"credits/{identity}"
    )
    company.payments.append(paid)
    fault = fault_of(CODE, customer, f"{paid.amount} was paid for credit that was not granted", at)
    fault.cause = ("integration", "stripe")
    fault.over = paid.amount
    fault.affects("payment", [identity])
    fault.shows("customer", [customer.customer_id])
    if place % 2:
        waiting = replace(
            grant,
            grant_id=company.new_id("cg"),
            payment_id=identity,
            idempotency_key=paid.idempotency_key,
            created_at=at + timedelta(seconds=3),
            effective_at=at + timedelta(seconds=3),
            status="pending",
        )
        company.grants[waiting.grant_id] = waiting
        fault.affects("credit_grant", [waiting.grant_id])
    return fault
