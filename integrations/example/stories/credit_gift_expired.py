"""Goodwill credit for something that the customer never used: it expired as it should."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import numpy as np

from billing.money import round_money
from integrations.example.company import Company
from integrations.example.ledgers import give, grants_of, move, rebook
from integrations.example.records import Customer
from integrations.example.stages import Stage
from integrations.example.truth import Lookalike

STAGE = Stage.BOOKS

_DAY = timedelta(days=1)
_CODES = ("TU-50", "TU-51", "TU-53", "TU-54", "TU-58")


def plant(company: Company, rng: np.random.Generator) -> Sequence[Lookalike]:
    """Give such credit to one in eight of the customers who prepay."""
    prepaid = [each for each in company.customers.values() if company.told.get(each.customer_id) == "prepaid_credits"]
    chosen = [each for each in prepaid[0::8] if grants_of(company, each)]
    return [_gift(company, each) for each in chosen]


def _gift(company: Company, customer: Customer) -> Lookalike:
    """Credit for an add-on that the customer never used: it may pay for nothing else, and expired as it should."""
    start = company.as_of - 70 * _DAY
    amount = round_money(grants_of(company, customer)[-1].amount / 50, customer.currency)
    grant = give(company, customer, amount, start, start + 30 * _DAY, ["price_of_an_add_on"])
    ended = move(company, grant, "expired", -amount, start + 30 * _DAY + timedelta(hours=4), "expiry")
    grant.status = "expired"
    rebook(company, customer)
    return Lookalike(
        "goodwill credit that expired unused",
        customer.customer_id,
        _CODES,
        (("credit_grant", grant.grant_id), ("credit_movement", ended.movement_id)),
        "it was for an add-on only, and the expiry job runs at night",
    )
