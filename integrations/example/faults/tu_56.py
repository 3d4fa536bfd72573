"""TU-56, top-up missed: the balance fell below the threshold, and the rule or the alert did not fire."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import numpy as np

from integrations.example.company import Company
from integrations.example.credit_records import Movement
from integrations.example.ledgers import fault_of, grants_of, ledger_of, payment_of, rebook, spread_over_wallets
from integrations.example.records import Customer
from integrations.example.stages import Stage
from integrations.example.truth import Fault

CODE = "TU-56"
STAGE = Stage.BOOKS
NEEDS = ("prepaid_credits",)

_SOON = timedelta(minutes=5)


def plant(company: Company, rng: np.random.Generator) -> Sequence[Fault]:
    """Take back what the last fall below the threshold brought: the top-up and the alert, or the alert alone."""
    return spread_over_wallets(company, rng, CODE, _plant_on)


def _plant_on(company: Company, customer: Customer, place: int, rng: np.random.Generator) -> Fault | None:
    alerts = [each for each in company.alerts if each.customer_id == customer.customer_id]
    rule = next((each for each in company.topup_rules if each.customer_id == customer.customer_id), None)
    ledger = ledger_of(company, customer)
    if not alerts or (rule is None and len(alerts) < 2):
        return None
    alert = alerts[-1]
    threshold = alert.threshold or 0
    falls = [
        each
        for each in ledger
        if each.booked_at < alert.sent_at and each.balance_before >= threshold > each.balance_after
    ]
    if not falls or falls[-1].booked_at + _SOON > company.as_of:
        return None
    fall = falls[-1]
    if rule is not None and not _undo_topup(company, customer, ledger, fall):
        return None
    company.alerts.remove(alert)
    what = "no top-up was charged" if rule else "nobody was told"
    fault = fault_of(CODE, customer, f"the balance fell below {threshold} and {what}", fall.booked_at)
    fault.exposure = rule.amount if rule else threshold - fall.balance_after
    fault.affects("credit_movement", [fall.movement_id])
    fault.affects("topup_rule", [rule.topup_rule_id] if rule else [])
    return fault


def _undo_topup(company: Company, customer: Customer, ledger: list[Movement], fall: Movement) -> bool:
    """Take back the last package, if it followed the fall and nothing of it is spent."""
    grant = grants_of(company, customer)[-1]
    booked = [each for each in ledger if each.grant_id == grant.grant_id]
    if len(booked) != 1 or not fall.booked_at < grant.created_at < fall.booked_at + _SOON:
        return False
    company.movements.remove(booked[0])
    company.payments.remove(payment_of(company, grant))
    del company.grants[grant.grant_id]
    rebook(company, customer)
    return True
