"""TU-58, credit not applied: the last invoice of a customer with credit was charged to the card."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import numpy as np

from integrations.example.candidates import is_draft
from integrations.example.company import Company
from integrations.example.credit_records import Movement
from integrations.example.ledgers import covered_last, fault_of, rebook, spent_on, spread_over_wallets
from integrations.example.records import Customer, Invoice
from integrations.example.settlement import recharge
from integrations.example.stages import Stage
from integrations.example.truth import Fault

CODE = "TU-58"
STAGE = Stage.BOOKS
NEEDS = ("prepaid_credits",)


def plant(company: Company, rng: np.random.Generator) -> Sequence[Fault]:
    """Take the credit off the last invoice, all of it or one grant's part."""
    return spread_over_wallets(company, rng, CODE, _plant_on)


def _plant_on(company: Company, customer: Customer, place: int, rng: np.random.Generator) -> Fault | None:
    invoice = covered_last(company, customer)
    if invoice is None or not (is_draft(company, invoice) or customer.payment_method):
        return None
    spent = spent_on(company, invoice)
    missed = spent if place % 2 == 0 else spent[-1:]
    amount = -sum((each.amount for each in missed), Decimal(0))
    _take_off(company, customer, invoice, missed, amount)
    fault = fault_of(CODE, customer, f"{amount} of credit was there and not used", invoice.created_at)
    fault.over = amount
    fault.affects("invoice", [invoice.invoice_id])
    fault.shows("credit_grant", [each.grant_id for each in missed if each.grant_id])
    fault.shows("subscription", [invoice.subscription_id])
    return fault


def _take_off(company: Company, customer: Customer, invoice: Invoice, missed: list[Movement], amount: Decimal) -> None:
    for each in missed:
        company.movements.remove(each)
    rebook(company, customer)
    invoice.credits_applied -= amount
    if is_draft(company, invoice):
        invoice.amount_due = invoice.total - invoice.credits_applied
    else:
        recharge(company, invoice, 0, "")
