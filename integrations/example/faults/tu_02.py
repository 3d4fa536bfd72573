"""TU-02, late usage never billed: a producer's backlog reached the collector days after the invoice was made."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import numpy as np

from integrations.example.candidates import DAY, plain_events, some_days, spread, summed_items, whole_periods
from integrations.example.company import Company
from integrations.example.invoicing import recorded_at
from integrations.example.records import Customer
from integrations.example.reporting import reports_daily
from integrations.example.stages import Stage
from integrations.example.streams import to_micros
from integrations.example.terms import usage_amount
from integrations.example.truth import Fault

CODE = "TU-02"
STAGE = Stage.USAGE
ANYWHERE = True

_HOUR = 3_600_000_000
_AGE = timedelta(days=12)


def plant(company: Company, rng: np.random.Generator) -> Sequence[Fault]:
    """Delay all events of three days by days beyond the cut-off of their invoice; they are on no line."""
    return spread(company, rng, CODE, _plant_on)


def _plant_on(company: Company, customer: Customer, place: int, rng: np.random.Generator) -> Fault | None:
    if company.told.get(customer.customer_id) == "free_months":
        return None  # what came late is not lost: nothing is charged
    for item in summed_items(company, customer):
        old = [period for period in whole_periods(company, item) if period.end < company.as_of - _AGE]
        if not old or reports_daily(company, item):
            continue
        period, stream = old[-1 - place % min(3, len(old))], company.stream_of(item)
        days = some_days(period, company.as_of, 3, rng)
        late = np.concatenate([plain_events(stream, day, day + DAY) for day in days]) if days else np.empty(0, np.int64)
        if len(late) < 3:
            continue
        metered = stream.quantity(period.start, period.end)
        billed = stream.quantity_without(period.start, period.end, late)
        under = usage_amount(company, item, period.start, metered) - usage_amount(company, item, period.start, billed)
        if under <= 0:
            continue
        cut_off = to_micros(recorded_at(company, period.end))
        stream.put(late, received=cut_off + rng.integers(30 * _HOUR, 200 * _HOUR, len(late)))
        fault = Fault(
            CODE,
            ("source", stream.source),
            customer.customer_id,
            customer.currency,
            f"{len(late)} events from {stream.source} came in after the invoice was made and are on no line",
            period.start,
            period.end,
            under=under,
            windows=[(item.item_id, period.start, period.end)],
        )
        fault.affects("usage_event", stream.event_ids(late))
        return fault
    return None
