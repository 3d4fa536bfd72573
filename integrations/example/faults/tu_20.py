"""TU-20, tier bounds: the billing system reads them as exclusive, or the catalog's tiers lack an open end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import numpy as np

from billing.prices import Price
from integrations.example.company import Company
from integrations.example.ending import involve_line
from integrations.example.picking import planned
from integrations.example.rebilling import amount_under, contract_price, set_amount, tolerance
from integrations.example.records import Line, PriceRecord
from integrations.example.stages import Stage
from integrations.example.systemic import lines_of_price, spoilt_prices, total_delta
from integrations.example.truth import Fault

CODE = "TU-20"
STAGE = Stage.LINES

_SINCE = timedelta(days=130)
_BEYOND = Decimal(1_000_000_000)


def plant(company: Company, rng: np.random.Generator) -> Sequence[Fault]:
    """Bill a price with every bound one unit lower; take the open end from another one."""
    shifted = spoilt_prices(company, rng, CODE, max(1, planned(company) // 2), _shift)
    rest = max(1, planned(company) // 2) if shifted else planned(company)
    return [*shifted, *spoilt_prices(company, rng, CODE, rest, _close)]


def _shift(company: Company, price: PriceRecord, place: int) -> Fault | None:
    if price.model not in {"graduated", "volume"} or price.meter_id is None or price.minimum_amount is not None:
        return None
    changes: dict[str, tuple[Line, Decimal]] = {}
    for line in lines_of_price(company, price, company.as_of - _SINCE):
        wrong = amount_under(company, line, _exclusive(contract_price(company, line)))
        if abs(wrong - line.amount) > 3 * tolerance(line.amount, price.currency):
            changes[line.line_id] = (line, wrong)
    if not changes:
        return None
    since = f"since {company.as_of - _SINCE:%d %b %Y}"
    fault = Fault(CODE, ("price", price.price_id), None, price.currency, f"tier bounds are read as exclusive {since}")
    total_delta(fault, changes.values())
    for line, wrong in changes.values():
        set_amount(company, line, wrong)
        involve_line(company, fault, line)
    return fault


def _exclusive(price: Price) -> Price:
    """The price as if `up_to` 10 held the units 1 to 9."""
    tiers = tuple(replace(tier, up_to=None if tier.up_to is None else tier.up_to - 1) for tier in price.tiers)
    return replace(price, tiers=tiers)


def _close(company: Company, price: PriceRecord, place: int) -> Fault | None:
    """Give the last tier an upper bound; what is billed stays right as long as nobody reaches it."""
    lines = lines_of_price(company, price, company.opened)
    plain = all(not company.notes_on(line.invoice_id) for line in lines)
    proration = any(line.proration and line.price_id == price.price_id for line in company.lines.values())
    if not price.tiers or price.minimum_amount is not None or not lines or not plain or proration:
        return None
    price.tiers[-1].up_to = _BEYOND
    fault = Fault(
        CODE,
        ("price", price.price_id),
        None,
        price.currency,
        "the last tier has an upper bound: usage beyond it has no price",
        min(line.period_start for line in lines),
        max(line.period_end for line in lines),
        exposure=sum((line.net for line in lines), Decimal(0)),
    )
    for line in lines:
        involve_line(company, fault, line)
    return fault
