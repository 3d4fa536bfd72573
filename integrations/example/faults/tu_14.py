"""TU-14, usage still pending after the run was posted: billing has the records and did not take them."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import numpy as np

from integrations.example.candidates import some_in_drafts, summed_items, usage_line, whole_periods
from integrations.example.company import Company
from integrations.example.rebilling import set_usage
from integrations.example.records import Customer
from integrations.example.reporting import records_within, reports_daily
from integrations.example.stages import Stage
from integrations.example.terms import usage_amount
from integrations.example.truth import Fault

CODE = "TU-14"
STAGE = Stage.LINES
ANYWHERE = True


def plant(company: Company, rng: np.random.Generator) -> Sequence[Fault]:
    """Leave the record of a period pending, or those of a week where every day has one; the line bills the rest."""
    return some_in_drafts(company, rng, CODE, _plant_on)


def _plant_on(company: Company, customer: Customer, place: int, rng: np.random.Generator) -> Fault | None:
    for item in summed_items(company, customer):
        whole = whole_periods(company, item)
        line = usage_line(company, item, whole[-1]) if whole else None
        if line is None or line.raw_quantity is None or item.item_id in company.billed_later:
            continue
        records = [each for each in records_within(company, item.item_id, whole[-1]) if each.quantity > 0]
        waiting = records[8:15] if reports_daily(company, item) else records
        left = line.raw_quantity - sum((each.quantity for each in waiting), Decimal(0))
        under = line.amount - usage_amount(company, item, whole[-1].start, left)
        if not waiting or under <= 0:
            continue
        for record in waiting:
            record.status, record.error = "pending", "unit of measure does not match"
        set_usage(company, line, left)
        fault = Fault(
            CODE,
            ("integration", "stripe"),
            customer.customer_id,
            customer.currency,
            f"{len(waiting)} records of usage were still pending when the bill run was posted",
            whole[-1].start,
            whole[-1].end,
            under=under,
            windows=[(item.item_id, whole[-1].start, whole[-1].end)],
        )
        fault.affects("reported_usage", [record.record_id for record in waiting])
        return fault
    return None
