"""TU-52, ledger imbalance: a balance changed by hand, a movement that was lost, a statement that nobody updated."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import numpy as np

from billing.money import round_money
from integrations.example.candidates import spread
from integrations.example.company import Company
from integrations.example.credit_records import Movement
from integrations.example.records import Customer
from integrations.example.stages import Stage
from integrations.example.truth import Fault

CODE = "TU-52"
STAGE = Stage.BOOKS
NEEDS = ("prepaid_credits",)


def plant(company: Company, rng: np.random.Generator) -> Sequence[Fault]:
    """Break one customer's ledger in one place."""
    return spread(company, rng, CODE, _plant_on)


def _plant_on(company: Company, customer: Customer, place: int, rng: np.random.Generator) -> Fault | None:
    own = [each for each in company.movements if each.customer_id == customer.customer_id]
    ledger = sorted(own, key=lambda movement: movement.sequence)
    if len(ledger) < 4:
        return None
    middle = int(rng.integers(1, len(ledger) - 1))
    broken, off, note = (_book_by_hand, _lose, _misstate)[place % 3](company, customer, ledger, middle)
    fault = Fault(
        CODE,
        ("customer", customer.customer_id),
        customer.customer_id,
        customer.currency,
        note,
        ledger[middle].booked_at,
        company.as_of,
        exposure=abs(off),
    )
    fault.affects("credit_movement", [broken.movement_id])
    return fault


def _book_by_hand(
    company: Company, customer: Customer, ledger: list[Movement], middle: int
) -> tuple[Movement, Decimal, str]:
    """Raise one balance without a movement; all later ones rest on it."""
    off = round_money(ledger[0].amount / 20, customer.currency)
    ledger[middle].balance_after += off
    for movement in ledger[middle + 1 :]:
        movement.balance_before += off
        movement.balance_after += off
    customer.credit_balance = (customer.credit_balance or Decimal(0)) + off
    return ledger[middle], off, f"a balance was raised by {off} that no movement explains"


def _lose(company: Company, customer: Customer, ledger: list[Movement], middle: int) -> tuple[Movement, Decimal, str]:
    """Lose one movement: the next one starts from another balance than the one before ended with."""
    lost = ledger[middle]
    company.movements.remove(lost)
    return ledger[middle + 1], lost.amount, f"movement {lost.sequence} is missing"


def _misstate(
    company: Company, customer: Customer, ledger: list[Movement], middle: int
) -> tuple[Movement, Decimal, str]:
    """Let the billing system state another balance than the ledger ends with."""
    off = round_money(ledger[0].amount / 25, customer.currency)
    customer.credit_balance = (customer.credit_balance or Decimal(0)) + off
    return ledger[-1], off, f"the stated balance is {off} above the ledger's"
