"""TU-22, wrong unit price: a price typed in wrongly, a fee that was not raised, negotiated terms that were ignored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import numpy as np

from billing.money import round_money
from integrations.example.candidates import spread, whole_periods
from integrations.example.company import Company
from integrations.example.ending import involve_line
from integrations.example.picking import planned
from integrations.example.rebilling import amount_under, contract_price, set_amount, tolerance
from integrations.example.records import Customer, Item, Line, Override, PriceRecord
from integrations.example.stages import Stage
from integrations.example.systemic import lines_of_price, spoilt_prices, total_delta
from integrations.example.truth import Fault

CODE = "TU-22"
STAGE = Stage.LINES

_SINCE = timedelta(days=100)
_FACTORS = (Decimal("0.9"), Decimal("1.2"))


def plant(company: Company, rng: np.random.Generator) -> Sequence[Fault]:
    """Misprice some prices for all their customers, and ignore the negotiated price of some single ones."""
    systemic = spoilt_prices(company, rng, CODE, max(1, planned(company) // 2), _misprice)
    single = planned(company) > 1 or not systemic
    return [*systemic, *(spread(company, rng, CODE, _ignore_override) if single else [])]


def _misprice(company: Company, price: PriceRecord, place: int) -> Fault | None:
    """Bill a unit price or fee times a factor; every other fault is on a fee."""
    wanted = {"flat"} if place % 2 else {"per_unit", "package"}
    if price.model not in wanted or price.minimum_amount is not None or price.maximum_amount is not None:
        return None
    changes: dict[str, tuple[Line, Decimal]] = {}
    factor = _FACTORS[place % len(_FACTORS)]
    for line in lines_of_price(company, price, company.as_of - _SINCE):
        agreed = contract_price(company, line)
        unit, flat = agreed.unit_amount, agreed.flat_amount
        wrong = replace(
            agreed,
            unit_amount=None if unit is None else unit * factor,
            flat_amount=None if flat is None else round_money(flat * factor, price.currency),
        )
        amount = amount_under(company, line, wrong)
        if abs(amount - line.amount) > 3 * tolerance(line.amount, price.currency):
            changes[line.line_id] = (line, amount)
            line.unit_amount = wrong.unit_amount if line.unit_amount is not None else None
    if not changes:
        return None
    note = f"billed at {factor} times the agreed price since {company.as_of - _SINCE:%d %b %Y}"
    fault = Fault(CODE, ("price", price.price_id), None, price.currency, note)
    total_delta(fault, changes.values())
    for line, amount in changes.values():
        set_amount(company, line, amount)
        involve_line(company, fault, line)
    return fault


def _ignore_override(company: Company, customer: Customer, place: int, rng: np.random.Generator) -> Fault | None:
    """Agree on a lower unit price from a past period on, and leave the lines at the catalog's."""
    item = _unit_priced(company, customer)
    if item is None:
        return None
    price = company.price_of(item)
    since = whole_periods(company, item)[-3].start
    lines = [line for line in lines_of_price(company, price, since) if line.item_id == item.item_id and line.amount > 5]
    if not lines or any(company.notes_on(line.invoice_id) for line in lines):
        return None
    lower = (price.unit_amount or Decimal(0)) * Decimal("0.8")
    company.add_override(Override(company.new_id("po"), customer.customer_id, price.price_id, since, unit_amount=lower))
    fault = Fault(
        CODE,
        ("price", price.price_id),
        customer.customer_id,
        customer.currency,
        f"a unit price of {lower.normalize():f} was agreed from {since:%d %b %Y} on; the catalog's was billed",
    )
    for line in lines:
        fault.over += line.amount - amount_under(company, line, contract_price(company, line))
        involve_line(company, fault, line)
    fault.period_start, fault.period_end = lines[0].period_start, max(line.period_end for line in lines)
    return fault


def _unit_priced(company: Company, customer: Customer) -> Item | None:
    """An item of the customer at a unit price of the catalog that has been billed for some months."""
    if company.told.get(customer.customer_id) not in {None, "second_product", "retry_succeeded"}:
        return None
    for item in company.customer_items(customer.customer_id):
        price = company.price_of(item)
        if price.model in {"per_unit", "package"} and price.meter_id and len(whole_periods(company, item)) >= 4:
            return item
    return None
