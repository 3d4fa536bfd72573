"""TU-23, conversion and packages: a package that was begun is not counted, or the conversion is left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import numpy as np

from billing.money import round_money
from integrations.example.company import Company
from integrations.example.miscounting import miscounted
from integrations.example.rebilling import amount_under, contract_price
from integrations.example.records import Line
from integrations.example.stages import Stage
from integrations.example.truth import Fault

CODE = "TU-23"
STAGE = Stage.LINES


def plant(company: Company, rng: np.random.Generator) -> Sequence[Fault]:
    """Count the units of a price as the billing system would with another setting."""
    return miscounted(company, rng, CODE, "its units are converted or packed wrongly", _wrong)


def _wrong(company: Company, line: Line, place: int) -> Decimal | None:
    price = contract_price(company, line)
    if price.package_size is not None and price.unit_amount is not None and line.quantity is not None:
        units = max(line.quantity - (price.free_units or Decimal(0)), Decimal(0))
        packages = units // price.package_size if place % 2 else units / price.package_size
        return round_money(packages * price.unit_amount, price.currency)
    if price.convert is not None:
        return amount_under(company, line, replace(price, convert=None, convert_factor=None, convert_rounding=None))
    return None
