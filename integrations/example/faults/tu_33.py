"""TU-33, minor-unit error: amounts were converted as if every currency had two places."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import numpy as np

from billing.money import minor_digits, round_money
from integrations.example.candidates import some_in_drafts, whole_periods
from integrations.example.company import Company
from integrations.example.discounting import charged_from
from integrations.example.ending import involve_line
from integrations.example.rebilling import set_amount
from integrations.example.records import Customer
from integrations.example.stages import Stage
from integrations.example.truth import Fault

CODE = "TU-33"
STAGE = Stage.LINES
ANYWHERE = True

_RATIOS = {0: (Decimal(100),), 2: (Decimal(100),), 3: (Decimal("0.1"), Decimal(1000))}


def plant(company: Company, rng: np.random.Generator) -> Sequence[Fault]:
    """Charge one line of a customer a hundredfold or a hundredth; in dinars ten or a thousand times, or a part."""
    return some_in_drafts(company, rng, CODE, _plant_on)


def _plant_on(company: Company, customer: Customer, place: int, rng: np.random.Generator) -> Fault | None:
    ratios = _RATIOS[minor_digits(customer.currency)]
    ratio = ratios[place % len(ratios)] if place % 2 == 0 else 1 / ratios[place % len(ratios)]
    for item in company.customer_items(customer.customer_id):
        periods = whole_periods(company, item)
        lines = charged_from(company, item, periods[-1].start) if len(periods) > 2 else []
        if not lines or lines[-1].amount < 40:
            continue
        line = lines[-1]
        wrong = round_money(line.amount * ratio, customer.currency)
        fault = Fault(
            CODE,
            ("integration", "stripe"),
            customer.customer_id,
            customer.currency,
            f"{line.amount} {customer.currency} was charged as {wrong}",
            line.period_start,
            line.period_end,
            under=max(line.amount - wrong, Decimal(0)),
            over=max(wrong - line.amount, Decimal(0)),
        )
        set_amount(company, line, wrong)
        involve_line(company, fault, line)
        return fault
    return None
