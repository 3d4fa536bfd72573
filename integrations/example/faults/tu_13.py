"""TU-13, internal usage differs from the billing system's: some of what was metered never arrived there, or twice."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import numpy as np

from billing.periods import Period
from integrations.example.candidates import some_in_drafts, summed_items, usage_line, whole_periods
from integrations.example.company import Company
from integrations.example.rebilling import set_usage
from integrations.example.records import Customer, Item, Line, ReportedUsage
from integrations.example.reporting import records_within, reports_daily
from integrations.example.stages import Stage
from integrations.example.terms import usage_amount
from integrations.example.truth import Fault

CODE = "TU-13"
STAGE = Stage.LINES
ANYWHERE = True

_FACTORS = (Decimal("0.86"), Decimal("1.11"), Decimal("0.92"))


def plant(company: Company, rng: np.random.Generator) -> Sequence[Fault]:
    """Record less or more than was metered for a period, and bill what was recorded."""
    return some_in_drafts(company, rng, CODE, _plant_on)


def _plant_on(company: Company, customer: Customer, place: int, rng: np.random.Generator) -> Fault | None:
    for item in summed_items(company, customer):
        periods = whole_periods(company, item)
        chosen = periods[-1:] if place % 2 == 0 else periods[-3:]
        for period in chosen:
            line = usage_line(company, item, period)
            if line is not None and not _adjusted(company, item):
                fault = _spoil(company, customer, item, period, line, _FACTORS[place % len(_FACTORS)])
                if fault is not None:
                    return fault
    return None


def _adjusted(company: Company, item: Item) -> bool:
    return item.item_id in company.billed_later


def _spoil(
    company: Company, customer: Customer, item: Item, period: Period, line: Line, factor: Decimal
) -> Fault | None:
    metered = company.stream_of(item).quantity(period.start, period.end)
    records = records_within(company, item.item_id, period)
    recorded = sum((record.quantity for record in records), Decimal(0))
    if recorded != metered:
        return None
    changed = _wrong(company, item, records, factor)
    wrong = sum(
        changed.values(),
        recorded - sum((record.quantity for record in records if record.record_id in changed), Decimal(0)),
    )
    delta = usage_amount(company, item, period.start, metered) - usage_amount(company, item, period.start, wrong)
    if not delta or not metered or abs(wrong / metered - 1) < Decimal("0.01"):
        return None
    for record in records:
        record.quantity = changed.get(record.record_id, record.quantity)
    set_usage(company, line, wrong)
    fault = Fault(
        CODE,
        ("integration", "stripe"),
        customer.customer_id,
        customer.currency,
        f"{metered.normalize():f} were metered and {wrong.normalize():f} recorded and billed",
        period.start,
        period.end,
        under=max(delta, Decimal(0)),
        over=max(-delta, Decimal(0)),
        windows=[(item.item_id, period.start, period.end)],
    )
    fault.affects("reported_usage", changed)
    return fault


def _wrong(company: Company, item: Item, records: list[ReportedUsage], factor: Decimal) -> dict[str, Decimal]:
    """What is recorded instead, by record: the whole period's, or that of a week where every day has its record."""
    chosen = records[4:11] if reports_daily(company, item) else records
    return {record.record_id: (record.quantity * factor).quantize(Decimal(1)) for record in chosen}
