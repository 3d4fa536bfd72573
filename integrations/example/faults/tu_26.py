"""TU-26, allowance: the free units of a price are not taken off, or twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import numpy as np

from integrations.example.company import Company
from integrations.example.miscounting import miscounted
from integrations.example.rebilling import amount_under, contract_price
from integrations.example.records import Line
from integrations.example.stages import Stage
from integrations.example.truth import Fault

CODE = "TU-26"
STAGE = Stage.LINES


def plant(company: Company, rng: np.random.Generator) -> Sequence[Fault]:
    """Bill a price's usage without its free units, or with twice as many."""
    return miscounted(company, rng, CODE, "its free units are left out or taken off twice", _wrong)


def _wrong(company: Company, line: Line, place: int) -> Decimal | None:
    price = contract_price(company, line)
    if price.free_units is None:
        return None
    free = 2 * price.free_units if place % 2 else Decimal(0)
    return amount_under(company, line, replace(price, free_units=free))
