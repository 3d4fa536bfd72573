"""A customer that added seats in the product and took them away again the same day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np

from integrations.example.company import Company
from integrations.example.picking import anyone, some
from integrations.example.records import Customer, Provisioned
from integrations.example.stages import Stage
from integrations.example.truth import Lookalike

STAGE = Stage.BOOKS


def plant(company: Company, rng: np.random.Generator) -> Sequence[Lookalike]:
    """Let the product tell of two seats more for some hours, three days before `as_of`."""
    told = {each.customer_id: each for each in company.provisioned if each.quantity is not None}

    def suitable(customer: Customer) -> bool:
        word = told.get(customer.customer_id)
        return word is not None and company.as_of - company.items[word.item_id or ""].active_from > timedelta(days=9)

    found = []
    for customer in anyone(company, rng, some(company, 0.005), suitable):
        word = told[customer.customer_id]
        tried = company.as_of - timedelta(days=3)
        for hours, more in ((0, 0), (1, 2), (7, 0)):
            company.provisioned.append(_again(company, word, tried + timedelta(hours=hours), Decimal(more)))
        found.append(
            Lookalike(
                "seats that were added and taken away",
                customer.customer_id,
                ("TU-30", "TU-44"),
                (("item", word.item_id or ""),),
                "product and billing agree again after some hours",
            )
        )
    return found


def _again(company: Company, word: Provisioned, at: datetime, more: Decimal) -> Provisioned:
    quantity = (word.quantity or Decimal(0)) + more
    return replace(word, provision_id=company.new_id("pv"), as_of=at, quantity=quantity)
