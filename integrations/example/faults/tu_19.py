"""TU-19, wrong tier mode: a graduated price was set up as volume in the billing system, or the other way round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import numpy as np

from integrations.example.company import Company
from integrations.example.ending import involve_line
from integrations.example.picking import planned
from integrations.example.rebilling import amount_under, contract_price, set_amount, tolerance
from integrations.example.records import Line, PriceRecord
from integrations.example.stages import Stage
from integrations.example.systemic import lines_of_price, spoilt_prices, total_delta
from integrations.example.truth import Fault

CODE = "TU-19"
STAGE = Stage.LINES

_OTHER = {"graduated": "volume", "volume": "graduated"}
_SINCE = timedelta(days=130)


def plant(company: Company, rng: np.random.Generator) -> Sequence[Fault]:
    """Bill every line of a price in the other mode since some months ago."""
    return spoilt_prices(company, rng, CODE, max(1, planned(company) // 2), _spoil)


def _spoil(company: Company, price: PriceRecord, place: int) -> Fault | None:
    tiered = price.model in _OTHER and price.meter_id is not None
    if not tiered or price.minimum_amount is not None or price.maximum_amount is not None:
        return None
    changes: dict[str, tuple[Line, Decimal]] = {}
    for line in lines_of_price(company, price, company.as_of - _SINCE):
        agreed = contract_price(company, line)
        wrong = amount_under(company, line, replace(agreed, model=_OTHER[agreed.model]))
        if abs(wrong - line.amount) > 3 * tolerance(line.amount, price.currency):
            changes[line.line_id] = (line, wrong)
    if not changes:
        return None
    fault = Fault(
        CODE,
        ("price", price.price_id),
        None,
        price.currency,
        f"billed as {_OTHER[price.model]} where {price.model} is agreed, since {company.as_of - _SINCE:%d %b %Y}",
    )
    total_delta(fault, changes.values())
    for line, wrong in changes.values():
        set_amount(company, line, wrong)
        involve_line(company, fault, line)
    return fault
