"""TU-62, a tax number that is missing, malformed or was never verified, of a business that is invoiced without tax."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import numpy as np

from billing.money import round_money
from integrations.example.candidates import spread
from integrations.example.company import Company
from integrations.example.places import PLACES
from integrations.example.records import ZERO, Customer, Invoice
from integrations.example.stages import Stage
from integrations.example.truth import Fault

CODE = "TU-62"
STAGE = Stage.BOOKS
ANYWHERE = True

_AREA = {"DE", "FR", "ES", "IE", "FI", "GB"}
_WRONG = ("no tax number", "a tax number that is too short", "a tax number that was never verified")


def plant(company: Company, rng: np.random.Generator) -> Sequence[Fault]:
    """Spoil the tax number of some businesses that account for the tax themselves."""
    return spread(company, rng, CODE, _plant_on)


def _plant_on(company: Company, customer: Customer, place: int, rng: np.random.Generator) -> Fault | None:
    reverse = customer.is_business and customer.country in _AREA and bool(customer.tax_ids)
    untaxed = [each for each in company.invoices_of(customer.customer_id) if _untaxed(each)]
    if not reverse or not untaxed or company.as_of - customer.created_at < timedelta(days=10):
        return None
    if {invoice.currency for invoice in untaxed} != {customer.currency}:
        return None
    _spoil(customer, place)
    fault = Fault(
        CODE,
        ("customer", customer.customer_id),
        customer.customer_id,
        customer.currency,
        f"reverse charge with {_WRONG[place % len(_WRONG)]}",
    )
    rate = next(each.consumer_rate for each in PLACES if each.country == customer.country)
    fault.exposure = sum((_tax(invoice, rate) for invoice in untaxed), ZERO)
    fault.affects("invoice", [invoice.invoice_id for invoice in untaxed])
    return fault


def _untaxed(invoice: Invoice) -> bool:
    return invoice.voided_at is None and not invoice.tax_total and invoice.subtotal > invoice.discount_total


def _tax(invoice: Invoice, rate: Decimal) -> Decimal:
    return round_money(Fraction(invoice.subtotal - invoice.discount_total) * Fraction(rate), invoice.currency)


def _spoil(customer: Customer, place: int) -> None:
    (number,) = customer.tax_ids
    match place % len(_WRONG):
        case 0:
            customer.tax_ids = []
        case 1:
            number["value"] = number["value"][:5]
        case _:
            number["status"] = "unverified"
