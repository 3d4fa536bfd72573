"""Events that come in after their period has ended, but before its usage is collected: billed like all others."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import numpy as np

from integrations.example.changes import first_subscription, has_months, months, on_plan
from integrations.example.company import Company
from integrations.example.picking import some, untold
from integrations.example.records import Customer
from integrations.example.stages import Stage
from integrations.example.streams import to_micros
from integrations.example.truth import Lookalike

STAGE = Stage.USAGE
_MINUTE = 60_000_000


def plant(company: Company, rng: np.random.Generator) -> Sequence[Lookalike]:
    """Delay the last six hours' events of a few periods by half an hour to an hour and three quarters."""

    def suitable(customer: Customer) -> bool:
        habits = company.habits[customer.customer_id]
        monthly = on_plan(company, customer, "starter", "growth", "scale")
        return monthly and has_months(company, customer, 3) and not habits.daily_reports

    found = []
    for customer in untold(company, rng, some(company, 0.01), suitable):
        stream = company.streams[customer.customer_id, "meter_api"]
        end = months(company, first_subscription(company, customer))[-1 - int(rng.integers(0, 2))].end
        late = stream.accepted_within(end - timedelta(hours=6), end)
        stream.put(late, received=to_micros(end) + rng.integers(30 * _MINUTE, 105 * _MINUTE, len(late)))
        company.told[customer.customer_id] = "late_in_window"
        found.append(
            Lookalike(
                "late events inside the collection window",
                customer.customer_id,
                ("TU-02", "TU-13"),
                tuple(("usage_event", each) for each in stream.event_ids(late)),
                "received after the period's end and before its usage was recorded, so they are on its line",
            )
        )
    return found
