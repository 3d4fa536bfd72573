"""TU-59, payment retries exhausted: the card was refused four times, and nobody will try again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import numpy as np

from integrations.example.candidates import spread
from integrations.example.company import Company
from integrations.example.records import Customer, Invoice
from integrations.example.settlement import recharge
from integrations.example.stages import Stage
from integrations.example.truth import Fault

CODE = "TU-59"
STAGE = Stage.BOOKS

_RETRIES_TAKE = timedelta(days=15, hours=2)
_REASONS = ("expired_card", "insufficient_funds", "card_declined")


def plant(company: Company, rng: np.random.Generator) -> Sequence[Fault]:
    """Let all charges of the last invoice that is old enough fail."""
    return spread(company, rng, CODE, _plant_on)


def _plant_on(company: Company, customer: Customer, place: int, rng: np.random.Generator) -> Fault | None:
    charged = [each for each in company.invoices_of(customer.customer_id) if _exhaustible(company, each)]
    if not charged:
        return None
    invoice = charged[-1]
    payments = recharge(company, invoice, 4, _REASONS[place % len(_REASONS)])
    fault = Fault(
        CODE,
        ("customer", customer.customer_id),
        customer.customer_id,
        customer.currency,
        f"four charges failed ({_REASONS[place % len(_REASONS)]}), no further one is planned",
        invoice.period_start,
        invoice.period_end,
        exposure=invoice.amount_due,
    )
    fault.affects("invoice", [invoice.invoice_id])
    fault.affects("payment", [payment.payment_id for payment in payments])
    fault.shows("subscription", [invoice.subscription_id])
    return fault


def _exhaustible(company: Company, invoice: Invoice) -> bool:
    """Whether the invoice was charged to a card long enough ago for all retries to be over."""
    subscription = company.subscriptions[invoice.subscription_id]
    issued = invoice.issued_at
    return (
        invoice.status == "paid"
        and invoice.attempt_count == 1
        and subscription.collection_method == "charge_automatically"
        and issued is not None
        and issued + _RETRIES_TAKE < company.as_of < issued + timedelta(days=55)
        and not company.notes_on(invoice.invoice_id)
    )
