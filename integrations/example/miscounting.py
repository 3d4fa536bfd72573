"""Faults in how a price counts units: for all customers of a price, or for one whose price was copied wrongly."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import numpy as np

from integrations.example.candidates import spread, summed_items
from integrations.example.company import Company
from integrations.example.ending import involve_line
from integrations.example.picking import planned
from integrations.example.rebilling import set_amount, tolerance
from integrations.example.records import Customer, Line, PriceRecord
from integrations.example.systemic import lines_of_price, spoilt_prices, total_delta
from integrations.example.truth import Fault

Miscount = Callable[[Company, Line, int], Decimal | None]
"""What a line would cost if its units were counted wrongly in the way of fault number `int`; None: no such way."""

_SINCE = timedelta(days=100)


def miscounted(company: Company, rng: np.random.Generator, code: str, note: str, miscount: Miscount) -> list[Fault]:
    """Half of the faults on whole prices, the others on single customers."""

    def on_price(company: Company, price: PriceRecord, place: int) -> Fault | None:
        if price.meter_id is None or price.minimum_amount is not None or price.maximum_amount is not None:
            return None
        return _spoil(company, code, note, lines_of_price(company, price, company.as_of - _SINCE), place, miscount)

    def on_customer(company: Company, customer: Customer, place: int, rng: np.random.Generator) -> Fault | None:
        """Spoil a line of the first of the customer's items that are summed."""
        if company.told.get(customer.customer_id) not in {None, "second_product", "retry_succeeded"}:
            return None
        for item in summed_items(company, customer):
            lines = lines_of_price(company, company.price_of(item), company.as_of - _SINCE)
            own = [line for line in lines if line.item_id == item.item_id]
            fault = _spoil(company, code, note, own, place + 1, miscount)
            if fault is not None:
                fault.customer_id = customer.customer_id
                return fault
        return None

    systemic = spoilt_prices(company, rng, code, planned(company) // 2, on_price)
    return [*systemic, *spread(company, rng, code, on_customer, planned(company) - len(systemic))]


def _spoil(company: Company, code: str, note: str, lines: list[Line], place: int, miscount: Miscount) -> Fault | None:
    changes: dict[str, tuple[Line, Decimal]] = {}
    for line in lines:
        currency = company.invoices[line.invoice_id].currency
        wrong = None if company.notes_on(line.invoice_id) else miscount(company, line, place)
        if wrong is not None and abs(wrong - line.amount) > 3 * tolerance(line.amount, currency):
            changes[line.line_id] = (line, wrong)
    if not changes:
        return None
    first = next(iter(changes.values()))[0]
    fault = Fault(code, ("price", first.price_id or ""), None, company.invoices[first.invoice_id].currency, note)
    total_delta(fault, changes.values())
    for line, wrong in changes.values():
        set_amount(company, line, wrong)
        involve_line(company, fault, line)
    return fault
